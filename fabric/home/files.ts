/**
 * The files of a job, as its processes see them: descriptors, offsets shared by parent and child, one directory
 * that is the whole world. Works on any `Disk`; every call gets an answer, errors included, and never throws.
 */
import { bool, branded, type Carried, list, struct, text, varint } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import type { Pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { parentOf } from "../base/paths.ts";
import type { Disk, DiskFile } from "../base/ports.ts";
import {
  CALLS,
  type Call,
  type CallAnswer,
  type CallArgs,
  type CallName,
  encodeAnswer,
  encodeError,
} from "../wire/calls.ts";

/** What several descriptors, of parent and children, can share: as UNIX's open file description. */
interface OpenFile {
  readonly file: DiskFile;
  /** As it was opened. */
  readonly path: string;
  /** Where it is now. */
  canonical: string;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  offset: number;
  users: number;
}

/** What a process's call is about to do: to what, and how much it appends to that. */
interface Intent {
  readonly path: string;
  readonly appends: number;
}

/** A file or directory that a call is about: it makes, removes or empties it (`name`), or writes at its end or at a place in it. */
interface Touched {
  readonly path: string;
  readonly as: "name" | "end" | "place";
}

/** Whether they must not wait together: all but writes of one kind, which are the same in either order, or have places one after the other. */
const interfere = (a: Touched, b: Touched): boolean => {
  const within = (one: Touched, other: Touched) => `${one.path}/`.startsWith(`${other.path}/`);
  return (a.as !== b.as || a.as === "name") && (within(a, b) || within(b, a));
};

/** What came of a file call. */
export interface Served {
  /** Its encoded result or error. */
  readonly answer: Uint8Array;
  /** What it made different: canonical paths. */
  readonly changed: readonly string[];
  /** What the answer speaks of, where it is one that may be kept: a canonical path. */
  readonly seen: string | undefined;
}

export const savedFiles = struct({
  opens: list(
    struct({
      path: text(LIMITS.pathBytes),
      canonical: text(LIMITS.pathBytes),
      readable: bool,
      writable: bool,
      append: bool,
      offset: varint,
    }),
    1 << 20,
  ),
  /** `open` counts in `opens`: parent and child share. */
  tables: list(
    struct({
      pid: branded<Pid>(varint),
      descriptors: list(struct({ fd: varint, open: varint }), LIMITS.openFiles),
    }),
    1 << 20,
  ),
  intents: list(
    struct({ pid: branded<Pid>(varint), path: text(LIMITS.pathBytes), at: varint, end: varint }),
    1 << 20,
  ),
});
export type SavedFiles = Carried<typeof savedFiles>;

/** 0, 1 and 2 are the terminal. */
const FIRST_DESCRIPTOR = 3;

export class Files {
  readonly #disk: Disk;
  readonly #tables = new Map<Pid, Map<number, OpenFile>>();
  readonly #intents = new Map<Pid, Intent>();
  /** Whose changes the home before may have made, in its order; and where they append. */
  readonly #unsure = new Map<Pid, number>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Who has what open. */
  save(): SavedFiles {
    const opens = [...new Set([...this.#tables.values()].flatMap((table) => [...table.values()]))];
    return {
      opens: opens.map(({ path, canonical, readable, writable, append, offset }) => ({
        path,
        canonical,
        readable,
        writable,
        append,
        offset,
      })),
      tables: Array.from(this.#tables, ([pid, table]) => ({
        pid,
        descriptors: Array.from(table, ([fd, open]) => ({ fd, open: opens.indexOf(open) })),
      })),
      intents: this.#placed(),
    };
  }

  /** Opens again what was open; what is not there any more stays closed (EBADF). */
  revive({ opens, tables, intents }: SavedFiles): void {
    for (const { pid, at } of intents) this.#unsure.set(pid, at);
    const again = opens.map((saved) => {
      try {
        const { readable: read, writable: write } = saved;
        const file = this.#disk.open(saved.canonical, { ...READ, read, write });
        return { ...saved, file, users: 0 };
      } catch (error) {
        if (error instanceof RoostError) return undefined;
        throw error;
      }
    });
    for (const { pid, descriptors } of tables) {
      const table = new Map<number, OpenFile>();
      for (const { fd, open } of descriptors) {
        const file = again[open];
        if (!file) continue;
        file.users++;
        table.set(fd, file);
      }
      this.#tables.set(pid, table);
    }
  }

  forked(parent: Pid, child: Pid): void {
    const table = new Map(this.#tables.get(parent));
    for (const open of table.values()) open.users++;
    this.#tables.set(child, table);
  }

  closed(process: Pid): void {
    for (const open of this.#tables.get(process)?.values() ?? []) release(open);
    this.#tables.delete(process);
    this.#settled(process);
  }

  #settled(process: Pid): void {
    this.#intents.delete(process);
    this.#unsure.delete(process);
  }

  /** Carries out a file call. */
  serve(process: Pid, call: Call): Served {
    const changed: string[] = [];
    try {
      const todo = this.#unsure.has(process) ? this.#again(call) : call;
      const answer =
        todo === "done"
          ? encodeAnswer("unlink", undefined) // as all that can be done say
          : this.#serve(process, todo, (path) => changed.push(path));
      return { answer, changed, seen: this.#seen(call) };
    } catch (error) {
      const said =
        error instanceof RoostError
          ? error
          : new RoostError("EIO", `${call.name} failed at the job's home: ${String(error)}`);
      return { answer: encodeError(said), changed, seen: undefined };
    } finally {
      this.#settled(process);
    }
  }

  /**
   * Notes what calls are about to do, before they are carried out in this order: so that this can be kept, and another home, which
   * cannot know whether this one got so far, makes the same changes and none twice. Writing at a place is the same when done
   * twice; what appends is kept with its place, and what makes or removes a name succeeds again if it would have now. So
   * none is noted after one that makes that another thing: answers with how many of them, from the first, are.
   */
  intend(calls: readonly { readonly pid: Pid; readonly operation: Call }[]): number {
    const touched: Touched[] = [];
    for (const [n, { pid, operation }] of calls.entries())
      try {
        const touches = this.#touchedBy(pid, operation);
        if (touches.some((one) => touched.some((other) => interfere(one, other)))) return n;
        touched.push(...touches);
        const intent = this.#intentOf(pid, operation);
        if (intent) this.#intents.set(pid, intent);
      } catch (error) {
        if (!(error instanceof RoostError)) throw error; // carrying it out will say why
      }
    return calls.length;
  }

  /** Whose changes the home before may have made, in the order in which it would have: they come first now. */
  get unsure(): readonly Pid[] {
    return [...this.#unsure.keys()];
  }

  #touchedBy(process: Pid, call: Call): Touched[] {
    const named = (path: string, as: Touched["as"] = "name") => ({
      path: this.#disk.canonical(inside(path)),
      as,
    });
    switch (call.name) {
      case "open":
      case "writeFile": {
        const { create, exclusive, truncate } = modeOf(call.args.flags);
        return [named(call.args.path, create && (exclusive || truncate) ? "name" : "end")];
      }
      case "write": {
        const open = this.#tables.get(process)?.get(call.args.fd);
        return open ? [{ path: open.canonical, as: open.append ? "end" : "place" }] : [];
      }
      case "makeDirectory":
      case "unlink":
        return [named(call.args.path)];
      case "rename":
        return [named(call.args.from), named(call.args.to)];
      default:
        return [];
    }
  }

  #intentOf(process: Pid, call: Call): Intent | undefined {
    const named = (path: string) => ({ path: this.#disk.canonical(inside(path)), appends: 0 });
    switch (call.name) {
      case "open":
        return call.args.flags.includes("x") && !this.#exists(call.args.path)
          ? named(call.args.path)
          : undefined;
      case "write": {
        const open = this.#tables.get(process)?.get(call.args.fd);
        return open?.append ? { path: open.canonical, appends: call.args.data.length } : undefined;
      }
      case "writeFile": {
        const { path, flags, data } = call.args;
        if (flags === "a") return { ...named(path), appends: data.length };
        return flags === "wx" && !this.#exists(path) ? named(path) : undefined;
      }
      case "makeDirectory":
        return this.#exists(call.args.path) ? undefined : named(call.args.path);
      case "unlink":
        return this.#exists(call.args.path) ? named(call.args.path) : undefined;
      case "rename":
        return this.#exists(call.args.from) ? named(call.args.from) : undefined;
      default:
        return undefined;
    }
  }

  /** The intents, and where each appends when all before it have been carried out. */
  #placed(): SavedFiles["intents"] {
    const ends = new Map<string, number>();
    return Array.from(this.#intents, ([pid, { path, appends }]) => {
      const at = appends > 0 ? (ends.get(path) ?? this.#sizeOf(path)) : 0;
      ends.set(path, at + appends);
      return { pid, path, at, end: at + appends };
    });
  }

  #sizeOf(path: string): number {
    try {
      return this.#disk.stat(path).size;
    } catch (error) {
      if (error instanceof RoostError) return 0;
      throw error;
    }
  }

  #exists(path: string): boolean {
    try {
      this.#disk.stat(inside(path));
      return true;
    } catch (error) {
      if (error instanceof RoostError && error.code === "ENOENT") return false;
      throw error;
    }
  }

  /** Where a call that appends writes. */
  #end(process: Pid, file: DiskFile): number {
    return this.#unsure.get(process) ?? file.size();
  }

  /** A call that was intended, as it is to be made by a home that does not know whether it was carried out. */
  #again(call: Call): Call | "done" {
    switch (call.name) {
      case "open":
        return { ...call, args: { ...call.args, flags: call.args.flags.replace("x", "") as "w" } };
      case "writeFile":
        return { ...call, args: { ...call.args, flags: call.args.flags === "a" ? "a" : "w" } };
      case "makeDirectory":
        return this.#exists(call.args.path) ? "done" : call;
      case "unlink":
        return this.#exists(call.args.path) ? call : "done";
      case "rename":
        return this.#exists(call.args.from) ? call : "done";
      default:
        return call;
    }
  }

  #seen(call: Call): string | undefined {
    if (CALLS[call.name].where !== "cached" || !call.args || !("path" in call.args)) return undefined;
    return this.#disk.canonical(inside(call.args.path));
  }

  #serve(process: Pid, call: Call, change: (canonicalPath: string) => void): Uint8Array {
    const disk = this.#disk;
    const done = <N extends CallName>(name: N, answer: CallAnswer<N>) => encodeAnswer(name, answer);
    const changing = (path: string) => {
      const canonical = disk.canonical(path);
      change(canonical);
      if (canonical !== path) change(path);
      return canonical;
    };
    switch (call.name) {
      case "open":
        return done("open", { fd: this.#open(process, call.args, change) });
      case "read": {
        const { fd, length, position } = call.args;
        const open = this.#opened(process, fd);
        if (!open.readable)
          throw new RoostError("EBADF", `${open.path} was opened for writing only; open it with "r+"`);
        const data = open.file.read(Math.min(length, LIMITS.dataBytes), position ?? open.offset);
        if (position === undefined) open.offset += data.length;
        return done("read", { data });
      }
      case "write": {
        const { fd, data, position } = call.args;
        const open = this.#opened(process, fd);
        if (!open.writable)
          throw new RoostError("EBADF", `${open.path} was opened for reading only; open it with "r+"`);
        const at = open.append ? this.#end(process, open.file) : (position ?? open.offset);
        change(open.canonical);
        open.file.write(data, at);
        if (position === undefined) open.offset = at + data.length;
        return done("write", { written: data.length });
      }
      case "close": {
        release(this.#opened(process, call.args.fd));
        this.#tables.get(process)?.delete(call.args.fd);
        return done("close", undefined);
      }
      case "stat": {
        const { kind, size, modifiedMs } = disk.stat(inside(call.args.path));
        return done("stat", { kind, size, modified: modifiedMs });
      }
      case "readDirectory": {
        const entries = disk.list(inside(call.args.path));
        return done("readDirectory", { entries: entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)) });
      }
      case "makeDirectory":
        this.#makeDirectory(inside(call.args.path), call.args.recursive);
        for (let path = inside(call.args.path); path; path = parentOf(path)) changing(path);
        return done("makeDirectory", undefined);
      case "unlink":
        changing(inside(call.args.path));
        disk.unlink(inside(call.args.path));
        return done("unlink", undefined);
      case "rename":
        this.#rename(inside(call.args.from), inside(call.args.to), changing);
        return done("rename", undefined);
      case "readFile": {
        const file = disk.open(inside(call.args.path), { ...READ });
        try {
          const size = file.size();
          if (size > LIMITS.dataBytes)
            throw new RoostError(
              "EINVAL",
              `${call.args.path} has ${size} bytes: read it in parts, with openSync and readSync`,
            );
          return done("readFile", { data: file.read(size, 0) });
        } finally {
          file.close();
        }
      }
      case "writeFile": {
        const { path, flags, data } = call.args;
        const file = disk.open(inside(path), modeOf(flags));
        changing(inside(path));
        try {
          file.write(data, flags === "a" ? this.#end(process, file) : 0);
        } finally {
          file.close();
        }
        return done("writeFile", undefined);
      }
      default:
        throw new Error(`bug: ${call.name} is no file call`);
    }
  }

  /** Files that are open move along. */
  #rename(from: string, to: string, changing: (path: string) => string): void {
    const before = changing(from);
    this.#disk.rename(from, to);
    const now = changing(to);
    for (const table of this.#tables.values())
      for (const open of table.values())
        if (open.canonical === before || open.canonical.startsWith(`${before}/`))
          open.canonical = now + open.canonical.slice(before.length);
  }

  #open(process: Pid, { path, flags }: CallArgs<"open">, change: (canonicalPath: string) => void): number {
    const table = this.#tables.get(process) ?? new Map<number, OpenFile>();
    this.#tables.set(process, table);
    if (table.size >= LIMITS.openFiles)
      throw new RoostError("EMFILE", `${table.size} files are open, the limit (openFiles); close some first`);
    const mode = modeOf(flags);
    const file = this.#disk.open(inside(path), mode);
    const canonical = this.#disk.canonical(inside(path));
    if (mode.create || mode.truncate) change(canonical);
    let fd = FIRST_DESCRIPTOR;
    while (table.has(fd)) fd++;
    const { read, write } = mode;
    table.set(fd, {
      file,
      path,
      canonical,
      readable: read,
      writable: write,
      append: flags.startsWith("a"),
      offset: 0,
      users: 1,
    });
    return fd;
  }

  #opened(process: Pid, fd: number): OpenFile {
    const open = this.#tables.get(process)?.get(fd);
    if (!open) throw new RoostError("EBADF", `${fd} is not an open file of this process`);
    return open;
  }

  #makeDirectory(path: string, recursive: boolean): void {
    if (!recursive) return this.#disk.makeDirectory(path);
    const parts = path.split("/");
    for (let n = 1; n <= parts.length; n++) {
      const prefix = parts.slice(0, n).join("/");
      try {
        this.#disk.makeDirectory(prefix);
      } catch (error) {
        const there = error instanceof RoostError && error.code === "EEXIST";
        if (!there || this.#disk.stat(prefix).kind !== "directory") throw error;
      }
    }
  }
}

function release(open: OpenFile): void {
  if (--open.users === 0) open.file.close();
}

const READ = { read: true, write: false, create: false, exclusive: false, truncate: false };

/** Node's flags: r reads, w empties, a appends, + does both, x insists that the file is new. */
function modeOf(flags: string) {
  const [kind] = flags;
  const both = flags.includes("+");
  return {
    read: kind === "r" || both,
    write: kind !== "r" || both,
    create: kind !== "r",
    exclusive: flags.includes("x"),
    truncate: kind === "w",
  };
}

/** The path within the job's directory, which is `/` to the job. */
function inside(path: string): string {
  if (path.includes("\0")) throw new RoostError("EINVAL", "a path cannot contain the character 0");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined)
      throw new RoostError("EACCES", `${path} is outside the job's directory; a job sees nothing above it`);
  }
  return parts.join("/");
}
