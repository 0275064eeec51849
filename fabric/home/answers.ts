/** Answers to calls, kept for as long as a second run of the process could ask again. */
import { RoostError } from "../base/errors.ts";
import type { CachedId, CallNumber, HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { encodeError, type SignalName, withSignals } from "../wire/calls.ts";
import type { Learned, MessageOf, Snapshot, Stay } from "../wire/messages.ts";
import type { Out } from "./effects.ts";
import type { HomeState, Process } from "./state.ts";
import { touch, who } from "./tally.ts";

const TOO_LONG = encodeError(
  new RoostError("EIO", `the answer has more than ${LIMITS.callBytes} bytes; ask for less at a time`),
);

export const stayIn = (state: HomeState, p: Process): Stay => ({
  job: state.spec.id,
  pid: p.pid,
  epoch: p.epoch,
});

/** Neither in its mailbox nor with a sender (nobody waits for room, with anybody); nor does it wait for any. */
const hasNoMail = (state: HomeState, { mailbox, pending }: Process): boolean =>
  mailbox.length === 0 && pending?.for !== "letter" && who(state, "sending", true).size === 0;

/** False where it says that it gave again what it does not hold. */
export function learn(state: HomeState, host: HostId, p: Process, learned: Learned): boolean {
  // Copies, which outlive the message they came in.
  for (const { call, answer } of learned.answers) remember(p, call, answer.slice());
  for (const reading of learned.clock) p.clock.push(reading);
  return learned.cached.every(({ call, id }) => {
    const entry = state.cache.entries.get(id);
    if (!entry?.holders.has(host)) return false;
    remember(p, call, entry.answer);
    return true;
  });
}

/** Unless no second run will ask: its snapshot has it. */
export function remember(p: Process, call: CallNumber, answer: Uint8Array): void {
  if (call < firstNeeded(p.snapshot)) return;
  p.answersBytes += answer.length - (p.answers.get(call)?.length ?? 0);
  p.answers.set(call, answer);
}

/** The first call whose answer a process started from there must be given. */
export const firstNeeded = (snapshot: Snapshot | undefined): number =>
  snapshot ? snapshot.calls - (snapshot.waiting ? 1 : 0) : 0;

/** As a part of what it may be before an image is asked for. */
const logSize = (p: Process) =>
  Math.max(p.answersBytes / LIMITS.logBytes, (p.answers.size + p.clock.length) / LIMITS.logEntries);

/** An honest host has sent an image long before. */
export const isLogTooLong = (p: Process) => logSize(p) > LIMITS.logPatience;

/** Settles a call: exactly once, remembered, and told to wherever the process is now. */
export function answer(
  state: HomeState,
  p: Process,
  call: CallNumber,
  bytes: Uint8Array,
  out: Out,
  nowMs: number,
  cached?: CachedId,
): void {
  if (p.pending?.call === call) {
    p.pending = undefined;
    touch(state, p);
  }
  const fits = bytes.length <= LIMITS.callBytes ? bytes : TOO_LONG;
  const told = p.blockedIn === call ? withSignals(takeSignals(p), fits) : fits;
  remember(p, call, told);
  reply(state, p, call, told, out, nowMs, told === bytes ? cached : undefined);
  if (logSize(p) > 1) askForSnapshot(state, p, out);
}

export function askForSnapshot(state: HomeState, p: Process, out: Out): void {
  if (p.saveAsked || p.where.kind !== "at") return;
  p.saveAsked = true;
  out({ type: "send", host: p.where.host, message: { type: "save", ...stayIn(state, p) } });
}

/** Snapshots take at most one part in this many of what a process computes. */
const COST_SHARE = 50;

/** Asks for one when, after its last, the process has computed much more than a snapshot costs: that much would be lost. */
export function checkpointIfWorthIt(state: HomeState, p: Process, out: Out): void {
  if (!state.spec.durable || p.pending || state.spec.preemptEvery > 0) return;
  const atRiskMs = p.cpuMs - p.cpuSavedMs;
  if (atRiskMs >= Math.max(LIMITS.checkpointEveryMs, COST_SHARE * p.saveCostMs))
    askForSnapshot(state, p, out);
}

/** Those that have come for its handlers. */
function takeSignals(p: Process): SignalName[] {
  const come = [...p.signals].filter((name) => p.handled.has(name));
  for (const name of come) p.signals.delete(name);
  return come;
}

export function reply(
  state: HomeState,
  p: Process,
  call: CallNumber,
  bytes: Uint8Array,
  out: Out,
  nowMs: number,
  cached?: CachedId,
): void {
  if (p.where.kind !== "at") return;
  const stay = stayIn(state, p);
  const message: MessageOf<"reply"> = {
    type: "reply",
    ...stay,
    call,
    answer: bytes,
    now: nowMs,
    cached,
    noMail: hasNoMail(state, p),
  };
  out({ type: "send", host: p.where.host, message });
}
