/** Sends processes to the hosts that placement.ts chooses. */
import { epoch, type HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { encodeAnswer } from "../wire/calls.ts";
import type { MessageOf } from "../wire/messages.ts";
import { answer, stayIn } from "./answers.ts";
import type { Out } from "./effects.ts";
import { bytesOf, imagesFor, noteSent } from "./images.ts";
import { complain, end, interrupt } from "./lives.ts";
import { choose, loads, rebalance } from "./placement.ts";
import { move } from "./precopy.ts";
import { waitsForImages } from "./preparing.ts";
import type { HomeState, Nowhere, Process } from "./state.ts";
import { takeFreed, touch, who } from "./tally.ts";

export function placeAll(state: HomeState, out: Out, nowMs: number): void {
  if (takeFreed(state)) hopeAgain(state);
  for (const p of [...who(state, "nowhere", true)]) {
    if (p.where.kind !== "nowhere") continue; // it ended with another
    const host = choose(state, p, loads(state));
    if (host === undefined) {
      p.where.inVain = true;
      touch(state, p);
      continue;
    }
    const bytes = bytesOf(imagesFor(state, host, p.snapshot));
    if (bytes + p.answersBytes > LIMITS.placedBytes)
      cannotTravel(state, p, bytes + p.answersBytes, out, nowMs);
    else if (!waitsForImages(state, p, host, bytes, out, nowMs)) place(state, p, p.where, host, out, nowMs);
  }
}

/** A host takes something, or has room again: perhaps for what nobody took. */
export function hopeAgain(state: HomeState): void {
  for (const p of [...who(state, "nowhere", false)]) {
    if (p.where.kind === "nowhere") p.where.inVain = false;
    touch(state, p);
  }
}

function place(
  state: HomeState,
  p: Process,
  { why, goalBytes = 0 }: Nowhere,
  host: HostId,
  out: Out,
  nowMs: number,
): void {
  const { spec } = state;
  // Wherever it goes, and why: it has moved.
  if (p.pending?.for === "move")
    answer(state, p, p.pending.call, encodeAnswer("migrate", undefined), out, nowMs);
  p.epoch = epoch(p.epoch + 1);
  p.saveAsked = false;
  const images = imagesFor(state, host, p.snapshot);
  noteSent(state, host, images);
  const imageBytes = goalBytes + bytesOf(images);
  const sentAll = images.length === (p.snapshot?.chain.length ?? 0);
  const runs = !p.pending && !p.paused;
  const answerByMs = runs ? nowMs + LIMITS.patienceMs : Number.POSITIVE_INFINITY;
  p.where = {
    kind: "at",
    host,
    sinceMs: nowMs,
    recalledTo: undefined,
    copying: undefined,
    ahead: [],
    sentAll,
    answerByMs,
  };
  touch(state, p);
  p.stays.push({
    host,
    hostName: state.hosts.get(host)?.name ?? host,
    why,
    imageBytes,
    placedMs: nowMs,
    runningMs: undefined,
    leftMs: undefined,
    freezeMs: undefined,
    cpuMs: 0,
  });
  if (p.stays.length > LIMITS.staysKept) p.stays.shift();
  const message: MessageOf<"place"> = {
    type: "place",
    ...stayIn(state, p),
    program: p.snapshot ? undefined : { ...spec.program },
    snapshot: p.snapshot,
    images,
    seed: p.seed,
    learned: {
      answers: Array.from(p.answers, ([call, answer]) => ({ call, answer })),
      cached: [],
      letters: [],
      clock: p.clock,
    },
    jobName: spec.name,
    zone: spec.zone,
    now: nowMs,
    memoryBytesMax: spec.memoryBytesMax,
    preemptEvery: spec.preemptEvery,
    paused: p.paused,
  };
  out({ type: "send", host, message });
  interrupt(state, p, out, nowMs);
  out({ type: "event", event: { type: "placed", pid: p.pid, epoch: p.epoch, host, why, imageBytes } });
}

function cannotTravel(state: HomeState, p: Process, bytes: number, out: Out, nowMs: number): void {
  const mib = (n: number) => Math.round(n / 2 ** 20);
  complain(
    p,
    `process ${p.pid} is too large to be sent to a host: ${mib(bytes)} MiB, compressed, where ${mib(LIMITS.placedBytes)} are possible; keep less in memory`,
    out,
  );
  end(state, p, { status: 1, signal: "SIGKILL", value: new Uint8Array() }, out, nowMs);
}

export function balance(state: HomeState, out: Out, nowMs: number): void {
  const better = rebalance(state, loads(state), nowMs);
  if (better) move(state, better.process, better.to, out, nowMs);
}
