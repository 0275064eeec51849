/**
 * The way out of the interpreter: one function that the machine gave us at boot, and what every part of the library
 * does with it. A call blocks the whole process; the process may be elsewhere when it returns.
 */
import { RoostError } from "../base/errors.ts";
import {
  type CallAnswer,
  type CallArgs,
  type CallName,
  decodeAnswer,
  encodeCall,
  type SignalName,
  takeSignals,
} from "../wire/calls.ts";
import { programFrames } from "./inspect.ts";

// Taken now: the machine deletes the global once the library is there.
const { __sys: sys } = globalThis as unknown as { readonly __sys: (request: ArrayBuffer) => ArrayBuffer };

/** One posted write; below it output stays in few messages, above it the terminal would see it late. */
const PRINT_BYTES_MAX = 64 * 1024;

/**
 * Makes a system call; throws its RoostError, with the program's own frames as the stack. Signal handlers run here: when
 * a call is done, or in the middle of one that blocks, which then goes on.
 */
export function call<N extends CallName>(name: N, args: CallArgs<N>): CallAnswer<N> {
  return callWith(name, request(name, args));
}

/** The same, with a request made before. */
export function callWith<N extends CallName>(name: N, bytes: ArrayBuffer): CallAnswer<N> {
  for (;;) {
    const { signals, answer } = takeSignals(new Uint8Array(sys(bytes)));
    const result = answer && decodeAnswer(name, answer);
    if (signals.length > 0) deliver(signals);
    if (result instanceof RoostError) throw asThrownByProgram(result);
    if (answer) return result as CallAnswer<N>;
  }
}

export type SignalHandler = (signal: SignalName) => unknown;
/** The program's own handlers; the home knows for which signals there is one. */
export const signalHandlers = new Map<SignalName, SignalHandler>();
/** A handler is not interrupted by its own signal, as in UNIX: that waits here. */
const handling = new Set<SignalName>();
const held = new Set<SignalName>();

function deliver(signals: readonly SignalName[]) {
  for (const signal of signals) {
    if (handling.has(signal)) held.add(signal);
    else handle(signal);
  }
}

function handle(signal: SignalName) {
  handling.add(signal);
  try {
    do {
      held.delete(signal);
      signalHandlers.get(signal)?.(signal);
    } while (held.has(signal));
  } finally {
    handling.delete(signal);
    held.delete(signal);
  }
}

export function request<N extends CallName>(name: N, args: CallArgs<N>): ArrayBuffer {
  try {
    const bytes = encodeCall(name, args);
    const { buffer } = bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
    return buffer as ArrayBuffer;
  } catch (error) {
    // The codecs hold every argument to its limit.
    if (error instanceof RangeError) throw invalid(`${name}: ${error.message}; pass less at a time`);
    throw error;
  }
}

export function invalid(message: string): RoostError {
  return asThrownByProgram(new RoostError("EINVAL", message));
}

function asThrownByProgram(error: RoostError): RoostError {
  const value = programFrames(error.stack ?? "");
  Object.defineProperty(error, "stack", { value, writable: true, configurable: true });
  return error;
}

/** Writes to the terminal: 1 is stdout, 2 is stderr. */
export function print(fd: 1 | 2, data: Uint8Array) {
  for (let at = 0; at < data.length; at += PRINT_BYTES_MAX)
    call("print", { fd, data: data.subarray(at, at + PRINT_BYTES_MAX) });
}

/** What `identify` told; after a fork the child is another, with the same arguments and environment. */
let self: { pid: number; argv: string[]; env: Record<string, string> } | undefined;

export function identity() {
  if (!self) {
    const { pid, argv, env } = call("identify", undefined);
    self = { pid, argv, env: Object.fromEntries(env.map(({ name, value }) => [name, value])) };
  }
  return self;
}

/** Asked anew each time: when its parent has ended, a process has another. */
export const parentPid = () => call("identify", undefined).ppid;

export function becomeCopy(pid: number) {
  if (self) self = { ...self, pid };
}
