/** A job's files in a directory of this machine. Nothing outside it can be reached, not by links either. */
import * as fs from "node:fs";
import * as path from "node:path";
import { ERROR_CODES, type ErrorCode, RoostError } from "../base/errors.ts";
import { parentOf } from "../base/paths.ts";
import type { Disk, DiskEntry, DiskFile } from "../base/ports.ts";

/** A directory of this machine; nothing outside of it can be reached. */
export class NodeDisk implements Disk {
  readonly #root: string;

  /** Throws RoostError when `directory` cannot be used. */
  constructor(directory: string) {
    this.#root = attempt(directory, () => fs.realpathSync(directory));
    if (!fs.statSync(this.#root).isDirectory())
      throw new RoostError("ENOTDIR", `${directory} is not a directory`);
  }

  open(name: string, mode: Parameters<Disk["open"]>[1]): DiskFile {
    const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const flags =
      (mode.read ? (mode.write ? O_RDWR : O_RDONLY) : O_WRONLY) |
      (mode.create ? O_CREAT : 0) |
      (mode.exclusive ? O_EXCL : 0) |
      (mode.truncate ? O_TRUNC : 0) |
      (O_NOFOLLOW ?? 0) | // `#real` has followed the links there were
      (O_NONBLOCK ?? 0); // a named pipe must not hang the home
    return attempt(name, () => {
      const fd = fs.openSync(this.#real(name), flags, 0o666);
      const stat = fs.fstatSync(fd);
      if (!stat.isFile()) {
        fs.closeSync(fd);
        throw stat.isDirectory()
          ? new RoostError("EISDIR", `${name || "/"} is a directory`)
          : new RoostError("EACCES", `${name} is no ordinary file`);
      }
      return {
        read: (length, position) =>
          attempt(name, () => {
            const buffer = new Uint8Array(Math.max(0, Math.min(length, fs.fstatSync(fd).size - position)));
            return buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, position));
          }),
        write: (data, position) =>
          attempt(name, () => {
            for (let done = 0; done < data.length; )
              done += fs.writeSync(fd, data, done, data.length - done, position + done);
          }),
        size: () => fs.fstatSync(fd).size,
        close: () => fs.closeSync(fd),
      };
    });
  }

  stat(name: string): DiskEntry {
    return attempt(name, () => {
      const stat = fs.statSync(this.#real(name));
      return { kind: stat.isDirectory() ? "directory" : "file", size: stat.size, modifiedMs: stat.mtimeMs };
    });
  }

  canonical(name: string): string {
    return attempt(name, () => path.relative(this.#root, this.#real(name)).split(path.sep).join("/"));
  }

  list(name: string): { name: string; kind: "file" | "directory" }[] {
    return attempt(name, () =>
      fs
        .readdirSync(this.#real(name), { withFileTypes: true })
        .filter((entry) => entry.isFile() || entry.isDirectory())
        .map((entry) => ({ name: entry.name, kind: entry.isDirectory() ? "directory" : "file" })),
    );
  }

  makeDirectory(name: string): void {
    attempt(name, () => fs.mkdirSync(this.#real(name)));
  }

  unlink(name: string): void {
    attempt(name, () => fs.unlinkSync(this.#inRealParent(name)));
  }

  rename(from: string, to: string): void {
    attempt(from, () => fs.renameSync(this.#inRealParent(from), this.#inRealParent(to)));
  }

  /** The absolute path, every link in it followed; throws EACCES when that leads outside. */
  #real(name: string): string {
    const full = path.join(this.#root, name);
    let real: string;
    try {
      real = fs.realpathSync(full);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || name === "") throw error;
      if (fs.lstatSync(full, { throwIfNoEntry: false }))
        throw new RoostError("EACCES", `${name} is a link that leads nowhere`);
      real = path.join(this.#real(parentOf(name)), path.basename(full));
    }
    if (real !== this.#root && !real.startsWith(this.#root + path.sep))
      throw new RoostError("EACCES", `${name} leads outside the job's directory`);
    return real;
  }

  /** For what acts on a name, not on what a link points to. */
  #inRealParent(name: string): string {
    if (name === "")
      throw new RoostError("EACCES", "the job's directory itself cannot be removed or renamed");
    return path.join(this.#real(parentOf(name)), path.basename(name));
  }
}

function attempt<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof RoostError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const known = ERROR_CODES.find((known) => known === code) ?? OTHERS[code ?? ""] ?? "EIO";
    throw new RoostError(known, `${SENTENCES[known] ?? message}: ${name || "/"}`, { cause: error });
  }
}

/** Codes of the system that jobs are not bothered with: a circle of links, a pipe or socket, a name over 255 bytes. */
const OTHERS: Partial<Record<string, ErrorCode>> = {
  ELOOP: "EACCES",
  ENXIO: "EACCES",
  ENAMETOOLONG: "EINVAL",
};

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  ENOENT: "there is no such file or directory",
  EEXIST: "exists already",
  EACCES: "not allowed",
  EISDIR: "is a directory",
  ENOTDIR: "is not a directory",
  ENOTEMPTY: "the directory is not empty",
};
