/** A job's files in memory: what a page gives its jobs, and tests use. Directories are remembered even when empty. */
import { RoostError } from "../base/errors.ts";
import { parentOf } from "../base/paths.ts";
import type { Disk, DiskContent, DiskEntry, DiskFile } from "../base/ports.ts";

interface MemoryFile {
  bytes: Uint8Array;
  size: number;
  modifiedMs: number;
  revision: number;
}

/** Files in memory. */
export class MemoryDisk implements Disk {
  readonly #files = new Map<string, MemoryFile>();
  readonly #directories = new Set<string>([""]);
  readonly #now: () => number;
  #revision = 1;

  constructor(
    files: Iterable<readonly [path: string, content: Uint8Array]> = [],
    now: () => number = Date.now,
  ) {
    this.#now = now;
    for (const [path, content] of files) this.put(path, content);
  }

  /** As one was, its times and revisions too: those of what changes from now on are later than any of them. */
  static again(
    disk: readonly Omit<DiskContent, "bytes">[],
    contents: ReadonlyMap<number, Uint8Array>,
    now?: () => number,
  ): MemoryDisk {
    const again = new MemoryDisk([], now);
    for (const { path, revision, modifiedMs } of disk) {
      again.#revision = revision;
      again.put(path, contents.get(revision) ?? new Uint8Array(), modifiedMs);
    }
    again.#revision = 1 + disk.reduce((latest, { revision }) => Math.max(latest, revision), 0);
    return again;
  }

  /** Puts a file there, with the directories above it; or, where the path ends with `/`, a directory. */
  put(path: string, content: Uint8Array, modifiedMs = this.#now()): void {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
      this.#directories.add(path.slice(0, slash));
    if (path.endsWith("/")) return;
    this.#files.set(path, {
      bytes: content,
      size: content.length,
      modifiedMs,
      revision: this.#revision++,
    });
  }

  /** All files, by path. */
  *files(): Iterable<[path: string, content: Uint8Array]> {
    for (const path of [...this.#files.keys()].toSorted()) {
      const file = this.#files.get(path);
      if (file) yield [path, file.bytes.subarray(0, file.size)];
    }
  }

  contents(): DiskContent[] {
    const bytes = new Uint8Array();
    const directories = [...this.#directories].filter((path) => path !== "");
    return [
      ...directories.map((path) => ({ path: `${path}/`, revision: 0, modifiedMs: 0, bytes })),
      ...Array.from(this.#files, ([path, file]) => ({
        path,
        revision: file.revision,
        modifiedMs: file.modifiedMs,
        bytes: file.bytes.subarray(0, file.size),
      })),
    ];
  }

  open(path: string, mode: Parameters<Disk["open"]>[1]): DiskFile {
    if (this.#directories.has(path)) throw new RoostError("EISDIR", `${path || "/"} is a directory`);
    let file = this.#files.get(path);
    if (file && mode.exclusive) throw new RoostError("EEXIST", `${path} exists already`);
    if (!file) {
      if (!mode.create) throw this.#absent(path);
      this.#requireParent(path);
      file = { bytes: new Uint8Array(), size: 0, modifiedMs: this.#now(), revision: this.#revision++ };
      this.#files.set(path, file);
    } else if (mode.truncate) {
      file.size = 0;
      file.modifiedMs = this.#now();
      file.revision = this.#revision++;
    }
    const open = file;
    return {
      read: (length, position) => open.bytes.slice(position, Math.min(open.size, position + length)),
      write: (data, position) => {
        const end = position + data.length;
        if (end > open.bytes.length) {
          const grown = new Uint8Array(Math.max(end, 2 * open.bytes.length));
          grown.set(open.bytes.subarray(0, open.size));
          open.bytes = grown;
        }
        if (position > open.size) open.bytes.fill(0, open.size, position);
        open.bytes.set(data, position);
        open.size = Math.max(open.size, end);
        open.modifiedMs = this.#now();
        open.revision = this.#revision++;
      },
      size: () => open.size,
      close: () => {},
    };
  }

  canonical(path: string): string {
    return path;
  }

  stat(path: string): DiskEntry {
    if (this.#directories.has(path)) return { kind: "directory", size: 0, modifiedMs: 0 };
    const file = this.#files.get(path);
    if (!file) throw this.#absent(path);
    return { kind: "file", size: file.size, modifiedMs: file.modifiedMs };
  }

  list(path: string): { name: string; kind: "file" | "directory" }[] {
    if (this.stat(path).kind !== "directory") throw new RoostError("ENOTDIR", `${path} is not a directory`);
    const prefix = path ? `${path}/` : "";
    const below = (p: string) => p !== "" && p.startsWith(prefix) && !p.slice(prefix.length).includes("/");
    const entry = (kind: "file" | "directory") => (p: string) => ({ name: p.slice(prefix.length), kind });
    return [
      ...[...this.#directories].filter(below).map(entry("directory")),
      ...[...this.#files.keys()].filter(below).map(entry("file")),
    ];
  }

  makeDirectory(path: string): void {
    if (this.#directories.has(path) || this.#files.has(path))
      throw new RoostError("EEXIST", `${path || "/"} exists already`);
    this.#requireParent(path);
    this.#directories.add(path);
  }

  unlink(path: string): void {
    if (this.#directories.has(path)) throw new RoostError("EISDIR", `${path || "/"} is a directory`);
    if (!this.#files.delete(path)) throw this.#absent(path);
  }

  rename(from: string, to: string): void {
    const file = this.#files.get(from);
    if (!file) {
      if (this.#directories.has(from)) return this.#renameDirectory(from, to);
      throw this.#absent(from);
    }
    if (this.#directories.has(to)) throw new RoostError("EISDIR", `${to} is a directory`);
    this.#requireParent(to);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  #renameDirectory(from: string, to: string): void {
    if (from === "" || `${to}/`.startsWith(`${from}/`))
      throw new RoostError("EINVAL", `${from || "/"} cannot be moved into itself`);
    if (this.#files.has(to)) throw new RoostError("ENOTDIR", `${to} is not a directory`);
    if (this.#directories.has(to) && this.list(to).length > 0)
      throw new RoostError("ENOTEMPTY", `the directory ${to} is not empty`);
    this.#requireParent(to);
    const moved = (path: string) => to + path.slice(from.length);
    for (const path of [...this.#directories])
      if (path === from || path.startsWith(`${from}/`)) {
        this.#directories.delete(path);
        this.#directories.add(moved(path));
      }
    for (const [path, file] of [...this.#files])
      if (path.startsWith(`${from}/`)) {
        this.#files.delete(path);
        this.#files.set(moved(path), file);
      }
  }

  #requireParent(path: string): void {
    const parent = parentOf(path);
    if (this.#files.has(parent)) throw new RoostError("ENOTDIR", `${parent} is not a directory`);
    if (!this.#directories.has(parent)) throw this.#absent(parent);
  }

  /** Why there is nothing of that name. */
  #absent(path: string): RoostError {
    const above = path.split("/").map((_, n, parts) => parts.slice(0, n).join("/"));
    const file = above.find((prefix) => this.#files.has(prefix));
    if (file !== undefined) return new RoostError("ENOTDIR", `${file} is not a directory`);
    return new RoostError("ENOENT", `there is no ${path}`);
  }
}
