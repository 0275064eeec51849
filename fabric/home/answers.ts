/** Answers to calls, kept for as long as a second run of the process could ask again. */
import type { CallNumber } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Learned, MessageOf, Stay } from "../wire/messages.ts";
import type { Out } from "./effects.ts";
import type { HomeState, Process } from "./state.ts";

export const stayIn = (state: HomeState, p: Process): Stay => ({
  job: state.spec.id,
  pid: p.pid,
  epoch: p.epoch,
});

export function learn(p: Process, learned: Learned): void {
  for (const { call, answer } of learned.answers) remember(p, call, answer);
  for (const reading of learned.clock) p.clock.push(reading);
}

export function remember(p: Process, call: CallNumber, answer: Uint8Array): void {
  p.answersBytes += answer.length - (p.answers.get(call)?.length ?? 0);
  p.answers.set(call, answer);
}

/** Settles a call: exactly once, remembered, and told to wherever the process is now. */
export function answer(
  state: HomeState,
  p: Process,
  call: CallNumber,
  bytes: Uint8Array,
  out: Out,
  nowMs: number,
): void {
  if (p.pending?.call === call) p.pending = undefined;
  remember(p, call, bytes);
  reply(state, p, call, bytes, out, nowMs);
  const tooMuch = p.answersBytes > LIMITS.logBytes || p.answers.size + p.clock.length > LIMITS.logEntries;
  if (tooMuch && !p.saveAsked && p.where.kind === "at") {
    p.saveAsked = true;
    out({ type: "send", host: p.where.host, message: { type: "save", ...stayIn(state, p) } });
  }
}

export function reply(
  state: HomeState,
  p: Process,
  call: CallNumber,
  bytes: Uint8Array,
  out: Out,
  nowMs: number,
): void {
  if (p.where.kind !== "at") return;
  const message: MessageOf<"reply"> = { type: "reply", ...stayIn(state, p), call, answer: bytes, now: nowMs };
  out({ type: "send", host: p.where.host, message });
}
