/** The job's files, under Node's synchronous names. They are at the home; what its host has been lent of them is answered there. */
import { utf8Decode, utf8Encode } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import { OPEN_FLAGS } from "../wire/calls.ts";
import { bytesOf } from "./encoding.ts";
import { call, invalid, print } from "./system.ts";

/** What one read or write call moves: far below the limit of a call, large enough that its round trip is cheap. */
const PIECE_BYTES = 4 * 1024 * 1024;

type OpenFlags = (typeof OPEN_FLAGS)[number];
type Encoding = "utf8" | "utf-8";
type EncodingOption = Encoding | { encoding?: Encoding | null; flag?: string } | null | undefined;
type Data = string | ArrayBufferView | ArrayBuffer;

class Entry {
  readonly #directory: boolean;
  constructor(kind: "file" | "directory") {
    this.#directory = kind === "directory";
  }
  isFile() {
    return !this.#directory;
  }
  isDirectory() {
    return this.#directory;
  }
  isSymbolicLink() {
    return false; // the home follows them
  }
}

class Stats extends Entry {
  readonly size: number;
  readonly mtimeMs: number;
  constructor(kind: "file" | "directory", size: number, mtimeMs: number) {
    super(kind);
    this.size = size;
    this.mtimeMs = mtimeMs;
  }
  get mtime() {
    return new Date(this.mtimeMs);
  }
}

class Dirent extends Entry {
  readonly name: string;
  readonly parentPath: string;
  constructor(kind: "file" | "directory", name: string, parentPath: string) {
    super(kind);
    this.name = name;
    this.parentPath = parentPath;
  }
}

function readFileSync(path: string, options: { encoding: Encoding } | Encoding): string;
function readFileSync(path: string, options?: { encoding?: null } | null): Uint8Array;
function readFileSync(path: string, options?: EncodingOption): string | Uint8Array {
  const isText = encodingOf(options);
  const { data } = call("readFile", { path: checkedPath(path) });
  return isText ? utf8Decode(data) : data.slice(); // a copy: `data` is a view of the whole answer
}

function writeFileSync(path: string, data: Data, options?: EncodingOption) {
  writeWhole(path, data, flagOf(options) ?? "w", options);
}

function appendFileSync(path: string, data: Data, options?: EncodingOption) {
  writeWhole(path, data, flagOf(options) ?? "a", options);
}

function writeWhole(path: string, data: Data, flags: string, options: EncodingOption) {
  encodingOf(options);
  if (flags !== "w" && flags !== "wx" && flags !== "a")
    throw invalid(`"${flags}" is no flag for writing a whole file; use "w", "wx" or "a"`);
  const bytes = dataBytes(data);
  call("writeFile", { path: checkedPath(path), flags, data: bytes.subarray(0, PIECE_BYTES) });
  for (let at = PIECE_BYTES; at < bytes.length; at += PIECE_BYTES)
    call("writeFile", { path, flags: "a", data: bytes.subarray(at, at + PIECE_BYTES) });
}

function openSync(path: string, flags = "r"): number {
  if (!OPEN_FLAGS.includes(flags as OpenFlags))
    throw invalid(`"${String(flags)}" is no way to open a file; use one of ${OPEN_FLAGS.join(", ")}`);
  return call("open", { path: checkedPath(path), flags: flags as OpenFlags }).fd;
}

interface Range {
  offset?: number;
  length?: number;
  position?: number | null;
}

function readSync(
  fd: number,
  buffer: ArrayBufferView,
  offset?: number | Range | null,
  length?: number | null,
  position?: number | null,
): number {
  const range = rangeOf(buffer, offset, length, position);
  const wanted = Math.min(range.target.length, PIECE_BYTES);
  if (wanted === 0) return 0;
  const { data } = call("read", { fd: checkedFd(fd), length: wanted, position: range.position });
  range.target.set(data);
  return data.length;
}

function writeSync(fd: number, text: string, position?: number | null, encoding?: Encoding): number;
function writeSync(
  fd: number,
  buffer: ArrayBufferView,
  offset?: number | Range | null,
  length?: number | null,
  position?: number | null,
): number;
function writeSync(
  fd: number,
  data: string | ArrayBufferView,
  offset?: number | Range | null,
  length?: number | string | null,
  position?: number | null,
): number {
  const isText = typeof data === "string";
  if (isText && typeof length === "string") encodingOf(length as Encoding);
  const source = isText
    ? rangeOf(utf8Encode(data), { position: typeof offset === "number" ? offset : null })
    : rangeOf(data, offset, length as number | null | undefined, position);
  if (fd === 1 || fd === 2) {
    print(fd, source.target);
    return source.target.length;
  }
  let done = 0;
  do {
    const { written } = call("write", {
      fd: checkedFd(fd),
      data: source.target.subarray(done, done + PIECE_BYTES),
      position: source.position === undefined ? undefined : source.position + done,
    });
    done += written;
    if (written === 0) break;
  } while (done < source.target.length);
  return done;
}

function closeSync(fd: number) {
  call("close", { fd: checkedFd(fd) });
}

function statSync(path: string, options?: { throwIfNoEntry?: true }): Stats;
function statSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
function statSync(path: string, options: { throwIfNoEntry?: boolean } = {}): Stats | undefined {
  try {
    const { kind, size, modified } = call("stat", { path: checkedPath(path) });
    return new Stats(kind, size, modified);
  } catch (error) {
    if (options.throwIfNoEntry === false && error instanceof RoostError && error.code === "ENOENT")
      return undefined;
    throw error;
  }
}

function readdirSync(path: string, options: { withFileTypes: true }): Dirent[];
function readdirSync(path: string, options?: { withFileTypes?: false }): string[];
function readdirSync(path: string, options: { withFileTypes?: boolean } = {}): Dirent[] | string[] {
  const { entries } = call("readDirectory", { path: checkedPath(path) });
  // By name, so that a program does the same whatever the home's file system.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return options.withFileTypes
    ? entries.map(({ name, kind }) => new Dirent(kind, name, path))
    : entries.map(({ name }) => name);
}

function mkdirSync(path: string, options?: { recursive?: boolean } | number) {
  const recursive = typeof options === "object" && options !== null && options.recursive === true;
  call("makeDirectory", { path: checkedPath(path), recursive });
}

function unlinkSync(path: string) {
  call("unlink", { path: checkedPath(path) });
}

function renameSync(from: string, to: string) {
  call("rename", { from: checkedPath(from), to: checkedPath(to) });
}

/** Never throws: what cannot be seen does not exist. */
function existsSync(path: string): boolean {
  try {
    call("stat", { path: checkedPath(path) });
    return true;
  } catch (error) {
    if (error instanceof RoostError) return false;
    throw error;
  }
}

export const fs = {
  readFileSync,
  writeFileSync,
  appendFileSync,
  openSync,
  readSync,
  writeSync,
  closeSync,
  statSync,
  readdirSync,
  mkdirSync,
  unlinkSync,
  renameSync,
  existsSync,
};

function checkedPath(path: string): string {
  if (typeof path === "string" && path !== "" && !path.includes("\0")) return path;
  throw invalid(
    `a path must be a non-empty string without NUL, not ${typeof path === "string" ? JSON.stringify(path) : typeof path}`,
  );
}

function checkedFd(fd: number): number {
  if (Number.isSafeInteger(fd) && fd >= 0) return fd;
  throw invalid(`${String(fd)} is no open file; pass what openSync gave`);
}

function encodingOf(options: EncodingOption): boolean {
  const encoding = typeof options === "object" && options !== null ? options.encoding : options;
  if (encoding === undefined || encoding === null) return false;
  if (encoding === "utf8" || encoding === "utf-8") return true;
  throw invalid(`"${String(encoding)}" is no encoding here; use "utf8", or none and a Uint8Array`);
}

const flagOf = (options: EncodingOption) =>
  typeof options === "object" && options !== null ? options.flag : undefined;

function dataBytes(data: Data): Uint8Array {
  if (typeof data === "string") return utf8Encode(data);
  const bytes = bytesOf(data);
  if (bytes) return bytes;
  throw invalid("data to write must be a string, a typed array, a DataView or an ArrayBuffer");
}

/** Both of Node's forms: (offset, length, position), or one object of them. */
function rangeOf(
  buffer: ArrayBufferView,
  first?: number | Range | null,
  length?: number | null,
  position?: number | null,
): { target: Uint8Array; position: number | undefined } {
  const all = bytesOf(buffer);
  if (!all) throw invalid("the buffer must be a typed array or a DataView");
  const range: Range = typeof first === "object" && first !== null ? first : {};
  const from = range.offset ?? (typeof first === "number" ? first : 0);
  const count = range.length ?? length ?? all.length - from;
  if (
    !(
      Number.isInteger(from) &&
      Number.isInteger(count) &&
      from >= 0 &&
      count >= 0 &&
      from + count <= all.length
    )
  )
    throw invalid(`${count} bytes from offset ${from} do not lie in a buffer of ${all.length}`);
  const at = range.position ?? position ?? undefined;
  if (at !== undefined && !(Number.isSafeInteger(at) && at >= -1))
    throw invalid(`${String(at)} is no position in a file`);
  return { target: all.subarray(from, from + count), position: at === -1 ? undefined : at };
}
