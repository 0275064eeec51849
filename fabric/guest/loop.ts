/**
 * What happens after the program's text has been evaluated: promise jobs (run by the machine), then timers, then the
 * end. The machine calls `started` once and then `tick` for ever; a tick never runs more than one callback.
 */

import { utf8Encode } from "../base/codec.ts";
import { LIMITS } from "../base/limits.ts";
import { errorText, framesShown, inspect } from "./inspect.ts";
import { exit } from "./processes.ts";
import { call, print } from "./system.ts";

type Callback = (...args: unknown[]) => unknown;

interface Timer {
  readonly id: number;
  readonly run: Callback;
  readonly args: unknown[];
  /** Undefined: once. */
  readonly everyMs: number | undefined;
  dueMs: number;
}

/** Longer waits count as the shortest, as in browsers and Node. */
const DELAY_MS_MAX = 2 ** 31 - 1;
/** Given up when memory is exhausted, so that the report of it finds some. All zero: it costs no image a byte. */
const RESERVE_BYTES = 64 * 1024;

const now = Date.now;
const { then } = Promise.prototype;
const settled = Promise.resolve();

/** In due order, then in the order in which they were set. */
const timers: Timer[] = [];
let lastId = 0;
let moduleEnded = false;
const reserve = [new ArrayBuffer(RESERVE_BYTES)];
/** `process.exitCode`: what a normal end reports. */
export const ending = { status: undefined as number | undefined };

function schedule(timer: Timer) {
  let at = timers.length;
  while (at > 0 && (timers[at - 1] as Timer).dueMs > timer.dueMs) at--;
  timers.splice(at, 0, timer);
}

function set(run: unknown, delayMs: number, args: unknown[], repeat: boolean): number {
  if (typeof run !== "function") throw new TypeError(`a timer needs a function to call, not ${inspect(run)}`);
  const timer: Timer = {
    id: ++lastId,
    run: run as Callback,
    args,
    everyMs: repeat ? delayMs : undefined,
    dueMs: now() + delayMs,
  };
  schedule(timer);
  return timer.id;
}

/** At least 1 ms, as in Node: a timer never runs before an immediate set at the same time. */
function delay(ms: unknown): number {
  const n = Number(ms);
  return n >= 1 && n <= DELAY_MS_MAX ? Math.trunc(n) : 1;
}

export const setTimeout = (run: Callback, ms?: number, ...args: unknown[]) =>
  set(run, delay(ms), args, false);
export const setInterval = (run: Callback, ms?: number, ...args: unknown[]) =>
  set(run, delay(ms), args, true);
export const setImmediate = (run: Callback, ...args: unknown[]) => set(run, 0, args, false);

export function clearTimer(id?: number | null) {
  const at = timers.findIndex((timer) => timer.id === Number(id));
  if (at >= 0) timers.splice(at, 1);
}

export function queueMicrotask(run: () => unknown) {
  if (typeof run !== "function")
    throw new TypeError(`queueMicrotask needs a function to call, not ${inspect(run)}`);
  const job = () => guarded(run);
  Reflect.apply(then, settled, [job]);
}

/** An error in a callback is the program's end, as in Node. */
function guarded(run: () => unknown) {
  try {
    run();
  } catch (error) {
    endUncaught(error);
  }
}

export const hooks = {
  /** The module was evaluated: `value` is its promise, or what it threw. */
  started(threw: boolean, value: unknown) {
    if (threw) endUncaught(value);
    const ended = () => {
      moduleEnded = true;
    };
    if (value instanceof Promise) Reflect.apply(then, value, [ended, (error: unknown) => endUncaught(error)]);
    else ended();
  },
  /** No promise job is left. `rejected`: there is a promise that was rejected, and that nobody handles. */
  tick(rejected = false, reason?: unknown) {
    if (rejected) endUncaught(reason, "Uncaught (in a promise)");
    const next = timers[0];
    if (next) {
      if (next.dueMs > now()) call("sleep", { dueMs: next.dueMs });
      else runTimer(next);
    } else if (moduleEnded) exit(ending.status ?? 0);
    else {
      print(
        2,
        utf8Encode("Warning: the program's top-level await never settled, and nothing is left to do\n"),
      );
      exit(13);
    }
  },
};

function runTimer(timer: Timer) {
  timers.shift();
  if (timer.everyMs !== undefined) {
    timer.dueMs = now() + timer.everyMs;
    schedule(timer);
  }
  guarded(() => timer.run(...timer.args));
}

function endUncaught(error: unknown, what = "Uncaught"): never {
  print(2, utf8Encode(`${uncaughtText(error, what)}\n`));
  return exit(1);
}

function uncaughtText(error: unknown, what: string): string {
  if (!(error instanceof Error)) return `${what} ${inspect(error)}`;
  if (error.name === "InternalError" && error.message === "out of memory") {
    reserve.length = 0;
    const mib = LIMITS.guestMemoryBytes / 2 ** 20;
    return `ENOMEM: out of memory; a process may use ${mib} MiB unless its job asks for more\n${framesShown(error.stack ?? "")}`.trimEnd();
  }
  // Its further properties and causes too, but an error that only has its text is not put in brackets.
  const text = inspect(error);
  return `${what} ${text.startsWith("[") ? errorText(error) : text}`;
}
