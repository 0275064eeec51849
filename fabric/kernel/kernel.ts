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
import { LIMITS } from "../base/limits.ts";
import { offer } from "../migrate/departure.ts";
import { type Message, stayOf, type Used } from "../wire/messages.ts";
import { type KernelEffect, type KernelEvent, type Out, TICK_MS } from "./events.ts";
import { type Command, type HomeLink, type Report, stayKey } from "./executor-messages.ts";
import { heard, homeTime } from "./home-clock.ts";
import { keep, makeRoom } from "./kept-images.ts";
import {
  forget,
  giveUp,
  giveUpOverdue,
  halted,
  reclaim,
  save,
  sendAway,
  settleReclaim,
  shed,
} from "./leaving.ts";
import { allowedExecutors, place, prepare, prepared } from "./placing.ts";
import { statusFor, strangers, tell, tellHomes, tellWhatChanged } from "./room.ts";
import { executorGone, forgotten, stale } from "./stale.ts";
import { type Guest, type KernelState, newExecutor, newHome } from "./state.ts";
import type { Terms } from "./terms.ts";

export function step(state: KernelState, event: KernelEvent, nowMs: number): KernelEffect[] {
  const effects: KernelEffect[] = [];
  const out = (effect: KernelEffect) => effects.push(effect);
  switch (event.type) {
    case "linked": {
      const home = newHome(event);
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

const pause = ({ key, executor }: Guest, paused: boolean, out: Out) =>
  out({ type: "command", executor, command: { type: "pause", key, paused } });

function noteUsage(state: KernelState, guest: Guest, { cpuMs, memoryBytes }: Used): void {
  if (!state.homes.get(guest.home)?.own) state.given.cpuMs += Math.max(0, cpuMs - guest.cpuMs);
  guest.cpuMs = cpuMs;
  guest.memoryBytes = memoryBytes;
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
