/** The conventional globals: what programs written for browsers and Node expect to find without importing it. */
import { Event, EventTarget } from "event-target-shim";
import { URL, URLSearchParams } from "whatwg-url-minimum";
import { utf8Encode } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import { AbortController, AbortSignal } from "./abort.ts";
import { console } from "./console.ts";
import { crypto } from "./crypto.ts";
import { atob, btoa, bytesOf, TextDecoder, TextEncoder } from "./encoding.ts";
import { DOMException } from "./exception.ts";
import { clearTimer, ending, queueMicrotask, setImmediate, setInterval, setTimeout } from "./loop.ts";
import { exit } from "./processes.ts";
import { call, identity, invalid, parentPid, print } from "./system.ts";
import { decodeValue, encodeValue } from "./value.ts";

const now = Date.now;

/** The clock of the moment this process first asked for it; at boot there is none yet. */
let timeOrigin: number | undefined;
/** Never steps back, even if the home's clock is set. */
let latest = 0;

export const performance = {
  get timeOrigin(): number {
    timeOrigin ??= now();
    return timeOrigin;
  },
  now(): number {
    latest = Math.max(latest, now() - performance.timeOrigin);
    return latest;
  },
};

/** A line of standard input without its end; null at the end of input. */
export function readline(): string | null {
  return call("readLine", undefined).line ?? null;
}

const stream = (fd: 1 | 2) => ({
  fd,
  isTTY: false,
  write(data: string | Uint8Array): boolean {
    const bytes = typeof data === "string" ? utf8Encode(data) : bytesOf(data);
    if (!bytes) throw invalid("write: pass a string or bytes");
    print(fd, bytes);
    return true;
  },
});

function hrtime(since?: readonly [number, number]): [number, number] {
  const ms = performance.timeOrigin + performance.now();
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = Math.round((ms % 1000) * 1e6);
  if (!since) return [seconds, nanoseconds];
  const borrow = nanoseconds < since[1] ? 1 : 0;
  return [seconds - since[0] - borrow, nanoseconds - since[1] + borrow * 1e9];
}
hrtime.bigint = (): bigint => {
  const [seconds, nanoseconds] = hrtime();
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
};

export const process = {
  platform: "roost",
  stdout: stream(1),
  stderr: stream(2),
  hrtime,
  cwd: () => "/",
  get pid() {
    return identity().pid;
  },
  get ppid() {
    return parentPid();
  },
  get argv() {
    return identity().argv;
  },
  get env() {
    return identity().env;
  },
  get exitCode() {
    return ending.status;
  },
  set exitCode(status: number | undefined) {
    if (status !== undefined && !Number.isInteger(status))
      throw invalid(`process.exitCode must be a whole number, not ${String(status)}`);
    ending.status = status;
  },
  exit: (status?: number): never => exit(status ?? ending.status ?? 0),
};

/** A deep copy, by the codec that carries values between processes. */
function structuredClone<T>(value: T, options: { transfer?: ArrayBuffer[] } = {}): T {
  try {
    const copy = decodeValue(encodeValue(value)) as T;
    for (const buffer of options.transfer ?? []) (buffer as ArrayBuffer & { transfer(): unknown }).transfer();
    return copy;
  } catch (error) {
    if (error instanceof RoostError) throw new DOMException(error.message, "DataCloneError");
    throw error;
  }
}

const GLOBALS: Record<string, unknown> = {
  AbortController,
  AbortSignal,
  atob,
  btoa,
  clearImmediate: clearTimer,
  clearInterval: clearTimer,
  clearTimeout: clearTimer,
  console,
  crypto,
  DOMException,
  Event,
  EventTarget,
  performance,
  process,
  queueMicrotask,
  setImmediate,
  setInterval,
  setTimeout,
  structuredClone,
  TextDecoder,
  TextEncoder,
  URL,
  URLSearchParams,
};

/** Puts them where the language's own are: not enumerable, and free to be replaced by a program. */
export function installGlobals() {
  for (const [name, value] of Object.entries(GLOBALS))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}
