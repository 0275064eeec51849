/**
 * A job's home: names its processes, decides where each runs, answers their calls, and remembers enough of each
 * to start it again. Pure: `step` changes only the state it is given; effects come back, to be carried out in order.
 *
 * Promises:
 *  - a process runs on at most one host: only its current (host, epoch) is listened to; everybody else is told to forget it
 *  - every call takes effect once: (pid, call number) names it, and its answer is kept as long as a second run might ask again
 *  - nothing is lost with a host: a process goes on from its last snapshot, and is given the same answers as before
 */
import { keyOf } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import { epoch, FIRST_PID, type HostId, pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { decodeCall, encodeAnswer, encodeError } from "../wire/calls.ts";
import {
  type Message,
  type MessageOf,
  type Snapshot,
  type Stay,
  stayOf,
  type Used,
} from "../wire/messages.ts";
import { answer, isLogTooLong, learn, remember, reply, stayIn } from "./answers.ts";
import { changed, forgotten, hostGone, lend, newCache } from "./cached.ts";
import { serve } from "./calls.ts";
import { checkpointIfWorthIt, copied, copiesNoMore, move, saved } from "./checkpoints.ts";
import type { HomeEffect, HomeEvent, Out } from "./effects.ts";
import { heardNow, timeOf } from "./host-clock.ts";
import { bytesOf, imagesFor, noteSent, receive } from "./images.ts";
import { complain, end, fireTimer, interrupt, leave, newProcess, signal } from "./lives.ts";
import { handedOver } from "./mail.ts";
import { choose, loads, rebalance, whyNeverThere } from "./placement.ts";
import { goalGone, settleGoals, waitsForImages } from "./preparing.ts";
import type { HomeState, JobSpec, Nowhere, Process, StayRecord } from "./state.ts";
import { newTally, nextDueMs, settle, takeDue, takeFreed, touch, who } from "./tally.ts";

/** How often the home looks whether a host stands idle while another is crowded. */
const BALANCE_EVERY_MS = 250;

export function newHome(spec: JobSpec, nowMs: number): HomeState {
  const state = homeWithoutProcesses(spec);
  newProcess(state, pid(0), "any", undefined, "started", nowMs);
  settle(state);
  return state;
}

export const homeWithoutProcesses = (spec: JobSpec, firstEpoch = epoch(0)): HomeState => ({
  spec,
  processes: new Map(),
  hosts: new Map(),
  images: new Map(),
  cache: newCache(),
  groups: new Map(),
  space: { tuples: [], bytes: 0, waiting: new Set() },
  tally: newTally(),
  nextPid: FIRST_PID,
  firstEpoch,
  ended: false,
});

export function step(state: HomeState, event: HomeEvent, nowMs: number): HomeEffect[] {
  const effects: HomeEffect[] = [];
  if (state.ended) return effects;
  const out: Out = (effect) => effects.push(effect);
  switch (event.type) {
    case "hostLinked":
      state.hosts.set(event.host, {
        id: event.host,
        name: event.name,
        platform: event.platform,
        local: event.local,
        slots: 0, // until it says what it takes
        isMute: false,
        memoryBytes: 0,
        reason: "not heard from yet",
        leftMs: nowMs,
        latenessMs: [],
        images: new Set(),
        onTheirWay: new Map(),
      });
      out({
        type: "event",
        event: { type: "host", host: event.host, name: event.name, joined: true, reason: "" },
      });
      break;
    case "hostLost":
      hostLost(state, event.host, event.reason, out, nowMs);
      break;
    case "message":
      onMessage(state, event.host, event.message, out, nowMs);
      break;
    case "answered": {
      const p = state.processes.get(event.pid);
      changed(state, event.changed ?? [], out);
      if (p && !p.end) answered(state, p, event, out, nowMs);
      break;
    }
    case "kill": {
      const p = state.processes.get(event.pid);
      if (p) signal(state, p, event.signal, out, nowMs);
      break;
    }
    case "migrate": {
      const p = state.processes.get(event.pid);
      if (p) move(state, p, event.to, out, nowMs);
      break;
    }
    case "tick":
      break;
  }
  if (!state.ended) {
    doWhatIsDue(state, out, nowMs);
    placeAll(state, out, nowMs);
    balance(state, out, nowMs);
    planWake(state, out, nowMs);
    settle(state);
  }
  return effects;
}

function answered(
  state: HomeState,
  p: Process,
  { call, answer: bytes, seen }: Extract<HomeEvent, { type: "answered" }>,
  out: Out,
  nowMs: number,
): void {
  const { pending, where } = p;
  if (pending?.for === "file" && pending.call === call) {
    const lent =
      seen !== undefined && where.kind === "at"
        ? lend(state, where.host, keyOf(pending.request), seen, bytes, out)
        : undefined;
    return answer(state, p, call, bytes, out, nowMs, lent);
  }
  if (pending?.for === "line" && pending.call === call) answer(state, p, call, bytes, out, nowMs);
}

// ---- hosts ----

function hostLost(state: HomeState, host: HostId, reason: string, out: Out, nowMs: number): void {
  const record = state.hosts.get(host);
  if (!record) return;
  state.hosts.delete(host);
  hostGone(state, host);
  copiesNoMore(state, host);
  goalGone(state, host);
  out({ type: "event", event: { type: "host", host, name: record.name, joined: false, reason } });
  hopeAgain(state); // what was to go there and nowhere else
  for (const p of [...who(state, "at", host)]) {
    // Found to be dead sooner than a death is noticed: it was dead before the process was sent there.
    const killedIt = p.where.kind === "at" && nowMs - p.where.sinceMs >= LIMITS.silenceMs / 2;
    lost(state, p, `${record.name}: ${reason}`, killedIt, out, nowMs);
  }
}

function doWhatIsDue(state: HomeState, out: Out, nowMs: number): void {
  for (const p of takeDue(state, nowMs)) {
    fireTimer(state, p, out, nowMs);
    losePatience(state, p, out, nowMs);
  }
}

/** Takes a process away from a host that neither runs it nor sends it back, or does not say that it has what it was sent for it. */
function losePatience(state: HomeState, p: Process, out: Out, nowMs: number): void {
  if (p.where.kind === "nowhere" && p.where.goal && p.where.goal.answerByMs <= nowMs) {
    const record = state.hosts.get(p.where.goal.host);
    if (record) record.isMute = true;
    goalGone(state, p.where.goal.host);
    return hopeAgain(state);
  }
  if (p.where.kind !== "at") return;
  if (p.where.copying && p.where.copying.answerByMs <= nowMs) {
    p.where.copying = undefined; // it stays
    touch(state, p);
  }
  if (p.where.answerByMs > nowMs) return;
  release(p.where.host, stayIn(state, p), "elsewhere", out);
  lost(state, p, "its host neither ran it nor sent it back", true, out, nowMs);
}

/**
 * Its host is gone, or gave up on it: start it again elsewhere, unless it seems to be the process that kills hosts. One
 * that waits for its home does not run, and kills nobody.
 */
function lost(
  state: HomeState,
  p: Process,
  reason: string,
  mayBeItsFault: boolean,
  out: Out,
  nowMs: number,
): void {
  leave(state, p, reason, out, nowMs);
  p.frozenSinceMs = nowMs;
  if (mayBeItsFault && !p.pending) p.hostsLost++;
  if (p.hostsLost < LIMITS.hostsLostPerProcess) {
    p.where = { kind: "nowhere", why: "lost", next: undefined };
    return;
  }
  complain(
    p,
    `process ${p.pid} was lost with its host ${p.hostsLost} times (last: ${reason}) and is given up`,
    out,
  );
  end(state, p, { status: 1, signal: "SIGKILL", value: new Uint8Array() }, out, nowMs);
}

// ---- placing and moving ----

function placeAll(state: HomeState, out: Out, nowMs: number): void {
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
function hopeAgain(state: HomeState): void {
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

function balance(state: HomeState, out: Out, nowMs: number): void {
  const better = rebalance(state, loads(state), nowMs);
  if (better) move(state, better.process, better.to, out, nowMs);
}

// ---- messages ----

function onMessage(state: HomeState, host: HostId, message: Message, out: Out, nowMs: number): void {
  const record = state.hosts.get(host);
  if (!record) return;
  if (message.type === "status") {
    record.slots = message.slots;
    record.memoryBytes = message.memoryBytes;
    record.reason = message.reason;
    if (record.slots === 0) {
      goalGone(state, host);
      for (const images of record.onTheirWay.values()) for (const id of images) record.images.delete(id); // it may not keep them
    }
    return hopeAgain(state);
  }
  if (message.type === "forgotten") return forgotten(state, host, message.cached);
  if (message.type === "prepared") {
    settleGoals(state, record, message.image, nowMs);
    if (record.isMute) {
      record.isMute = false;
      hopeAgain(state);
    }
    return copied(state, host, message, out, nowMs);
  }
  if (!("epoch" in message) || message.job !== state.spec.id) return;
  const p = state.processes.get(message.pid);
  if (p?.where.kind !== "at" || p.where.host !== host || p.epoch !== message.epoch) {
    // An old stay, or one that never was: whoever holds it must forget it.
    release(host, stayOf(message), "elsewhere", out);
    return;
  }
  const expelled = (reason: string) => {
    release(host, stayOf(message), "elsewhere", out);
    lost(state, p, reason, true, out, nowMs);
  };
  if ("learned" in message && !handedOver(state, p, message.learned.letters, out, nowMs)) {
    release(host, stayOf(message), "its home, to be started again", out);
    leave(state, p, "it received a letter that was never sent", out, nowMs);
    p.frozenSinceMs = nowMs;
    p.where = { kind: "nowhere", why: "lost", next: undefined };
    return;
  }
  // In this order: what a snapshot contains need not be remembered.
  if ("learned" in message && !learn(state, host, p, message.learned))
    return expelled("it gave an answer again that it had never been given");
  if ("snapshot" in message && message.snapshot) {
    message.images.unshift(...p.where.ahead); // as if they had come with it
    p.where.ahead = [];
    const wrong = receive(state, host, p, message.snapshot, message.images);
    if (wrong) return expelled(wrong);
  }
  if ("learned" in message && isLogTooLong(p))
    return expelled("it does not send the snapshot it was asked for");
  touch(state, p);
  const last = p.stays.at(-1);
  switch (message.type) {
    case "running":
      if (!p.where.recalledTo) p.where.answerByMs = Number.POSITIVE_INFINITY;
      heardNow(record, message.runningMs, nowMs);
      if (last) {
        const saidMs = timeOf(record, message.runningMs);
        const runningMs = Math.min(nowMs, Math.max(saidMs, last.placedMs, p.frozenSinceMs ?? 0));
        last.runningMs = runningMs;
        last.freezeMs = p.frozenSinceMs === undefined ? undefined : runningMs - p.frozenSinceMs;
        p.frozenSinceMs = undefined;
        const sincePlacedMs = runningMs - last.placedMs;
        const { freezeMs } = last;
        out({ type: "event", event: { type: "running", pid: p.pid, host, sincePlacedMs, freezeMs } });
      }
      return;
    case "call":
      return onCall(state, p, message, out, nowMs);
    case "ahead": {
      const image = message.images.at(-1)?.id;
      p.where.ahead = message.images.filter(({ id }) => !state.images.has(id)); // it may have been told meanwhile
      if (image) out({ type: "send", host, message: { type: "got", ...stayOf(message), image } });
      return;
    }
    case "saved":
      out({ type: "event", event: { type: "saved", pid: p.pid } });
      return saved(state, p, message, out);
    case "returned": {
      const next = p.where.recalledTo;
      if (message.used) noteUsage(state, p, last, message.used);
      leave(state, p, message.why, out, nowMs);
      p.cpuSavedMs = p.cpuMs;
      p.frozenSinceMs ??= Math.min(Math.max(timeOf(record, message.stoppedMs), p.where.sinceMs), nowMs);
      const before = stayIn(state, p);
      // "recalledTo" its own host means: anywhere.
      p.where = { kind: "nowhere", why: message.why, next: next === host ? undefined : next };
      placeAll(state, out, nowMs);
      const to = whereIs(state, p);
      release(host, before, to, out);
      return;
    }
    case "refuse": {
      if (message.code === "ENOENT" && !p.where.sentAll) {
        record.images.clear(); // it has forgotten what it had: send everything again, once
        leave(state, p, message.reason, out, nowMs);
        p.where = { kind: "nowhere", why: "refused", next: host, withAll: true };
        return;
      }
      if (message.code === "EIO" || message.code === "ENOENT")
        return lost(state, p, message.reason, true, out, nowMs);
      if (last?.runningMs !== undefined) p.frozenSinceMs ??= nowMs; // it ran there
      record.slots = 0; // until it says that it takes again
      record.reason = message.reason;
      goalGone(state, host);
      leave(state, p, `refused: ${message.reason}`, out, nowMs);
      p.where = { kind: "nowhere", why: "refused", next: undefined };
      return;
    }
    case "failed":
      complain(p, `process ${p.pid} failed: ${message.code}: ${message.reason}`, out);
      return end(state, p, { status: 1, signal: undefined, value: new Uint8Array() }, out, nowMs);
    case "usage":
      noteUsage(state, p, last, message);
      return checkpointIfWorthIt(state, p, out);
    default: // what only hosts are sent
      return;
  }
}

function noteUsage(
  state: HomeState,
  p: Process,
  stay: StayRecord | undefined,
  { cpuMs, memoryBytes }: Used,
): void {
  if (stay) {
    p.cpuMs += cpuMs - stay.cpuMs;
    stay.cpuMs = cpuMs;
  }
  p.memoryBytes = Math.min(memoryBytes, state.spec.memoryBytesMax); // it is a stranger's word
}

const release = (host: HostId, stay: Stay, to: string, out: Out) =>
  out({ type: "send", host, message: { type: "release", ...stay, to } });

function whereIs(state: HomeState, { where }: Process): string {
  if (where.kind === "at") return state.hosts.get(where.host)?.name ?? where.host;
  return (where.kind === "nowhere" && where.goal?.hostName) || "its home, to wait for a host";
}

// ---- calls ----

function onCall(state: HomeState, p: Process, message: MessageOf<"call">, out: Out, nowMs: number): void {
  const known = p.answers.get(message.call);
  if (known) return reply(state, p, message.call, known, out, nowMs);
  if (message.waits) p.blockedIn = message.call;
  // Asked again after a restart: the answer goes to where it is then.
  if (p.pending?.call === message.call || p.undelivered.some(({ call }) => call === message.call)) return;
  const call = decodeCall(message.request);
  if (call instanceof RoostError) return answer(state, p, message.call, encodeError(call), out, nowMs);
  if (call.name === "fork" && message.snapshot)
    return fork(state, p, call.args.on, message, message.snapshot, out, nowMs);
  serve(state, p, message.call, call, message.request, out, nowMs);
  touch(state, p);
  const waits = p.pending || p.undelivered.some((letter) => letter.call === message.call);
  if (waits) interrupt(state, p, out, nowMs); // by a signal that came when the call was on its way
}

function fork(
  state: HomeState,
  p: Process,
  on: string,
  message: MessageOf<"call">,
  snapshot: Snapshot,
  out: Out,
  nowMs: number,
): void {
  const refused = forkRefused(state, on);
  if (refused) return answer(state, p, message.call, encodeError(refused), out, nowMs);
  const child = newProcess(state, p.pid, on, snapshot, "forked", nowMs);
  child.memoryBytes = p.memoryBytes;
  const inChild = encodeAnswer("fork", { child: 0, self: child.pid, parent: p.pid });
  remember(child, message.call, inChild);
  out({ type: "filesForked", parent: p.pid, child: child.pid });
  out({ type: "event", event: { type: "forked", pid: child.pid, ppid: p.pid, tookMs: message.tookMs } });
  answer(
    state,
    p,
    message.call,
    encodeAnswer("fork", { child: child.pid, self: p.pid, parent: p.ppid }),
    out,
    nowMs,
  );
}

function forkRefused(state: HomeState, on: string): RoostError | undefined {
  // As everywhere in UNIX, one that nobody has waited for counts: its exit value is still kept.
  const count = state.processes.size - who(state, "reaped", true).size;
  if (count >= state.spec.processesMax)
    return new RoostError(
      "EAGAIN",
      `the job has ${count} processes, its limit (processesPerJob), ended ones that nobody has waited for included; wait() before forking more`,
    );
  const reason = whyNeverThere(state, on);
  return reason ? new RoostError("ENOHOST", `${reason}; hosts() lists those that are free`) : undefined;
}

function planWake(state: HomeState, out: Out, nowMs: number): void {
  const load = [...loads(state).values()];
  const lopsided = load.includes(0) && load.some((n) => n > 1);
  const atMs = Math.min(nextDueMs(state), lopsided ? nowMs + BALANCE_EVERY_MS : Number.POSITIVE_INFINITY);
  if (atMs < Number.POSITIVE_INFINITY) out({ type: "wake", atMs });
}
