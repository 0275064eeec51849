/**
 * All that the engine can reach outside its memory: some twenty functions, no file, no network, no clock but the one its
 * host gives. Everything is deterministic given the host's answers. In place of Emscripten's glue, so that making
 * an instance is synchronous and cheap, and the same in Node, pages and workers.
 */
import type { ErrorCode } from "../base/errors.ts";
import type { Borrowed, Value } from "./exports.ts";
import { type Instance, WASM_PAGE_BYTES } from "./instance.ts";
import { zoneNamed } from "./zone.ts";

/** What the host of one instance decides. */
export interface Host {
  /** Over it, the guest's allocations fail. */
  readonly memoryBytesMax: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** The name of an IANA time zone. */
  zone(): string;
  /** A host function was called with `count` values from `values` on. 0: undefined, or whatever it is when it suspends. */
  callHost(count: number, values: Borrowed): Value;
  /** The interrupt poll; true would end the program, so it is for suspending only, and always false. */
  pollInterrupt(): void;
  /** A promise was rejected that nobody handles; or, if it `isHandled`, somebody does after all. Both are values, as they are in memory. */
  promiseRejection(promise: bigint, reason: bigint, isHandled: boolean): void;
  /** The current segment of the stack is nearly used up. `checks`: the function that says so throws where the stack ends. */
  stackLow(checks: boolean): void;
}

/** Why an instance can never go on: thrown by imports through the engine's frames, caught by the machine. */
export class Halt extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Room beyond what was asked for: an eighth, so that a growing heap grows in few steps. */
const GROWTH = 1.125;
const ENOSYS = 52;

/** `self` is still being made, and passes from one host to the next: both are looked at when an import is called. */
export function createImports(self: Instance): WebAssembly.Imports {
  const text = (at: number) => {
    const { bytes } = self;
    const end = bytes.indexOf(0, at);
    return new TextDecoder().decode(bytes.subarray(at, Math.min(end, at + 200)));
  };
  const writeWords = (at: number, words: readonly number[]) =>
    new Int32Array(self.memory.buffer, at, words.length).set(words);

  const env = {
    call_host: (_context: number, _self: Borrowed, count: number, values: Borrowed): Value =>
      self.host.callHost(count, values),
    poll_interrupt: (): number => {
      self.host.pollInterrupt();
      return 0;
    },
    promise_rejection: (_context: number, promise: bigint, reason: bigint, isHandled: number) =>
      self.host.promiseRejection(promise, reason, isHandled !== 0),
    stack_low: (checks: number) => self.host.stackLow(checks !== 0),
    free_host_ref: () => {}, // there is one host function, and it is never freed
    load_module: () => 0, // programs are bundled; "roost" is loaded before they start
    normalize_module: () => 0,

    date_now: () => self.host.now(),
    /** Fills a C `struct tm` with local time. */
    localtime: (utc: bigint, tm: number) => {
      const offset = zoneNamed(self.host.zone()).offsetSeconds(Number(utc));
      const local = new Date((Number(utc) + offset) * 1000);
      const year = local.getUTCFullYear();
      const dayOfYear = Math.floor((local.getTime() - new Date(0).setUTCFullYear(year)) / 86_400_000);
      const numbers = [
        local.getUTCSeconds(),
        local.getUTCMinutes(),
        local.getUTCHours(),
        local.getUTCDate(),
        local.getUTCMonth(),
        year - 1900,
        local.getUTCDay(),
        dayOfYear,
        0, // summer time is part of the offset
        offset,
      ];
      writeWords(tm, numbers);
    },
    /** The zone's two names and standard offset, which nothing in QuickJS reads: always UTC. */
    tzset: (timezone: number, daylight: number, standardName: number, summerName: number) => {
      writeWords(timezone, [0]);
      writeWords(daylight, [0]);
      for (const at of [standardName, summerName])
        new Uint8Array(self.memory.buffer, at, 4).set([0x55, 0x54, 0x43, 0]); // "UTC"
    },
    setitimer: () => 0,

    /** False leaves the guest with an allocation that failed, which it can catch. */
    resize_heap: (bytes: number) => {
      const wanted = bytes >>> 0;
      const { memoryBytesMax } = self.host;
      if (wanted <= self.memoryBytes) return 1;
      if (wanted > memoryBytesMax) return 0;
      const target = Math.min(wanted * GROWTH, memoryBytesMax);
      try {
        self.resize(Math.ceil(target / WASM_PAGE_BYTES) * WASM_PAGE_BYTES);
        return 1;
      } catch {
        return 0; // the host itself has no more
      }
    },

    environ_sizes_get: (count: number, bytes: number) => {
      writeWords(count, [0]);
      writeWords(bytes, [0]);
      return 0;
    },
    environ_get: () => 0,
    fd_write: () => ENOSYS,
    fd_seek: () => ENOSYS,
    fd_close: () => ENOSYS,

    abort: () => {
      throw new Halt("EIO", "the interpreter aborted");
    },
    assert_fail: (condition: number, _file: number, line: number) => {
      throw new Halt("EIO", `the interpreter found itself broken (${text(condition)}, line ${line})`);
    },
    exit: (status: number) => {
      throw new Halt("EIO", `the interpreter ended itself (${status})`);
    },
    keepalive_clear: () => {},
  };
  return { env };
}
