/**
 * Types for job programs: the module "roost" and the globals that every job has.
 *
 * In a job's tsconfig: `"lib": ["ES2023"], "types": []` and this file among `files`. Durations and times are in
 * milliseconds, sizes in bytes. Every call that fails throws `RoostError`; its `code` says what was wrong, its message
 * what to do. Calls block the process, never its host; a process may have moved when one returns.
 */

declare module "roost" {
  /** What the codes mean: fabric/base/errors.ts. */
  export type ErrorCode =
    | "EACCES"
    | "EAGAIN"
    | "EBADF"
    | "ECHILD"
    | "EEXIST"
    | "EINVAL"
    | "EIO"
    | "EISDIR"
    | "EMFILE"
    | "ENOENT"
    | "ENOHOST"
    | "ENOMEM"
    | "ENOSYS"
    | "ENOTDIR"
    | "ENOTEMPTY"
    | "EPERM"
    | "ESRCH"
    | "ETIMEDOUT"
    | "EVERSION";

  /** Thrown by every call of this module that fails. */
  export class RoostError extends Error {
    constructor(code: ErrorCode, message: string, options?: ErrorOptions);
    override readonly name: "RoostError";
    readonly code: ErrorCode;
  }

  export type SignalName =
    | "SIGTERM"
    | "SIGINT"
    | "SIGKILL"
    | "SIGSTOP"
    | "SIGCONT"
    | "SIGUSR1"
    | "SIGUSR2"
    | "SIGCHLD";

  /**
   * Where a child runs: `"any"` idle host, else the one with the least to do; `"remote"`: another host than the
   * launcher's, `"local"`: the launcher's, or a host's id: it waits until that takes it, or goes elsewhere when that is gone.
   */
  export type Placement = "any" | "remote" | "local" | (string & {});

  /** How a child ended. */
  export interface ChildEnd {
    pid: number;
    /** What it gave to `exit`: 0 to 255. */
    status: number;
    /** The signal that ended it, or null. */
    signal: SignalName | null;
    /** The value it gave to `exit`, copied; undefined if none. */
    value: unknown;
  }

  export interface Host {
    id: string;
    /** For people. */
    name: string;
    /** Whether it would take a process now. */
    free: boolean;
    /** Whether the caller runs there. */
    here: boolean;
  }

  /**
   * Copies this process, as UNIX does: heap, call stack, closures, pending promises and timers.
   * @returns 0 in the child, the child's pid in the parent.
   * @throws EAGAIN (the job has as many processes as it may), ENOHOST (`on` names no host of this job, or one that does not answer).
   */
  export function fork(options?: { on?: Placement }): number;

  /**
   * Blocks until a child ends. Each end is reported once.
   * @param options `timeout` in milliseconds; 0 only looks.
   * @returns null when the time is up.
   * @throws ECHILD (there is no child).
   */
  export function wait(): ChildEnd;
  export function wait(options: { timeout?: number }): ChildEnd | null;

  /** The same for one child. @throws ECHILD (`pid` is not a child of this process, or its end was reported). */
  export function waitpid(pid: number): ChildEnd;
  export function waitpid(pid: number, options: { timeout?: number }): ChildEnd | null;

  /**
   * Ends this process. Its open files are closed, its children go to the job's first process. A program that is through ends
   * with 0; one with an error that nobody catches, or a promise that is rejected and that nobody handles, says so and ends with 1.
   * @param status A whole number, of which the lowest 8 bits count; 0 is success.
   * @param value For the parent's `wait`: JSON's types, undefined, bigint, Date, RegExp, Map, Set, typed arrays,
   *   errors, shared references, cycles. Other objects arrive as plain ones.
   * @throws EINVAL naming the path to what cannot be copied (functions, symbols, promises).
   */
  export function exit(status?: number, value?: unknown): never;

  /** This process's number: the same for its whole life, on every host. */
  export function getpid(): number;
  export function getppid(): number;
  /** The name of the host this process is on: the one thing that a move changes. */
  export function hostname(): string;

  /**
   * Sends a signal (default SIGTERM) to a process of this job, wherever it is; -1: to all but this one. Without a handler,
   * SIGSTOP stops and SIGCONT continues a process, SIGCHLD (sent to the parent when a child ends) does nothing, and the others end it.
   * @throws ESRCH (no such process is alive).
   */
  export function kill(pid: number, signal?: SignalName): void;

  /**
   * Calls `handler` when the signal comes: while a call of this module blocks, which then goes on, or at the next call;
   * never in the middle of other code. Signals of one kind that come before the handler has run count as one. What it
   * throws is thrown by that call. A forked child starts with the same handlers.
   * @param handler null: the signal does what it does by itself.
   * @returns the handler before, or null.
   * @throws EINVAL (SIGKILL and SIGSTOP cannot be handled).
   */
  export function on(
    signal: SignalName,
    handler: ((signal: SignalName) => unknown) | null,
  ): ((signal: SignalName) => unknown) | null;

  /** Blocks for this many milliseconds, at no cost to the host. Timers do not run meanwhile. */
  export function sleep(ms: number): void;

  /** The hosts that this job may use now. */
  export function hosts(): Host[];

  /**
   * Moves this process, now; without an id, to where the home thinks best. Should the host be lost on the way, it goes
   * elsewhere.
   * @throws ENOHOST (none of this job's, or one that takes nothing or has too little memory for it).
   */
  export function migrate(hostId?: string): void;

  /**
   * Calls `fn` for every item, in forked children that each take a run of the items, and collects what it returns, in order.
   * `fn` sees everything that it sees here; only results are copied. An error in it is thrown here, with its own stack,
   * after the other children have been ended.
   * @param options `on` as for `fork`; `chunks`: how many children (default: 2 for each host, at most 64).
   */
  export function map<T, R>(
    items: Iterable<T>,
    fn: (item: T, index: number) => R,
    options?: { on?: Placement; chunks?: number },
  ): R[];

  /** Numbers and strings are different tags: 1 is not "1". */
  export type Tag = string | number;

  export interface Message {
    /** The sender's pid. */
    from: number;
    tag: Tag;
    /** A copy, of the kinds that `exit` knows. */
    value: unknown;
  }

  /**
   * Sends a copy of a value. Messages from one process to another arrive in the order of sending, each exactly once, however
   * often both move. Blocks only while the receiver's mailbox is full (65,536 messages or 32 MiB).
   * @throws ESRCH (a receiver is not alive). Once a process has been sent to, a message it ends without having read is lost, silently.
   */
  export function send(to: number | readonly number[], tag: Tag, value?: unknown): void;

  /**
   * The first message in the mailbox that fits; blocks until there is one.
   * @param options `from` a pid, `tag` a tag: without one, any will do. `timeout` in milliseconds; 0 only looks.
   * @returns null when the time is up.
   */
  export function recv(options?: { from?: number; tag?: Tag }): Message;
  export function recv(options: { from?: number; tag?: Tag; timeout?: number }): Message | null;

  /** Whether there is such a message, without taking it. */
  export function probe(options?: {
    from?: number;
    tag?: Tag;
  }): { from: number; tag: Tag; bytes: number } | null;

  /**
   * Asks for a message from that process when it ends, with the given tag (default "exit") and
   * `{ pid, status, signal }` as its value; at once if it has ended. @throws ESRCH (there never was such a process).
   */
  export function notify(pid: number, tag?: Tag): void;

  /** Processes that do things together, known by a name within the job. Ranks are given by joining: the lowest that is free. */
  export interface Group {
    readonly name: string;
    /** Makes this process a member, until it leaves or ends. @returns its rank; the same if it was a member. */
    join(): number;
    leave(): void;
    /** How many members there are. */
    size(): number;
    /** This process's. @throws EINVAL (it is no member). */
    rank(): number;
    /** Their pids, in the order of their ranks. */
    members(): number[];
    /**
     * Blocks until all members, or `count` of them, have called it. With a count it makes sure that all have joined, which
     * the calls below take for granted. For this and all calls below: @throws EINVAL (this process is no member; another member
     * is in another of these calls).
     */
    barrier(count?: number): void;
    /** Every member gets the value of the one of rank `root` (default 0). */
    bcast<T>(value?: T, root?: number): T;
    /** The member of rank `root` gets all values, in the order of ranks; the others null. */
    gather<T>(value: T, root?: number): T[] | null;
    /** Every member gets one of the values that the member of rank `root` gives, by its rank. */
    scatter<T>(values?: readonly T[] | null, root?: number): T;
    /** The member of rank `root` gets all values combined, two by two in the order of ranks; the others null. */
    reduce<T>(value: T, combine: (a: T, b: T) => T, root?: number): T | null;
    /** All get that. */
    allreduce<T>(value: T, combine: (a: T, b: T) => T): T;
  }
  export function group(name: string): Group;

  /**
   * Bulk-synchronous parallel programs, in supersteps. Each process has registers, by name. All but `run` are for the function
   * that `run` runs; every process must call `sync` equally often.
   */
  export const bsp: {
    /** Runs `body` in `size` forked children. @returns what each returned, by rank. An error in one is thrown here. */
    run<R>(size: number, body: (rank: number, size: number) => R, options?: { on?: Placement }): R[];
    rank(): number;
    size(): number;
    /** Sets a register of that process, from the next superstep on. */
    put(rank: number, name: string, value: unknown): void;
    /** What that process's register holds at the end of this superstep, before anything is put: `value` is there after `sync`. */
    get<T = unknown>(rank: number, name: string): { readonly value: T };
    /** This process's own register, now; undefined if nothing was put there. */
    get<T = unknown>(name: string): T;
    /** Ends the superstep: blocks until all have called it. */
    sync(): void;
  };

  /** In a template: a value that a tuple's field must equal, a class (`Number` `String` `Array` `Map` …) or `space.any`. */
  type Formal<T> = T extends abstract new (
    ...args: never[]
  ) => infer V
    ? V extends number
      ? number
      : V extends string
        ? string
        : V extends boolean
          ? boolean
          : V
    : T extends typeof BigInt
      ? bigint
      : T extends symbol
        ? unknown
        : T;
  type Found<T extends readonly unknown[]> = { -readonly [N in keyof T]: Formal<T[N]> };

  /** Linda's tuple space of the job. Fields are equal when all of their contents are. */
  export const space: {
    /** Fits any value. */
    readonly any: unique symbol;
    /** Leaves a tuple. @throws EAGAIN (the space is full: 64 MiB). */
    out(...fields: unknown[]): void;
    /** Takes a tuple that fits; blocks until there is one. */
    in<const T extends readonly unknown[]>(...template: T): Found<T>;
    /** Reads one, and leaves it there. */
    rd<const T extends readonly unknown[]>(...template: T): Found<T>;
    /** As `in` and `rd`, but null at once where nothing fits. */
    inp<const T extends readonly unknown[]>(...template: T): Found<T> | null;
    rdp<const T extends readonly unknown[]>(...template: T): Found<T> | null;
    /** Forks a process that calls those fields that are functions, and leaves the tuple. @returns its pid. */
    eval(...fields: unknown[]): number;
  };

  /** A line of standard input without its end; null at the end of input. */
  export function readline(): string | null;

  type Encoding = "utf8" | "utf-8";
  type Data = string | ArrayBufferView | ArrayBuffer;
  type OpenFlags = "r" | "r+" | "w" | "wx" | "w+" | "wx+" | "a" | "ax" | "a+" | "ax+";

  interface Entry {
    isFile(): boolean;
    isDirectory(): boolean;
    isSymbolicLink(): boolean;
  }
  export interface Stats extends Entry {
    readonly size: number;
    readonly mtimeMs: number;
    readonly mtime: Date;
  }
  export interface Dirent extends Entry {
    readonly name: string;
    readonly parentPath: string;
  }
  interface Range {
    offset?: number;
    length?: number;
    /** In the file; null or left out: at the descriptor's offset, which advances. */
    position?: number | null;
  }

  /**
   * The job's directory, as Node's `fs` shows one; `/` is its root and nothing is outside it (EACCES). The files are
   * at the job's home, the same from every host. Parent and child share the offsets of files opened before a fork.
   */
  export const fs: {
    /** At most 32 MiB at once; larger files are read in parts, with `openSync` and `readSync`. */
    readFileSync(path: string, options: Encoding | { encoding: Encoding }): string;
    readFileSync(path: string, options?: { encoding?: null } | null): Uint8Array;
    writeFileSync(
      path: string,
      data: Data,
      options?: Encoding | { encoding?: Encoding; flag?: "w" | "wx" | "a" },
    ): void;
    appendFileSync(path: string, data: Data, options?: Encoding | { encoding?: Encoding }): void;
    /** @returns a descriptor for the calls below. */
    openSync(path: string, flags?: OpenFlags): number;
    /** @returns how many bytes were read: fewer than asked for near the end or for large reads, 0 at the end. */
    readSync(
      fd: number,
      buffer: ArrayBufferView,
      offset?: number | null,
      length?: number | null,
      position?: number | null,
    ): number;
    readSync(fd: number, buffer: ArrayBufferView, range?: Range): number;
    /** @returns how many bytes were written. Descriptors 1 and 2 are the terminal. */
    writeSync(fd: number, text: string, position?: number | null, encoding?: Encoding): number;
    writeSync(
      fd: number,
      buffer: ArrayBufferView,
      offset?: number | null,
      length?: number | null,
      position?: number | null,
    ): number;
    writeSync(fd: number, buffer: ArrayBufferView, range?: Range): number;
    closeSync(fd: number): void;
    statSync(path: string, options?: { throwIfNoEntry?: true }): Stats;
    statSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
    /** In the order of the names. */
    readdirSync(path: string, options: { withFileTypes: true }): Dirent[];
    readdirSync(path: string, options?: { withFileTypes?: false }): string[];
    mkdirSync(path: string, options?: { recursive?: boolean }): void;
    unlinkSync(path: string): void;
    renameSync(from: string, to: string): void;
    /** Never throws. */
    existsSync(path: string): boolean;
  };
}

/** Text as in Node: %s %d %i %f %j %o %O, then values laid out for people. One call is one write. */
declare const console: {
  /** log, info and debug go to the launcher's stdout; warn, error and trace to its stderr. */
  log(...args: unknown[]): void;
  info(...args: unknown[]): void;
  debug(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  error(...args: unknown[]): void;
  trace(...args: unknown[]): void;
  dir(value: unknown, options?: { depth?: number | null }): void;
  /** What an array, a Map, a Set or an object holds, one row each; `columns`: of them only these. */
  table(data: unknown, columns?: readonly string[]): void;
  assert(condition?: unknown, ...args: unknown[]): void;
  group(...args: unknown[]): void;
  groupCollapsed(...args: unknown[]): void;
  groupEnd(): void;
  count(label?: string): void;
  countReset(label?: string): void;
  time(label?: string): void;
  timeLog(label?: string, ...args: unknown[]): void;
  timeEnd(label?: string): void;
};

declare const process: {
  /** `["roost", the program's file, …its arguments]`. */
  readonly argv: string[];
  readonly env: Record<string, string>;
  readonly pid: number;
  readonly ppid: number;
  readonly platform: "roost";
  /** The status of a normal end of the program. */
  exitCode: number | undefined;
  exit(status?: number): never;
  cwd(): "/";
  readonly stdout: { readonly fd: 1; readonly isTTY: false; write(data: string | Uint8Array): boolean };
  readonly stderr: { readonly fd: 2; readonly isTTY: false; write(data: string | Uint8Array): boolean };
  /** [seconds, nanoseconds] of a clock that never steps back, as exact as the home's: milliseconds. */
  readonly hrtime: {
    (since?: readonly [number, number]): [number, number];
    bigint(): bigint;
  };
};

declare const performance: {
  /** Milliseconds since 1970 at which this process first asked. */
  readonly timeOrigin: number;
  /** Milliseconds since then; never steps back, whatever host the process is on. */
  now(): number;
};

type TimerCallback<A extends unknown[]> = (...args: A) => unknown;
declare function setTimeout<A extends unknown[]>(run: TimerCallback<A>, ms?: number, ...args: A): number;
declare function setInterval<A extends unknown[]>(run: TimerCallback<A>, ms?: number, ...args: A): number;
declare function setImmediate<A extends unknown[]>(run: TimerCallback<A>, ...args: A): number;
declare function clearTimeout(id?: number | null): void;
declare function clearInterval(id?: number | null): void;
declare function clearImmediate(id?: number | null): void;
declare function queueMicrotask(run: () => unknown): void;

/** A deep copy. @throws DOMException (DataCloneError) naming the path to what cannot be copied. */
declare function structuredClone<T>(value: T, options?: { transfer?: ArrayBuffer[] }): T;
declare function atob(text: string): string;
declare function btoa(binary: string): string;

declare const crypto: {
  /** Fills an array of integers, at most 65,536 bytes, from the host's cryptographic source. */
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
};

declare class TextEncoder {
  readonly encoding: "utf-8";
  encode(input?: string): Uint8Array;
  encodeInto(source: string, target: Uint8Array): { read: number; written: number };
}

/** UTF-8 only. */
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(input?: ArrayBufferView | ArrayBuffer, options?: { stream?: boolean }): string;
}

declare class DOMException extends Error {
  constructor(message?: string, name?: string);
  readonly code: number;
}

declare class Event {
  constructor(type: string, init?: { bubbles?: boolean; cancelable?: boolean });
  readonly type: string;
  readonly target: EventTarget | null;
  readonly defaultPrevented: boolean;
  preventDefault(): void;
  stopImmediatePropagation(): void;
}

type EventListener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown };
declare class EventTarget {
  addEventListener(
    type: string,
    listener: EventListener | null,
    options?: boolean | { once?: boolean },
  ): void;
  removeEventListener(type: string, listener: EventListener | null): void;
  dispatchEvent(event: Event): boolean;
}

declare class AbortSignal extends EventTarget {
  private constructor();
  static abort(reason?: unknown): AbortSignal;
  static timeout(ms: number): AbortSignal;
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  readonly aborted: boolean;
  readonly reason: unknown;
  onabort: ((event: Event) => unknown) | null;
  throwIfAborted(): void;
}

declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}

declare class URLSearchParams {
  constructor(init?: string | Iterable<readonly [string, string]> | Record<string, string>);
  readonly size: number;
  append(name: string, value: string): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: string): void;
  sort(): void;
  forEach(run: (value: string, name: string, all: URLSearchParams) => void): void;
  keys(): IterableIterator<string>;
  values(): IterableIterator<string>;
  entries(): IterableIterator<[string, string]>;
  [Symbol.iterator](): IterableIterator<[string, string]>;
  toString(): string;
}

declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string, base?: string): boolean;
  static parse(url: string, base?: string): URL | null;
  href: string;
  readonly origin: string;
  protocol: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  search: string;
  readonly searchParams: URLSearchParams;
  hash: string;
  toString(): string;
  toJSON(): string;
}
