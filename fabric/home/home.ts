/**
 * A job's home: names its processes, decides where each runs, answers their calls, and remembers enough of each
 * to start it again. Pure: `step` changes only the state it is given; effects come back, to be carried out in order.
 *
 * Promises:
 *  - a process runs on at most one host: only its current (host, epoch) is listened to; everybody else is told to forget it
 *  - every call takes effect once: (pid, call number) names it, and its answer is kept as long as a second run might ask again
 *  - nothing is lost with a host: a process goes on from its last snapshot, and is given the same answers as before
 */
import { must, RoostError } from "../base/errors.ts";
import {
  type CallNumber,
  type Epoch,
  epoch,
  FIRST_PID,
  type HostId,
  type ImageId,
  type Pid,
  pid,
} from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { type Call, decodeCall, encodeAnswer, encodeError, type SignalName } from "../wire/calls.ts";
import {
  type EncodedImage,
  type Learned,
  type Message,
  type MessageOf,
  type Snapshot,
  type Stay,
  stayOf,
} from "../wire/messages.ts";
import { serve } from "./calls.ts";
import { choose, loads, rebalance } from "./placement.ts";
import type { End, HomeState, JobSpec, PlacedWhy, Process } from "./state.ts";

export type HomeEvent =
  | {
      readonly type: "hostLinked";
      readonly host: HostId;
      readonly name: string;
      readonly platform: string;
      readonly local: boolean;
    }
  | { readonly type: "hostLost"; readonly host: HostId; readonly reason: string }
  | { readonly type: "message"; readonly host: HostId; readonly message: Message }
  /** A file call or a line of input is done. */
  | { readonly type: "answered"; readonly pid: Pid; readonly call: CallNumber; readonly answer: Uint8Array }
  | { readonly type: "kill"; readonly pid: Pid; readonly signal: SignalName }
  | { readonly type: "migrate"; readonly pid: Pid; readonly to: HostId | undefined }
  | { readonly type: "tick" };

/** What happened, for people to see and tests to check. Times are the home's. */
export type JobEvent =
  | {
      readonly type: "host";
      readonly host: HostId;
      readonly name: string;
      readonly joined: boolean;
      readonly reason: string;
    }
  | { readonly type: "forked"; readonly pid: Pid; readonly ppid: Pid; readonly tookMs: number }
  | {
      readonly type: "placed";
      readonly pid: Pid;
      readonly epoch: Epoch;
      readonly host: HostId;
      readonly why: PlacedWhy;
      readonly imageBytes: number;
    }
  | { readonly type: "running"; readonly pid: Pid; readonly host: HostId; readonly sincePlacedMs: number }
  | { readonly type: "left"; readonly pid: Pid; readonly host: HostId; readonly why: string }
  | {
      readonly type: "ended";
      readonly pid: Pid;
      readonly status: number;
      readonly signal: SignalName | undefined;
    };

export type HomeEffect =
  | { readonly type: "send"; readonly host: HostId; readonly message: Message }
  | { readonly type: "print"; readonly pid: Pid; readonly fd: number; readonly data: Uint8Array }
  | { readonly type: "readLine"; readonly pid: Pid; readonly call: CallNumber }
  | { readonly type: "file"; readonly pid: Pid; readonly call: CallNumber; readonly operation: Call }
  /** The child starts with its parent's open files; an ended process has none. */
  | { readonly type: "filesForked"; readonly parent: Pid; readonly child: Pid }
  | { readonly type: "filesClosed"; readonly pid: Pid }
  /** Send `tick` at this time of the home's clock, if nothing comes before. */
  | { readonly type: "wake"; readonly atMs: number }
  | { readonly type: "event"; readonly event: JobEvent }
  | { readonly type: "end"; readonly end: End };

export type Out = (effect: HomeEffect) => void;

/** How often the home looks whether a host stands idle while another is crowded. */
const BALANCE_EVERY_MS = 250;

export function newHome(spec: JobSpec, nowMs: number): HomeState {
  const state: HomeState = {
    spec,
    processes: new Map(),
    hosts: new Map(),
    images: new Map(),
    nextPid: FIRST_PID,
    ended: false,
  };
  newProcess(state, pid(0), "any", undefined, "started", nowMs);
  return state;
}

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
    epoch: epoch(0),
    where: { kind: "nowhere", why, next: undefined },
    snapshot,
    seed: seedOf(state.spec.seed, id),
    answers: new Map(),
    answersBytes: 0,
    clock: [],
    saveAsked: false,
    pending: undefined,
    paused: false,
    end: undefined,
    reaped: false,
    hostsLost: 0,
    stays: [],
    cpuMs: 0,
    memoryBytes: 0,
    bornMs: nowMs,
    endedMs: undefined,
  };
  state.processes.set(id, p);
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
        reason: "not heard from yet",
        linkedMs: nowMs,
        images: new Set(),
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
      if (p?.pending?.call === event.call) answer(state, p, event.call, event.answer, out, nowMs);
      break;
    }
    case "kill": {
      const p = state.processes.get(event.pid);
      if (p) signal(state, p, event.signal, out, nowMs);
      break;
    }
    case "migrate": {
      const p = state.processes.get(event.pid);
      if (p) recall(state, p, event.to, out);
      break;
    }
    case "tick":
      break;
  }
  if (!state.ended) {
    fireTimers(state, out, nowMs);
    placeAll(state, out, nowMs);
    balance(state, out, nowMs);
    planWake(state, out, nowMs);
  }
  return effects;
}

// ---- hosts ----

function hostLost(state: HomeState, host: HostId, reason: string, out: Out, nowMs: number): void {
  const record = state.hosts.get(host);
  if (!record) return;
  state.hosts.delete(host);
  out({ type: "event", event: { type: "host", host, name: record.name, joined: false, reason } });
  for (const p of state.processes.values())
    if (p.where.kind === "at" && p.where.host === host)
      lost(state, p, `${record.name}: ${reason}`, out, nowMs);
}

/** Its host is gone, or gave up on it: start it again elsewhere, unless it seems to be the process that kills hosts. */
function lost(state: HomeState, p: Process, reason: string, out: Out, nowMs: number): void {
  leave(p, reason, out, nowMs);
  p.hostsLost++;
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

const complain = (p: Process, sentence: string, out: Out) =>
  out({
    type: "print",
    pid: p.pid,
    fd: 2,
    data: Uint8Array.from(`roost: ${sentence}\n`, (c) => c.charCodeAt(0)),
  });

// ---- placing and moving ----

function placeAll(state: HomeState, out: Out, nowMs: number): void {
  const load = loads(state);
  for (const p of state.processes.values()) {
    if (p.where.kind !== "nowhere") continue;
    const host = choose(state, p, load, idleSince(state));
    if (host === undefined) continue;
    if (!p.pending) load.set(host, (load.get(host) ?? 0) + 1);
    place(state, p, host, p.where.why, out, nowMs);
  }
}

/** When each host last had something of this job; for those that never had, when it came. */
function idleSince(state: HomeState): Map<HostId, number> {
  const since = new Map([...state.hosts.values()].map((h) => [h.id, h.linkedMs]));
  for (const p of state.processes.values())
    for (const stay of p.stays)
      since.set(stay.host, Math.max(since.get(stay.host) ?? 0, stay.leftMs ?? Number.POSITIVE_INFINITY));
  return since;
}

function place(state: HomeState, p: Process, host: HostId, why: PlacedWhy, out: Out, nowMs: number): void {
  const { spec } = state;
  p.epoch = epoch(p.epoch + 1);
  p.where = { kind: "at", host, sinceMs: nowMs, recalledTo: undefined };
  p.saveAsked = false;
  const images = imagesFor(state, host, p.snapshot);
  const imageBytes = images.reduce((sum, image) => sum + image.bytes.length, 0);
  p.stays.push({
    host,
    hostName: state.hosts.get(host)?.name ?? host,
    why,
    imageBytes,
    placedMs: nowMs,
    runningMs: undefined,
    leftMs: undefined,
    cpuMs: 0,
  });
  const message: MessageOf<"place"> = {
    type: "place",
    ...stayIn(state, p),
    program: p.snapshot ? undefined : { ...spec.program },
    snapshot: p.snapshot,
    images,
    seed: p.seed,
    learned: { answers: Array.from(p.answers, ([call, answer]) => ({ call, answer })), clock: p.clock },
    jobName: spec.name,
    zone: spec.zone,
    now: nowMs,
    memoryBytesMax: spec.memoryBytesMax,
    preemptEvery: spec.preemptEvery,
    paused: p.paused,
  };
  out({ type: "send", host, message });
  out({ type: "event", event: { type: "placed", pid: p.pid, epoch: p.epoch, host, why, imageBytes } });
}

/** Those of a snapshot's images that the host has not seen. */
function imagesFor(state: HomeState, host: HostId, snapshot: Snapshot | undefined): EncodedImage[] {
  const known = state.hosts.get(host)?.images;
  const images: EncodedImage[] = [];
  for (const id of snapshot?.chain ?? []) {
    if (known?.has(id)) continue;
    images.push({ id, bytes: must(state.images.get(id), "image of a snapshot") });
    known?.add(id);
  }
  return images;
}

export function recall(state: HomeState, p: Process, to: HostId | undefined, out: Out): void {
  if (p.where.kind !== "at" || p.where.recalledTo || p.where.host === to) return;
  p.where.recalledTo = to ?? p.where.host;
  out({ type: "send", host: p.where.host, message: { type: "recall", ...stayIn(state, p) } });
}

function balance(state: HomeState, out: Out, nowMs: number): void {
  const move = rebalance(state, loads(state), nowMs);
  if (move) recall(state, move.process, move.to, out);
}

const stayIn = (state: HomeState, p: Process): Stay => ({ job: state.spec.id, pid: p.pid, epoch: p.epoch });

function leave(p: Process, why: string, out: Out, nowMs: number): void {
  if (p.where.kind !== "at") return;
  const last = p.stays.at(-1);
  if (last) last.leftMs = nowMs;
  out({ type: "event", event: { type: "left", pid: p.pid, host: p.where.host, why } });
}

// ---- messages ----

function onMessage(state: HomeState, host: HostId, message: Message, out: Out, nowMs: number): void {
  if (message.type === "status") {
    const record = state.hosts.get(host);
    if (!record) return;
    record.slots = message.slots;
    record.reason = message.reason;
    return;
  }
  if (!("epoch" in message) || message.job !== state.spec.id) return;
  const p = state.processes.get(message.pid);
  if (p?.where.kind !== "at" || p.where.host !== host || p.epoch !== message.epoch) {
    // An old stay, or one that never was: whoever holds it must forget it. (Not in answer to what only hosts are sent.)
    out({ type: "send", host, message: { type: "release", ...stayOf(message), to: "elsewhere" } });
    return;
  }
  if ("snapshot" in message && message.snapshot && !receive(state, host, p, message.snapshot, message.images))
    return lost(state, p, "it sent an image that continues one it never sent", out, nowMs);
  const last = p.stays.at(-1);
  switch (message.type) {
    case "running":
      if (last) {
        last.runningMs = nowMs;
        const sincePlacedMs = nowMs - last.placedMs;
        out({ type: "event", event: { type: "running", pid: p.pid, host, sincePlacedMs } });
      }
      return;
    case "call":
      learn(p, message.learned);
      return onCall(state, p, message, out, nowMs);
    case "saved":
      p.saveAsked = false;
      return;
    case "returned": {
      const next = p.where.recalledTo;
      learn(p, message.learned);
      leave(p, message.why, out, nowMs);
      const before = stayIn(state, p);
      // "recalledTo" its own host means: anywhere.
      p.where = { kind: "nowhere", why: message.why, next: next === host ? undefined : next };
      if (p.pending?.for === "move")
        answer(state, p, p.pending.call, encodeAnswer("migrate", undefined), out, nowMs);
      placeAll(state, out, nowMs);
      const to = whereIs(state, p);
      out({ type: "send", host, message: { type: "release", ...before, to } });
      return;
    }
    case "refuse": {
      const record = state.hosts.get(host);
      if (message.code === "ENOENT" && record && record.images.size > 0) {
        record.images.clear(); // it has forgotten what it had: send everything again
        leave(p, message.reason, out, nowMs);
        p.where = { kind: "nowhere", why: "refused", next: host };
        return;
      }
      if (message.code === "EIO") return lost(state, p, message.reason, out, nowMs);
      if (record) {
        record.slots = 0; // until it says that it takes again
        record.reason = message.reason;
      }
      leave(p, `refused: ${message.reason}`, out, nowMs);
      p.where = { kind: "nowhere", why: "refused", next: undefined };
      return;
    }
    case "failed":
      complain(p, `process ${p.pid} failed: ${message.code}: ${message.reason}`, out);
      return end(state, p, { status: 1, signal: undefined, value: new Uint8Array() }, out, nowMs);
    case "usage":
      if (last) last.cpuMs = message.cpuMs;
      p.cpuMs = p.stays.reduce((sum, stay) => sum + stay.cpuMs, 0);
      p.memoryBytes = message.memoryBytes;
      return;
    default: // what only hosts are sent
      return;
  }
}

const whereIs = (state: HomeState, p: Process): string =>
  p.where.kind === "at"
    ? (state.hosts.get(p.where.host)?.name ?? p.where.host)
    : "its home, to wait for a host";

function learn(p: Process, learned: Learned): void {
  for (const { call, answer } of learned.answers) remember(p, call, answer);
  for (const reading of learned.clock) p.clock.push(reading);
}

function remember(p: Process, call: CallNumber, answer: Uint8Array): void {
  p.answersBytes += answer.length - (p.answers.get(call)?.length ?? 0);
  p.answers.set(call, answer);
}

/**
 * A snapshot of a process has come: from here on it would be started from that, and what it learned before is in it.
 * False where images of its chain are missing.
 */
function receive(
  state: HomeState,
  host: HostId,
  p: Process,
  snapshot: Snapshot,
  images: readonly EncodedImage[],
): boolean {
  const record = state.hosts.get(host);
  for (const { id, bytes } of images) {
    state.images.set(id, bytes);
    record?.images.add(id);
  }
  if (snapshot.chain.length === 0 || !snapshot.chain.every((id) => state.images.has(id))) return false;
  p.snapshot = snapshot;
  p.seed = undefined;
  const firstNeeded = snapshot.calls - (snapshot.waiting ? 1 : 0);
  for (const [call, answer] of p.answers)
    if (call < firstNeeded) {
      p.answers.delete(call);
      p.answersBytes -= answer.length;
    }
  p.clock = p.clock.filter((reading) => reading.poll >= snapshot.polls);
  forgetImages(state);
  return true;
}

/** Drops the images that no snapshot is made of any more. */
function forgetImages(state: HomeState): void {
  const used = new Set<ImageId>();
  for (const p of state.processes.values()) for (const id of p.snapshot?.chain ?? []) used.add(id);
  for (const id of state.images.keys()) if (!used.has(id)) state.images.delete(id);
}

// ---- calls ----

function onCall(state: HomeState, p: Process, message: MessageOf<"call">, out: Out, nowMs: number): void {
  const known = p.answers.get(message.call);
  if (known) return reply(state, p, message.call, known, out, nowMs);
  if (p.pending?.call === message.call) return; // asked again after a restart; the answer goes to where it is then
  const call = decodeCall(message.request);
  if (call instanceof RoostError) return answer(state, p, message.call, encodeError(call), out, nowMs);
  if (call.name === "fork" && message.snapshot)
    return fork(state, p, call.args.on, message, message.snapshot, out, nowMs);
  serve(state, p, message.call, call, out, nowMs);
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
  const alive = [...state.processes.values()].filter((p) => !p.end).length;
  if (alive >= LIMITS.processesPerJob)
    return new RoostError(
      "EAGAIN",
      `the job has ${alive} processes, its limit (processesPerJob); wait for some to end before forking more`,
    );
  const named = !["any", "remote", "local"].includes(on);
  if (named && !state.hosts.has(on as HostId))
    return new RoostError("ENOHOST", `no host ${on} is linked to this job; hosts() lists those that are`);
  return undefined;
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

function reply(
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

// ---- signals, ends, time ----

export function signal(state: HomeState, p: Process, name: SignalName, out: Out, nowMs: number): void {
  if (p.end) return;
  if (name === "SIGCHLD") return; // ignored unless handled
  if (name === "SIGSTOP" || name === "SIGCONT") {
    p.paused = name === "SIGSTOP";
    if (p.where.kind === "at")
      out({
        type: "send",
        host: p.where.host,
        message: { type: "pause", ...stayIn(state, p), paused: p.paused },
      });
    return;
  }
  end(state, p, { status: 1, signal: name, value: new Uint8Array() }, out, nowMs);
}

export function end(state: HomeState, p: Process, how: End, out: Out, nowMs: number): void {
  if (p.end) return;
  if (p.where.kind === "at") {
    leave(p, "ended", out, nowMs);
    const to = how.signal ? `nowhere: ${how.signal}` : "nowhere: it ended";
    out({ type: "send", host: p.where.host, message: { type: "release", ...stayIn(state, p), to } });
  }
  p.where = { kind: "ended" };
  p.end = how;
  p.endedMs = nowMs;
  p.pending = undefined;
  p.snapshot = undefined;
  forgetImages(state);
  p.answers.clear();
  p.clock = [];
  out({ type: "filesClosed", pid: p.pid });
  out({ type: "event", event: { type: "ended", pid: p.pid, status: how.status, signal: how.signal } });

  for (const child of state.processes.values()) if (child.ppid === p.pid) child.ppid = FIRST_PID;
  if (p.pid === FIRST_PID) {
    const rest = { status: 1, signal: "SIGKILL" as const, value: new Uint8Array() };
    for (const other of state.processes.values()) end(state, other, rest, out, nowMs);
    state.ended = true;
    out({ type: "end", end: how });
    return;
  }
  for (const q of state.processes.values())
    if (q.pending?.for === "wait") settleWait(state, q, q.pending.call, q.pending.child, out, nowMs);
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
  const children = [...state.processes.values()].filter(
    (c) => c.ppid === p.pid && !c.reaped && (wanted === -1 || c.pid === wanted),
  );
  if (children.length === 0) {
    const sentence =
      wanted === -1 ? "this process has no child left to wait for" : `${wanted} is no child of this process`;
    answer(state, p, call, encodeError(new RoostError("ECHILD", sentence)), out, nowMs);
    return true;
  }
  const done = children.filter((c) => c.end).toSorted((a, b) => (a.endedMs ?? 0) - (b.endedMs ?? 0))[0];
  if (!done?.end) return false;
  done.reaped = true;
  const { status, signal, value } = done.end;
  answer(state, p, call, encodeAnswer("wait", { end: { pid: done.pid, status, signal, value } }), out, nowMs);
  return true;
}

function fireTimers(state: HomeState, out: Out, nowMs: number): void {
  for (const p of state.processes.values()) {
    const { pending } = p;
    if (!pending || !("dueMs" in pending) || pending.dueMs === undefined || pending.dueMs > nowMs) continue;
    const nothing =
      pending.for === "wait" ? encodeAnswer("wait", { end: undefined }) : encodeAnswer("sleep", undefined);
    answer(state, p, pending.call, nothing, out, nowMs);
  }
}

function planWake(state: HomeState, out: Out, nowMs: number): void {
  const load = [...loads(state).values()];
  const lopsided = load.includes(0) && load.some((n) => n > 1);
  let atMs = lopsided ? nowMs + BALANCE_EVERY_MS : Number.POSITIVE_INFINITY;
  for (const { pending } of state.processes.values())
    if (pending && "dueMs" in pending && pending.dueMs !== undefined) atMs = Math.min(atMs, pending.dueMs);
  if (atMs < Number.POSITIVE_INFINITY) out({ type: "wake", atMs });
}
