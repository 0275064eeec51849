/**
 * The kernel of a host: which processes are here, for whom, and what may happen to them. Pure: `step` does no
 * input or output, reads no clock, and changes nothing but the state it is given; what is to be done comes back
 * as effects, to be carried out in their order.
 *
 * Promises: a message of another epoch, or from a link that is not the process's home, changes nothing; once
 * reclaimed, no stranger's process runs until the owner starts again; nothing of a process stays after its
 * release but images, and not even those after a reclaim.
 */
import { unreachable } from "../base/errors.ts";
import type { HostId, ImageId, JobId } from "../base/ids.ts";
import { askedBytes, LIMITS } from "../base/limits.ts";
import { type Departure, freeze, offer, overdue } from "../migrate/departure.ts";
import { type Message, type MessageOf, type Stay, stayOf, type Used } from "../wire/messages.ts";
import { type Command, type HomeLink, type Report, type StayKey, stayKey } from "./executor-messages.ts";
import { type HomeClock, heard, homeTime, UNHEARD } from "./home-clock.ts";
import { chainOf, forgetStrangers, keep, makeRoom } from "./kept-images.ts";
import { loadOf, memoryFor, memoryOf, type Status, statusFor, strangers } from "./room.ts";
import { executorGone, type Forgetting, forgotten, stale } from "./stale.ts";
import { NO_TERMS, type Terms } from "./terms.ts";

export type { HomeLink };

/** A process that is here, or just leaving. */
export interface Guest extends Stay {
  readonly key: StayKey;
  readonly home: HomeLink;
  readonly executor: number;
  readonly jobName: string;
  readonly sinceMs: number;
  departure: Departure | undefined;
  /** By its home; the owner may hold it besides. */
  paused: boolean;
  cpuMs: number;
  /** Of that, what was computed when a snapshot was last asked for. */
  cpuSavedMs: number;
  memoryBytes: number;
}

export interface Home {
  /** The launcher's own host always serves its own jobs. */
  readonly own: boolean;
  readonly host: HostId;
  readonly name: string;
  clock: HomeClock;
  /** What it was told last of what it may send. */
  told: Status | undefined;
  /** Images of its processes that came through here. */
  readonly images: Map<ImageId, Uint8Array>;
  imagesBytes: number;
  /** Which executor has been given the image that a process will come with. */
  readonly prepared: Map<ImageId, number>;
  /** Of which images the home waits to hear that they have been read. */
  readonly preparing: Map<ImageId, { readonly job: JobId; readonly executor: number }>;
}

/** What a reclaim (or a plain eviction) came to, for the owner. */
export interface Receipt {
  /** From the owner's wish until no guest instruction ran any more. */
  readonly cpuBackMs: number;
  /** From the owner's wish until nothing of any guest was left here. */
  readonly emptyMs: number;
  readonly left: readonly { readonly jobName: string; readonly pid: number; readonly to: string }[];
}

interface Reclaim {
  readonly beganMs: number;
  /** When the last of those that have confirmed it stood still. */
  haltedMs: number;
  /** Executors that have not confirmed that they stand still. */
  readonly running: Set<number>;
  readonly left: { jobName: string; pid: number; to: string }[];
}

interface ExecutorRecord {
  /** For how long it has not answered, counting ticks, so that a machine that slept takes nobody for stuck. */
  silentMs: number;
  /** Whose turn it was when it was last heard of. */
  turn: StayKey | undefined;
  /** How many processes are on it. */
  guests: number;
}

export interface KernelState {
  readonly guests: Map<StayKey, Guest>;
  readonly homes: Map<HomeLink, Home>;
  /** Executors by number, which is never given again. */
  readonly executors: Map<number, ExecutorRecord>;
  terms: Terms;
  reclaim: Reclaim | undefined;
  forgetting: Forgetting[];
  /** To others, since the start. */
  readonly given: Given;
}

/** What a host has done for others: processes that it took in, and what they have computed here. */
export interface Given {
  hosted: number;
  cpuMs: number;
}

const newExecutor = (): ExecutorRecord => ({ silentMs: 0, turn: undefined, guests: 0 });

export const newKernel = (executors: Iterable<number>): KernelState => ({
  guests: new Map(),
  homes: new Map(),
  executors: new Map(Array.from(executors, (n) => [n, newExecutor()])),
  terms: NO_TERMS,
  reclaim: undefined,
  forgetting: [],
  given: { hosted: 0, cpuMs: 0 },
});

export type KernelEvent =
  | {
      readonly type: "linked";
      readonly link: HomeLink;
      readonly own: boolean;
      readonly host: HostId;
      readonly name: string;
    }
  | { readonly type: "unlinked"; readonly link: HomeLink }
  | { readonly type: "message"; readonly link: HomeLink; readonly message: Message }
  /** `agoMs`: how long the report took to be heard; what is measured is measured without that. */
  | { readonly type: "report"; readonly executor: number; readonly report: Report; readonly agoMs?: number }
  | { readonly type: "executorStarted"; readonly executor: number }
  | { readonly type: "executorEnded"; readonly executor: number; readonly reason: string }
  /** The owner allows something else; what is left out stays as it was. */
  | { readonly type: "terms"; readonly terms: Partial<Terms> }
  /** The owner wants the machine back, now. */
  | { readonly type: "reclaim"; readonly reason: string }
  /** This host may be gone before long, without another word. */
  | { readonly type: "save" }
  /** Every TICK_MS, as nearly as the platform allows. */
  | { readonly type: "tick" };

export const TICK_MS = 1_000;

export type KernelEffect =
  | { readonly type: "send"; readonly link: HomeLink; readonly message: Message }
  | { readonly type: "command"; readonly executor: number; readonly command: Command }
  /** End this executor, if it still runs, and start another. */
  | { readonly type: "replace"; readonly executor: number; readonly reason: string }
  | { readonly type: "receipt"; readonly receipt: Receipt }
  /** Something in `guests` or `terms` is different: observers look again. */
  | { readonly type: "changed" };

export function step(state: KernelState, event: KernelEvent, nowMs: number): KernelEffect[] {
  const effects: KernelEffect[] = [];
  const out = (effect: KernelEffect) => effects.push(effect);
  switch (event.type) {
    case "linked": {
      const home: Home = {
        own: event.own,
        host: event.host,
        name: event.name,
        clock: UNHEARD,
        told: undefined,
        images: new Map(),
        imagesBytes: 0,
        prepared: new Map(),
        preparing: new Map(),
      };
      state.homes.set(event.link, home);
      tell(event.link, home, statusFor(state, event.link, home), out);
      break;
    }
    case "unlinked":
      state.homes.delete(event.link);
      state.forgetting = state.forgetting.filter(({ link }) => link !== event.link);
      // Its home counts these processes as lost and starts them elsewhere: they must not go on here.
      for (const guest of [...state.guests.values()])
        if (guest.home === event.link) forget(state, guest, "their home was gone", out);
      break;
    case "message":
      hearClock(state, event.link, event.message, nowMs);
      onMessage(state, event.link, event.message, out, nowMs);
      break;
    case "report":
      onReport(state, event.executor, event.report, out, nowMs, event.agoMs ?? 0);
      break;
    case "executorEnded":
      endExecutor(state, event.executor, event.reason, out, nowMs);
      break;
    case "executorStarted":
      state.executors.set(event.executor, newExecutor());
      if (state.reclaim) out({ type: "command", executor: event.executor, command: { type: "halt" } }); // `go` follows with the receipt
      if (state.terms.share < 1)
        out({
          type: "command",
          executor: event.executor,
          command: { type: "pace", share: state.terms.share },
        });
      tellHomes(state, out);
      break;
    case "terms":
      if (state.reclaim) break; // what is leaving leaves first
      allow(state, { ...state.terms, ...event.terms }, out, nowMs);
      break;
    case "reclaim":
      reclaim(state, event.reason, out, nowMs);
      break;
    case "save":
      for (const guest of state.guests.values()) if (guest.cpuMs > guest.cpuSavedMs) save(guest, out, true);
      break;
    case "tick":
      giveUpOverdue(state, out, nowMs);
      lookForStuck(state, out, nowMs);
      break;
    default:
      unreachable(event);
  }
  settleReclaim(state, out, nowMs);
  tellWhatChanged(state, out);
  return effects;
}

type Out = (effect: KernelEffect) => void;

function hearClock(state: KernelState, link: HomeLink, message: Message, nowMs: number): void {
  const home = state.homes.get(link);
  if (home && "now" in message) home.clock = heard(home.clock, message.now, nowMs);
}

/** Takes the owner's word into effect: on what is here, and on what the homes may send. */
function allow(state: KernelState, terms: Terms, out: Out, nowMs: number): void {
  const before = state.terms;
  state.terms = terms;
  for (const executor of state.executors.keys()) {
    if (terms.share !== before.share)
      out({ type: "command", executor, command: { type: "pace", share: terms.share } });
    if (terms.taking) out({ type: "command", executor, command: { type: "go" } });
  }
  const allowed = new Set(allowedExecutors(state));
  for (const guest of strangers(state)) {
    if (terms.held !== before.held) pause(guest, terms.held || guest.paused, out);
    if (!allowed.has(guest.executor)) sendAway(guest, "reclaimed", out, nowMs);
  }
  shed(state, out, nowMs);
  makeRoom(state);
  tellHomes(state, out);
}

const allowedExecutors = (state: KernelState): number[] =>
  [...state.executors.keys()].slice(0, state.terms.workers);

const pause = ({ key, executor }: Guest, paused: boolean, out: Out) =>
  out({ type: "command", executor, command: { type: "pause", key, paused } });

function noteUsage(state: KernelState, guest: Guest, { cpuMs, memoryBytes }: Used): void {
  if (!state.homes.get(guest.home)?.own) state.given.cpuMs += Math.max(0, cpuMs - guest.cpuMs);
  guest.cpuMs = cpuMs;
  guest.memoryBytes = memoryBytes;
}

/** The newest leave while all together have more memory than the owner gives. */
function shed(state: KernelState, out: Out, nowMs: number): void {
  for (const guest of strangers(state).toReversed())
    if (memoryOf(state) > state.terms.memoryBytes) sendAway(guest, "reclaimed", out, nowMs);
}

/** To its home, which starts it again from there should it be lost. */
function save(guest: Guest, out: Out, hurries = false): void {
  if (guest.departure) return;
  guest.cpuSavedMs = guest.cpuMs;
  const { executor, key } = guest;
  out({ type: "command", executor, command: { type: "snapshot", key, why: "save", hurries } });
}

function sendAway(guest: Guest, why: "reclaimed" | "recalled", out: Out, nowMs: number): void {
  if (guest.departure) return;
  guest.departure = freeze(why, nowMs);
  const { executor, key } = guest;
  out({ type: "command", executor, command: { type: "snapshot", key, why } });
}

/** What was there starts again elsewhere; the home of the one that ended the worker is told, and counts. */
function endExecutor(state: KernelState, executor: number, reason: string, out: Out, nowMs: number): void {
  const turn = state.executors.get(executor)?.turn;
  if (!state.executors.delete(executor)) return;
  out({ type: "replace", executor, reason });
  for (const guest of [...state.guests.values()]) {
    if (guest.executor !== executor) continue;
    if (turn === undefined || guest.key === turn)
      giveUp(guest, `the worker that ran it ended: ${reason}`, out);
    else giveUp(guest, `the worker it was on ended with another process: ${reason}`, out, "EAGAIN");
    forget(state, guest, "nowhere", out);
  }
  halted(state, executor, nowMs);
  executorGone(state, executor, out);
  prepared(state, executor, undefined, out);
  tellHomes(state, out);
}

/** An executor that no guest holds answers at once. One that does not is inside a call that polls nothing, perhaps for ever. */
function lookForStuck(state: KernelState, out: Out, nowMs: number): void {
  const { reclaim } = state;
  for (const [executor, record] of state.executors) {
    const kept = reclaim?.running.has(executor) && nowMs - reclaim.beganMs >= LIMITS.haltMs;
    if (kept || record.silentMs >= LIMITS.stuckMs) {
      endExecutor(state, executor, "a guest held it in something that cannot be interrupted", out, nowMs);
      continue;
    }
    if (record.silentMs === 0) out({ type: "command", executor, command: { type: "ask" } });
    record.silentMs += TICK_MS;
  }
}

/**
 * An owner does not wait for ever. The home starts them again from the snapshots it has. One whose worker says nothing may be what
 * holds it: that will be ended, and then it is known whose doing it was.
 */
function giveUpOverdue(state: KernelState, out: Out, nowMs: number): void {
  const answers = ({ executor }: Guest) => (state.executors.get(executor)?.silentMs ?? 0) < LIMITS.haltMs;
  const late = [...state.guests.values()].filter(
    (guest) => guest.departure && overdue(guest.departure, nowMs, LIMITS.evictionMs) && answers(guest),
  );
  for (const guest of late) {
    const offered = guest.departure?.stage === "offered";
    const reason = offered ? "its home did not answer in time" : "it could not be written down in time";
    giveUp(guest, reason, out, "EAGAIN");
    forget(state, guest, `dropped: ${reason}`, out);
  }
  if (late.length > 0) tellHomes(state, out); // a home that is refused something waits for that
}

/** Tells the home that it must start the process from what it has. EAGAIN: it is not to blame. */
function giveUp(guest: Guest, reason: string, out: Out, code: "EIO" | "EAGAIN" = "EIO"): void {
  out({ type: "send", link: guest.home, message: { type: "refuse", ...stayOf(guest), code, reason } });
}

function tellHomes(state: KernelState, out: Out): void {
  const load = loadOf(state);
  for (const [link, home] of state.homes) tell(link, home, statusFor(state, link, home, load), out);
  out({ type: "changed" });
}

function tell(link: HomeLink, home: Home, status: Status, out: Out): void {
  home.told = status;
  out({ type: "send", link, message: status });
}

/** Others' processes came, went or grew: each home hears what that leaves it, if it is something else. */
function tellWhatChanged(state: KernelState, out: Out): void {
  const load = loadOf(state);
  for (const [link, home] of state.homes) {
    if (home.own) continue;
    const status = statusFor(state, link, home, load);
    const { told } = home;
    if (
      told?.slots !== status.slots ||
      told.memoryBytes !== status.memoryBytes ||
      told.reason !== status.reason
    )
      tell(link, home, status, out);
  }
}

function onMessage(state: KernelState, link: HomeLink, message: Message, out: Out, nowMs: number): void {
  const home = state.homes.get(link);
  if (!home) return;
  if (message.type === "prepare") return prepare(state, link, home, message, out);
  if (message.type === "stale") return stale(state, link, message.job, message.cached, out);
  if (!("epoch" in message)) return;
  if (message.type === "place") return place(state, link, home, message, out, nowMs);
  const guest = state.guests.get(stayKey(link, message));
  if (!guest) return;
  const command = (command: Command) => out({ type: "command", executor: guest.executor, command });
  const { key } = guest;
  switch (message.type) {
    case "reply":
      return command({
        type: "answer",
        key,
        call: message.call,
        answer: message.answer,
        now: message.now,
        cached: message.cached,
        noMail: message.noMail,
      });
    case "save":
      return save(guest, out);
    case "got":
      return command({ type: "got", key, image: message.image });
    case "recall":
      return sendAway(guest, "recalled", out, nowMs);
    case "pause":
      guest.paused = message.paused;
      return pause(guest, message.paused || (state.terms.held && !home.own), out);
    case "interrupt":
      return command({ type: "interrupt", key });
    case "release":
      return forget(state, guest, message.to, out);
    default: // a message that only homes receive: the sender is confused, and nothing comes of it
      return;
  }
}

/** Why nothing is taken from a home of a job whose processes may have so much memory; undefined: it is. */
function whyNot(state: KernelState, link: HomeLink, home: Home, memoryBytesMax: number): string | undefined {
  const { slots, reason } = statusFor(state, link, home);
  if (slots === 0) return reason;
  if (state.reclaim && !home.own) return "its owner is back";
  if (memoryBytesMax > LIMITS.guestMemoryBytesMost)
    return `it may use more memory than any process (${LIMITS.guestMemoryBytesMost} bytes)`;
  const givenBytes = memoryFor(state, home);
  if (askedBytes(memoryBytesMax) > givenBytes)
    return `this job asks for ${mib(memoryBytesMax)} MiB of memory a process, and its owner gives ${mib(givenBytes)} MiB in all`;
  return undefined;
}

function place(
  state: KernelState,
  link: HomeLink,
  home: Home,
  message: MessageOf<"place">,
  out: Out,
  nowMs: number,
): void {
  const refuse = (reason: string, code: "EAGAIN" | "ENOENT" = "EAGAIN") =>
    out({ type: "send", link, message: { type: "refuse", ...stayOf(message), code, reason } });
  const reason = whyNot(state, link, home, message.memoryBytesMax);
  if (reason !== undefined) return refuse(reason);
  if ((message.program === undefined) === (message.snapshot === undefined))
    return refuse("bug: a placement has either a program or an image");
  const key = stayKey(link, message);
  if (state.guests.has(key)) return; // said twice
  const images = chainOf(home, message.snapshot?.chain ?? [], message.images);
  keep(state, home, message.images);
  if (!images) return refuse("some of its images are not here any more", "ENOENT");
  const executors = home.own ? [...state.executors.keys()] : allowedExecutors(state);
  const prepared = preparedFor(home, message.snapshot?.chain ?? [], executors);
  if (prepared) home.prepared.delete(prepared.image); // its siblings go elsewhere
  const executor = prepared?.executor ?? leastLoaded(state, executors);
  const record = state.executors.get(executor);
  if (record) record.guests++;
  if (!home.own) state.given.hosted++;
  state.guests.set(key, {
    ...stayOf(message),
    key,
    home: link,
    executor,
    jobName: message.jobName,
    sinceMs: nowMs,
    departure: undefined,
    paused: message.paused,
    cpuMs: 0,
    cpuSavedMs: 0,
    memoryBytes: 0,
  });
  out({
    type: "command",
    executor,
    command: { type: "place", key, home: link, place: { ...message, images } },
  });
  out({ type: "changed" });
}

const mib = (bytes: number) => Math.floor(bytes / 2 ** 20);

/** The executor that gets the images is the one where the process will run. Where none will run, they are not read. */
function prepare(
  state: KernelState,
  link: HomeLink,
  home: Home,
  message: MessageOf<"prepare">,
  out: Out,
): void {
  const { job, memoryBytesMax } = message;
  const last = message.chain.at(-1);
  if (!last) return;
  const isTaken = whyNot(state, link, home, memoryBytesMax) === undefined;
  const chain = isTaken ? chainOf(home, message.chain, message.images) : undefined;
  if (isTaken) keep(state, home, message.images);
  if (!chain) return void out({ type: "send", link, message: { type: "prepared", job, image: last } });
  const executors = home.own ? [...state.executors.keys()] : allowedExecutors(state);
  const executor = preparedFor(home, message.chain, executors)?.executor ?? leastLoaded(state, executors);
  // An executor has one thing ready at a time.
  for (const [image, at] of home.prepared) if (at === executor) home.prepared.delete(image);
  home.prepared.set(last, executor);
  home.preparing.set(last, { job, executor });
  out({
    type: "command",
    executor,
    command: { type: "prepare", home: link, chain, memoryBytesMax },
  });
}

/** They have been read, or never will be: this one, or all that the executor was given. */
function prepared(state: KernelState, executor: number, only: ImageId | undefined, out: Out): void {
  for (const [link, { preparing }] of state.homes)
    for (const [image, { job, executor: reader }] of preparing) {
      if (reader !== executor || (only !== undefined && image !== only)) continue;
      preparing.delete(image);
      out({ type: "send", link, message: { type: "prepared", job, image } });
    }
}

/** Where an image of a chain has been made ready for, if that may be used. */
function preparedFor(
  home: Home,
  chain: readonly ImageId[],
  executors: readonly number[],
): { readonly image: ImageId; readonly executor: number } | undefined {
  for (const image of chain) {
    const executor = home.prepared.get(image);
    if (executor !== undefined && executors.includes(executor)) return { image, executor };
  }
  return undefined;
}

/** What is being made ready counts as what is there. */
function leastLoaded(state: KernelState, among: readonly number[]): number {
  const coming = [...state.homes.values()].flatMap(({ preparing }) => [...preparing.values()]);
  const load = (executor: number) =>
    (state.executors.get(executor)?.guests ?? 0) + coming.filter((one) => one.executor === executor).length;
  return among.reduce((best, next) => (load(next) < load(best) ? next : best));
}

function onReport(
  state: KernelState,
  executor: number,
  report: Report,
  out: Out,
  nowMs: number,
  agoMs: number,
): void {
  if (report.type === "halted") return halted(state, executor, nowMs - agoMs);
  if (report.type === "forgotten") return forgotten(state, executor, out);
  if (report.type === "prepared") return prepared(state, executor, report.image, out);
  if (report.type === "alive") {
    const record = state.executors.get(executor);
    if (record) record.silentMs = 0;
    return;
  }
  if (report.type === "turn") {
    const record = state.executors.get(executor);
    if (record) record.turn = report.key;
    return;
  }
  const guest = state.guests.get(report.key);
  if (!guest) return; // dropped while the report was on its way
  const stay = stayOf(guest);
  const home = state.homes.get(guest.home);
  const send = (message: Message) => out({ type: "send", link: guest.home, message });
  switch (report.type) {
    case "running":
      return home && send({ type: "running", ...stay, runningMs: homeTime(home.clock, nowMs - agoMs) });
    case "call": {
      const { call, request, waits, learned, snapshot, images, tookMs } = report;
      if (home) keep(state, home, images);
      return send({ type: "call", ...stay, call, request, waits, learned, snapshot, images, tookMs });
    }
    case "snapshot": {
      const { why, snapshot, images, learned, tookMs, used } = report;
      if (!home) return;
      keep(state, home, images);
      if (why === "save")
        return snapshot && send({ type: "saved", ...stay, snapshot, images, learned, tookMs });
      guest.departure = offer(guest.departure, why, nowMs);
      const stoppedMs = homeTime(home.clock, nowMs - agoMs - tookMs);
      if (used) noteUsage(state, guest, used);
      return send({ type: "returned", ...stay, snapshot, images, learned, why, stoppedMs, used });
    }
    case "ahead":
      if (home) keep(state, home, report.images);
      return send({ type: "ahead", ...stay, images: report.images });
    case "failed":
      send({ type: "failed", ...stay, code: report.code, reason: report.reason });
      return forget(state, guest, "nowhere: it failed", out);
    case "usage":
      noteUsage(state, guest, report.used);
      out({ type: "changed" });
      shed(state, out, nowMs);
      return send({ type: "usage", ...stay, ...report.used });
    default:
      unreachable(report);
  }
}

/** Stop everything first; send it away afterwards. The home's own processes on the launcher's own host stay, and wait. */
function reclaim(state: KernelState, reason: string, out: Out, nowMs: number): void {
  state.terms = { ...state.terms, taking: false, reason };
  if (state.reclaim) return;
  const running = new Set(state.executors.keys());
  state.reclaim = { beganMs: nowMs, haltedMs: nowMs, running, left: [] };
  for (const executor of running) out({ type: "command", executor, command: { type: "halt" } });
  tellHomes(state, out);
  for (const guest of strangers(state)) sendAway(guest, "reclaimed", out, nowMs);
}

function halted({ reclaim }: KernelState, executor: number, atMs: number): void {
  if (reclaim?.running.delete(executor)) reclaim.haltedMs = Math.max(reclaim.haltedMs, atMs);
}

function settleReclaim(state: KernelState, out: Out, nowMs: number): void {
  const r = state.reclaim;
  if (!r) return;
  if (r.running.size > 0 || [...state.guests.values()].some((g) => g.departure)) return;
  state.reclaim = undefined;
  const receipt = { cpuBackMs: r.haltedMs - r.beganMs, emptyMs: nowMs - r.beganMs, left: r.left };
  out({ type: "receipt", receipt });
  forgetStrangers(state);
  // Only the owner's own work is left or will come: that may run.
  for (const type of ["tidy", "go"] as const)
    for (const executor of state.executors.keys()) out({ type: "command", executor, command: { type } });
  out({ type: "changed" });
}

function forget(state: KernelState, guest: Guest, to: string, out: Out): void {
  const record = state.executors.get(guest.executor);
  if (state.guests.delete(guest.key) && record) record.guests--;
  if (state.reclaim && guest.departure)
    state.reclaim.left.push({ jobName: guest.jobName, pid: guest.pid, to });
  out({ type: "command", executor: guest.executor, command: { type: "drop", key: guest.key } });
  out({ type: "changed" });
}
