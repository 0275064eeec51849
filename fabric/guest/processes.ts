/** Processes as UNIX has them: fork, wait, exit, and what is built of them. */
import { RoostError } from "../base/errors.ts";
import { type CallAnswer, SIGNALS, type SignalName, type ChildEnd as WireChildEnd } from "../wire/calls.ts";
import {
  becomeCopy,
  call,
  identity,
  invalid,
  parentPid,
  type SignalHandler,
  signalHandlers,
} from "./system.ts";
import { decodeValue, encodeValue } from "./value.ts";

/** Children of one `map` unless the caller says otherwise: enough to level out unequal chunks, far from any limit. */
const CHUNKS_PER_HOST = 2;
const CHUNKS_MAX = 64;

const now = Date.now;

export interface ChildEnd {
  pid: number;
  status: number;
  signal: SignalName | null;
  value: unknown;
}

export function fork({ on = "any" }: { on?: string } = {}): number {
  if (typeof on !== "string") throw invalid('fork: `on` must be "any", "remote", "local" or a host\'s id');
  const { child, self } = call("fork", { on });
  if (child === 0) becomeCopy(self);
  return child;
}

export const wait = (options?: { timeout?: number }): ChildEnd | null => waitFor(-1, options);

export function waitpid(pid: number, options?: { timeout?: number }): ChildEnd | null {
  return waitFor(checkedPid(pid, "waitpid"), options);
}

function waitFor(pid: number, { timeout }: { timeout?: number } = {}): ChildEnd | null {
  const { end } = call("wait", { pid, dueMs: dueIn(timeout, "wait: `timeout`") });
  return end ? childEnd(end) : null;
}

export function childEnd({ pid, status, signal, value }: WireChildEnd): ChildEnd {
  return { pid, status, signal: signal ?? null, value: value.length ? decodeValue(value) : undefined };
}

export function exit(status = 0, value?: unknown): never {
  if (!Number.isInteger(status))
    throw invalid(`exit: the status must be a whole number, not ${String(status)}`);
  return end(status, value === undefined ? new Uint8Array() : encodeValue(value));
}

function end(status: number, value: Uint8Array): never {
  // One byte, as everywhere in UNIX: exit(-1) is seen as 255.
  call("exit", { status: status & 255, value });
  throw new Error("bug: the host went on after exit");
}

export const getpid = () => identity().pid;
export const getppid = parentPid;
export const hostname = () => call("hostname", undefined).name;

export function kill(pid: number, signal: SignalName = "SIGTERM") {
  checkSignal(signal, "kill");
  call("kill", { pid: pid === -1 ? -1 : checkedPid(pid, "kill"), signal });
}

export function on(signal: SignalName, handler: SignalHandler | null): SignalHandler | null {
  checkSignal(signal, "on");
  if (handler !== null && typeof handler !== "function")
    throw invalid("on: pass a function to call when the signal comes, or null for what it does by itself");
  const before = signalHandlers.get(signal) ?? null;
  // In this order no signal finds the home told and nobody here.
  if (handler) signalHandlers.set(signal, handler);
  if ((before === null) !== (handler === null)) call("handle", { signal, handled: handler !== null });
  if (!handler) signalHandlers.delete(signal);
  return before;
}

function checkSignal(signal: SignalName, who: string) {
  if (!SIGNALS.includes(signal)) throw invalid(`${who}: ${String(signal)} is none of ${SIGNALS.join(", ")}`);
}

export function sleep(ms: number) {
  const dueMs = now() + duration(ms, "sleep: the time");
  call("sleep", { dueMs });
}

export function hosts(): (CallAnswer<"hosts">["hosts"][number] & { here: boolean })[] {
  const answer = call("hosts", undefined);
  return answer.hosts.map((host) => ({ ...host, here: host.id === answer.here }));
}

export function migrate(hostId = "") {
  if (typeof hostId !== "string") throw invalid("migrate: pass a host's id, as hosts() gives it, or nothing");
  call("migrate", { host: hostId });
}

type Outcome<R> = { readonly results: R[] } | { readonly error: unknown };

export function map<T, R>(
  items: Iterable<T>,
  fn: (item: T, index: number) => R,
  { on, chunks }: { on?: string; chunks?: number } = {},
): R[] {
  const all = [...items];
  if (chunks !== undefined && !(Number.isInteger(chunks) && chunks > 0))
    throw invalid(`map: \`chunks\` must be a whole number from 1, not ${String(chunks)}`);
  const wanted = chunks ?? Math.min(CHUNKS_MAX, CHUNKS_PER_HOST * Math.max(2, hosts().length));
  const count = Math.min(all.length, wanted);
  const children: number[] = [];
  try {
    for (let n = 0; n < count; n++) {
      const from = Math.floor((n * all.length) / count);
      const to = Math.floor(((n + 1) * all.length) / count);
      const pid = fork(on === undefined ? {} : { on });
      if (pid === 0) endWithOutcome(() => all.slice(from, to).map((item, i) => fn(item, from + i)));
      children.push(pid);
    }
    const results: R[][] = [];
    for (let pid = children[0]; pid !== undefined; pid = children[0]) {
      const end = waitpid(pid);
      children.shift();
      results.push(resultsOf(end as ChildEnd));
    }
    return results.flat();
  } catch (error) {
    abandon(children);
    throw error;
  }
}

/** In the child: the results, or what was thrown, to the parent. */
function endWithOutcome<R>(run: () => R[]): never {
  try {
    return end(0, encodeValue({ results: run() }));
  } catch (error) {
    return end(1, encodeError(error));
  }
}

function encodeError(error: unknown): Uint8Array {
  try {
    return encodeValue({ error });
  } catch (why) {
    // What was thrown cannot be copied (it has a function among its properties, say): its text can.
    const { message, stack } = error instanceof Error ? error : (why as Error);
    return encodeValue({ error: Object.assign(new Error(message), { stack }) });
  }
}

function resultsOf<R>({ pid, status, signal, value }: ChildEnd): R[] {
  const outcome = value as Outcome<R> | undefined;
  if (outcome && "results" in outcome) return outcome.results;
  if (outcome && "error" in outcome) throw outcome.error;
  const how = signal ? `was ended by ${signal}` : `ended with status ${status}`;
  throw new RoostError("EIO", `map: process ${pid} ${how} before it had its results`);
}

/** Ends and reaps what a failed `map` has left running. */
function abandon(children: readonly number[]) {
  for (const pid of children) ignoring("ESRCH", () => kill(pid, "SIGKILL"));
  for (const pid of children) ignoring("ECHILD", () => waitpid(pid));
}

function ignoring(code: string, run: () => void) {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RoostError && error.code === code)) throw error;
  }
}

export function checkedPid(pid: number, who: string): number {
  if (Number.isSafeInteger(pid) && pid > 0) return pid;
  throw invalid(`${who}: ${String(pid)} is no process; pass a pid, as fork() gives it`);
}

/** Waiting for ever and waiting Infinity are the same. */
export function dueIn(timeout: number | undefined, what: string): number | undefined {
  if (timeout === undefined || timeout === Number.POSITIVE_INFINITY) return undefined;
  return now() + duration(timeout, what);
}

function duration(ms: number, what: string): number {
  if (typeof ms !== "number" || Number.isNaN(ms))
    throw invalid(`${what} must be milliseconds, not ${String(ms)}`);
  return Math.max(0, ms);
}
