/** How processes come and go: born, moved, signalled, ended, waited for. */
import { utf8Encode } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import { type CallNumber, FIRST_PID, type Pid, pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { CALL_AGAIN, encodeAnswer, encodeError, type SignalName } from "../wire/calls.ts";
import type { Snapshot } from "../wire/messages.ts";
import { answer, stayIn } from "./answers.ts";
import type { Out } from "./effects.ts";
import { leaveAll } from "./groups.ts";
import { closeMailbox } from "./mail.ts";
import type { End, HomeState, PlacedWhy, Process } from "./state.ts";
import { leave, release } from "./stays.ts";
import { forgetProcess, touch, who } from "./tally.ts";

export function newProcess(
  state: HomeState,
  ppid: Pid,
  on: string,
  snapshot: Snapshot | undefined,
  why: PlacedWhy,
  nowMs: number,
): Process {
  const id = pid(state.nextPid++);
  const p: Process = {
    pid: id,
    ppid,
    on,
    epoch: state.firstEpoch,
    where: { kind: "nowhere", why, next: undefined },
    snapshot,
    seed: seedOf(state.spec.seed, id),
    answers: new Map(),
    answersBytes: 0,
    clock: [],
    saveAsked: false,
    pending: undefined,
    blockedIn: undefined,
    paused: false,
    handled: new Set(state.processes.get(ppid)?.handled),
    signals: new Set(),
    mailbox: [],
    mailboxBytes: 0,
    undelivered: [],
    watchers: [],
    end: undefined,
    reaped: false,
    hostsLost: 0,
    stays: [],
    cpuMs: 0,
    cpuSavedMs: 0,
    saveCostMs: 0,
    frozenSinceMs: undefined,
    memoryBytes: 0,
    bornMs: nowMs,
    endedMs: undefined,
  };
  state.processes.set(id, p);
  touch(state, p);
  return p;
}

/** SplitMix64 (Steele, Lea, Flood 2014) of the job's seed and the pid: never zero, which xorshift could not leave. */
function seedOf(job: bigint, pid: Pid): Uint8Array {
  let z = BigInt.asUintN(64, job + BigInt(pid) * 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  z ^= z >> 31n;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, z || 1n);
  return bytes;
}

export const complain = (p: Process, sentence: string, out: Out) =>
  out({
    type: "print",
    pid: p.pid,
    fd: 2,
    data: utf8Encode(`roost: ${sentence}\n`),
  });

/** As in UNIX: a stopped process learns of signals when it goes on, except of the two that nobody can refuse. */
export function signal(state: HomeState, p: Process, name: SignalName, out: Out, nowMs: number): void {
  if (p.end) return;
  if (name === "SIGSTOP") return pause(state, p, true, out);
  if (name === "SIGCONT" && p.paused) {
    pause(state, p, false, out);
    const waiting = [...p.signals].filter((name) => !p.handled.has(name));
    for (const before of waiting) {
      p.signals.delete(before);
      signal(state, p, before, out, nowMs);
    }
    if (p.end) return;
    interrupt(state, p, out, nowMs);
  }
  if (p.handled.has(name) || (p.paused && name !== "SIGKILL")) {
    p.signals.add(name);
    return interrupt(state, p, out, nowMs);
  }
  if (name === "SIGCHLD" || name === "SIGCONT") return; // nothing to do without a handler
  end(state, p, { status: 1, signal: name, value: new Uint8Array() }, out, nowMs);
}

function pause(state: HomeState, p: Process, paused: boolean, out: Out): void {
  p.paused = paused;
  touch(state, p);
  if (p.where.kind === "at")
    out({ type: "send", host: p.where.host, message: { type: "pause", ...stayIn(state, p), paused } });
}

/** Brings waiting signals to the process: out of the call it is blocked in, which it then makes again, or with its next. */
export function interrupt(state: HomeState, p: Process, out: Out, nowMs: number): void {
  if (p.paused || ![...p.signals].some((name) => p.handled.has(name))) return;
  if (!p.pending) {
    const full = p.undelivered.find(({ call }) => call !== undefined && call === p.blockedIn);
    if (full?.call !== undefined) {
      const { call } = full;
      full.call = undefined; // it stays on its way; sent again, it would be two
      return answer(state, p, call, encodeAnswer("send", undefined), out, nowMs);
    }
    if (p.where.kind === "at")
      out({ type: "send", host: p.where.host, message: { type: "interrupt", ...stayIn(state, p) } });
    return;
  }
  if (p.pending.for === "file" || p.pending.for === "move") return; // it will not be long
  if (p.pending.for === "meeting") state.groups.get(p.pending.group)?.present.delete(p.pid);
  if (p.pending.for === "tuple") state.space.waiting.delete(p.pid);
  answer(state, p, p.pending.call, CALL_AGAIN, out, nowMs);
}

export function end(state: HomeState, p: Process, how: End, out: Out, nowMs: number): void {
  if (p.end) return;
  if (p.where.kind === "at")
    release(p.where.host, stayIn(state, p), how.signal ? `nowhere: ${how.signal}` : "nowhere: it ended", out);
  leave(state, p, "ended", { kind: "ended" }, out, nowMs);
  p.end = how;
  p.endedMs = nowMs;
  p.pending = undefined;
  p.snapshot = undefined;
  p.answers.clear();
  p.clock = [];
  p.signals.clear();
  touch(state, p);
  state.space.waiting.delete(p.pid);
  out({ type: "filesClosed", pid: p.pid });
  out({ type: "event", event: { type: "ended", pid: p.pid, status: how.status, signal: how.signal } });

  for (const child of [...who(state, "child", p.pid)]) {
    child.ppid = FIRST_PID;
    touch(state, child);
  }
  if (p.pid === FIRST_PID) {
    const rest = { status: 1, signal: "SIGKILL" as const, value: new Uint8Array() };
    for (const other of state.processes.values()) end(state, other, rest, out, nowMs);
    state.ended = true;
    letGo(state);
    out({ type: "end", end: how });
    return;
  }
  leaveAll(state, p, out, nowMs);
  closeMailbox(state, p, out, nowMs);
  const parent = state.processes.get(p.ppid);
  if (parent) signal(state, parent, "SIGCHLD", out, nowMs);
  for (const id of new Set([p.ppid, FIRST_PID])) {
    const q = state.processes.get(id);
    if (q?.pending?.for === "wait") settleWait(state, q, q.pending.call, q.pending.child, out, nowMs);
  }
}

/** Of a job that is over, only what is to be seen of its processes stays. */
function letGo(state: HomeState): void {
  const { processes, images, groups, space, cache } = state;
  for (const { mailbox, undelivered } of processes.values()) mailbox.length = undelivered.length = 0;
  space.tuples.length = space.bytes = 0;
  cache.bytes = 0;
  for (const kept of [images, groups, cache.entries, cache.current]) kept.clear();
}

/** Answers a wait, if one of its children has ended or there is none to wait for. Says whether it did. */
export function settleWait(
  state: HomeState,
  p: Process,
  call: CallNumber,
  wanted: number,
  out: Out,
  nowMs: number,
): boolean {
  const child = state.processes.get(pid(wanted));
  const children = who(state, "child", p.pid);
  if (wanted === -1 ? children.size === 0 : !child || !children.has(child)) {
    const sentence =
      wanted === -1 ? "this process has no child left to wait for" : `${wanted} is no child of this process`;
    answer(state, p, call, encodeError(new RoostError("ECHILD", sentence)), out, nowMs);
    return true;
  }
  const [done] = wanted === -1 ? who(state, "zombie", p.pid) : [child];
  if (!done?.end) return false;
  const { status, signal, value } = done.end;
  done.reaped = true;
  done.end = { status, signal, value: new Uint8Array() }; // the value is the parent's now
  touch(state, done);
  forgetEnded(state);
  answer(state, p, call, encodeAnswer("wait", { end: { pid: done.pid, status, signal, value } }), out, nowMs);
  return true;
}

/** Drops the oldest of those that ended and were waited for, when there are many. The first process is always known. */
function forgetEnded(state: HomeState): void {
  const reaped = who(state, "reaped", true);
  for (const p of reaped) {
    if (reaped.size <= LIMITS.endedKept) return;
    if (p.undelivered.length === 0) forgetProcess(state, p);
  }
}

const NOTHING_BY_THEN = {
  wait: encodeAnswer("wait", { end: undefined }),
  letter: encodeAnswer("receive", { letter: undefined }),
  sleep: encodeAnswer("sleep", undefined),
};

export function fireTimer(state: HomeState, p: Process, out: Out, nowMs: number): void {
  const { pending } = p;
  if (!pending || !("dueMs" in pending) || pending.dueMs === undefined || pending.dueMs > nowMs) return;
  answer(state, p, pending.call, NOTHING_BY_THEN[pending.for], out, nowMs);
}
