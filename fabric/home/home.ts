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
import { decodeCall, encodeAnswer, encodeError } from "../wire/calls.ts";
import { type Message, type MessageOf, type Snapshot, type Stay, stayOf } from "../wire/messages.ts";
import { answer, checkpointIfWorthIt, isLogTooLong, learn, remember, reply } from "./answers.ts";
import { changed, forgotten, lend, newCache } from "./cached.ts";
import { serve } from "./calls.ts";
import type { HomeEffect, HomeEvent, Out } from "./effects.ts";
import { timeOf } from "./host-clock.ts";
import { receive } from "./images.ts";
import { complain, end, fireTimer, interrupt, newProcess, signal } from "./lives.ts";
import { hostLost, losePatience, lost } from "./losses.ts";
import { handedOver } from "./mail.ts";
import { loads, whyNeverThere } from "./placement.ts";
import { balance, hopeAgain, placeAll } from "./placing.ts";
import { copied, copiesNoMore, move, saved } from "./precopy.ts";
import { goalGone, settleGoals } from "./preparing.ts";
import type { HomeState, HostRecord, JobSpec, Process } from "./state.ts";
import { began, leave, noteUsage, release, whereIs } from "./stays.ts";
import { newTally, nextDueMs, settle, takeDue, touch, who } from "./tally.ts";

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

function doWhatIsDue(state: HomeState, out: Out, nowMs: number): void {
  for (const p of takeDue(state, nowMs)) {
    fireTimer(state, p, out, nowMs);
    losePatience(state, p, out, nowMs);
  }
}

function onMessage(state: HomeState, host: HostId, message: Message, out: Out, nowMs: number): void {
  const record = state.hosts.get(host);
  if (!record) return;
  switch (message.type) {
    case "status":
      return onStatus(state, record, message);
    case "forgotten":
      return forgotten(state, host, message.cached);
    case "prepared":
      settleGoals(state, record, message.image, nowMs);
      if (record.isMute) {
        record.isMute = false;
        hopeAgain(state);
      }
      return copied(state, host, message, out, nowMs);
    default:
      if ("epoch" in message && message.job === state.spec.id) ofProcess(state, record, message, out, nowMs);
  }
}

function onStatus(
  state: HomeState,
  record: HostRecord,
  { slots, memoryBytes, reason }: MessageOf<"status">,
): void {
  record.slots = slots;
  record.memoryBytes = memoryBytes;
  record.reason = reason;
  if (slots === 0) {
    goalGone(state, record.id);
    copiesNoMore(state, record.id);
    for (const images of record.onTheirWay.values()) for (const id of images) record.images.delete(id); // it may not keep them
  }
  hopeAgain(state);
}

function ofProcess(
  state: HomeState,
  record: HostRecord,
  message: Extract<Message, Stay>,
  out: Out,
  nowMs: number,
): void {
  const { id: host } = record;
  const p = state.processes.get(message.pid);
  if (p?.where.kind !== "at" || p.where.host !== host || p.epoch !== message.epoch) {
    // An old stay, or one that never was: whoever holds it must forget it.
    return release(host, stayOf(message), "elsewhere", out);
  }
  if (message.type === "call" || message.type === "saved" || message.type === "returned") {
    if (!handedOver(state, p, message.learned.letters, out, nowMs)) {
      release(host, stayOf(message), "its home, to be started again", out);
      return lost(state, p, "it received a letter that was never sent", false, out, nowMs);
    }
    const wrong = whatIsWrong(state, record, p, message);
    if (wrong) {
      release(host, stayOf(message), "elsewhere", out);
      return lost(state, p, wrong, true, out, nowMs);
    }
  }
  touch(state, p);
  switch (message.type) {
    case "running":
      return began(p, record, message.runningMs, out, nowMs);
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
      const { recalledTo, sinceMs } = p.where;
      if (message.used) noteUsage(state, p, message.used);
      p.cpuSavedMs = p.cpuMs;
      p.frozenSinceMs ??= Math.min(Math.max(timeOf(record, message.stoppedMs), sinceMs), nowMs);
      // "recalledTo" its own host means: anywhere.
      const next = recalledTo === host ? undefined : recalledTo;
      leave(state, p, message.why, { kind: "nowhere", why: message.why, next }, out, nowMs);
      placeAll(state, out, nowMs);
      return release(host, stayOf(message), whereIs(state, p), out);
    }
    case "refuse":
      return refused(state, record, p, message, p.where.sentAll, out, nowMs);
    case "failed":
      complain(p, `process ${p.pid} failed: ${message.code}: ${message.reason}`, out);
      return end(state, p, { status: 1, signal: undefined, value: new Uint8Array() }, out, nowMs);
    case "usage":
      noteUsage(state, p, message);
      return checkpointIfWorthIt(state, p, out);
    default: // what only hosts are sent
      return;
  }
}

/** Takes what a host says that a process has learned, and become; if that cannot be, says why. */
function whatIsWrong(
  state: HomeState,
  { id: host }: HostRecord,
  p: Process,
  message: MessageOf<"call" | "saved" | "returned">,
): string | undefined {
  // In this order: what a snapshot contains need not be remembered.
  if (!learn(state, host, p, message.learned)) return "it gave an answer again that it had never been given";
  if (message.snapshot && p.where.kind === "at") {
    message.images.unshift(...p.where.ahead); // as if they had come with it
    p.where.ahead = [];
    const wrong = receive(state, host, p, message.snapshot, message.images);
    if (wrong) return wrong;
  }
  return isLogTooLong(p) ? "it does not send the snapshot it was asked for" : undefined;
}

function refused(
  state: HomeState,
  record: HostRecord,
  p: Process,
  { code, reason }: MessageOf<"refuse">,
  sentAll: boolean,
  out: Out,
  nowMs: number,
): void {
  if (code === "ENOENT" && !sentAll) {
    record.images.clear(); // it has forgotten what it had: send everything again, once
    const again = { kind: "nowhere", why: "refused", next: record.id, withAll: true } as const;
    return leave(state, p, reason, again, out, nowMs);
  }
  if (code === "EIO" || code === "ENOENT") return lost(state, p, reason, true, out, nowMs);
  if (p.stays.at(-1)?.runningMs !== undefined) p.frozenSinceMs ??= nowMs; // it ran there
  record.slots = 0; // until it says that it takes again
  record.reason = reason;
  goalGone(state, record.id);
  const elsewhere = { kind: "nowhere", why: "refused", next: undefined } as const;
  leave(state, p, `refused: ${reason}`, elsewhere, out, nowMs);
}

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
