/**
 * A move of a process that goes on meanwhile: its memory is copied to its goal in rounds, each what has changed since the last,
 * and it is frozen only while the last few pages travel (pre-copy: Theimer, Lantz, Cheriton 1985).
 */
import type { HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { MessageOf } from "../wire/messages.ts";
import { askForSnapshot } from "./answers.ts";
import type { Out } from "./effects.ts";
import { bytesOf } from "./images.ts";
import { leaveGoal, onItsWay, prepare } from "./preparing.ts";
import type { Copying, HomeState, Process } from "./state.ts";
import { recall } from "./stays.ts";
import { touch } from "./tally.ts";

/** A round must bring less than this part of the one before, or nothing is gained by another. */
const SHRINKS_BY = 0.7;

/**
 * Moves a process: one of which much may have to travel is copied first, and goes on meanwhile. One that is blocked is no different:
 * what it waits for, and who waits for its answer, would wait for all of that.
 */
export function move(state: HomeState, p: Process, to: HostId | undefined, out: Out, nowMs: number): void {
  const { where } = p;
  if (where.kind === "nowhere" && to !== undefined && where.goal?.host !== to) leaveGoal(state, p, to);
  if (where.kind !== "at" || where.recalledTo || where.host === to) return;
  if (where.copying && (where.copying.to === to || to === undefined)) return;
  const much = p.memoryBytes >= LIMITS.precopyBytes || p.cpuMs > p.cpuSavedMs;
  const hasBegun = p.snapshot !== undefined || p.stays.at(-1)?.runningMs !== undefined;
  const copies = much && hasBegun && !p.paused && LIMITS.precopyRounds > 0;
  if (to === undefined || !copies || !state.hosts.has(to)) return recall(state, p, to, out, nowMs);
  where.copying = {
    to,
    rounds: 0,
    askedMs: nowMs,
    answerByMs: nowMs + LIMITS.patienceMs,
    tookMs: Number.POSITIVE_INFINITY,
    bytes: Number.POSITIVE_INFINITY,
    bytesBefore: Number.POSITIVE_INFINITY,
    last: undefined,
    reading: undefined,
  };
  touch(state, p);
  askForSnapshot(state, p, out);
}

/** A snapshot that was asked for is here. */
export function saved(state: HomeState, p: Process, { images, tookMs }: MessageOf<"saved">, out: Out): void {
  p.saveAsked = false;
  p.cpuSavedMs = p.cpuMs;
  p.saveCostMs = tookMs;
  if (p.where.kind !== "at" || !p.where.copying || !p.snapshot) return;
  const { copying } = p.where;
  copying.reading = onItsWay(state, copying.to, p.snapshot) ?? prepare(state, copying.to, p.snapshot, out);
  copying.rounds++;
  const continues = copying.last !== undefined && p.snapshot.chain.includes(copying.last);
  copying.bytesBefore = continues ? copying.bytes : Number.POSITIVE_INFINITY;
  copying.bytes = bytesOf(images);
  copying.last = p.snapshot.chain.at(-1);
}

/** The goal has what it was sent: only now is the rest small. */
export function copied(
  state: HomeState,
  host: HostId,
  { image }: MessageOf<"prepared">,
  out: Out,
  nowMs: number,
): void {
  for (const p of state.processes.values()) {
    if (p.where.kind !== "at" || p.where.copying?.to !== host || p.where.copying.reading !== image) continue;
    const { copying } = p.where;
    const tookMs = nowMs - copying.askedMs;
    if (p.paused || isEnough(copying, tookMs, p.memoryBytes)) {
      p.where.copying = undefined;
      touch(state, p);
      recall(state, p, host, out, nowMs);
    } else {
      copying.askedMs = nowMs;
      copying.answerByMs = nowMs + LIMITS.patienceMs;
      copying.tookMs = tookMs;
      copying.reading = undefined;
      touch(state, p);
      askForSnapshot(state, p, out);
    }
  }
}

/** Whether nothing is gained by another round. What has changed in the time that this one took is still to travel. */
function isEnough(copying: Copying, tookMs: number, memoryBytes: number): boolean {
  const { rounds, bytes, bytesBefore } = copying;
  if (rounds >= LIMITS.precopyRounds) return true;
  if (bytes > LIMITS.precopyRestBytes) return bytes > SHRINKS_BY * bytesBefore;
  const tookLong = tookMs > LIMITS.precopyRoundMs && tookMs < SHRINKS_BY * copying.tookMs;
  return !tookLong || memoryBytes < LIMITS.precopyBytes;
}

/** What was to be moved there, and nowhere else, stays. */
export function copiesNoMore(state: HomeState, host: HostId): void {
  for (const p of state.processes.values()) {
    if (p.where.kind !== "at" || p.where.copying?.to !== host) continue;
    p.where.copying = undefined;
    touch(state, p);
  }
}
