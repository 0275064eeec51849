/** How processes leave: sent away by the owner or their home, given up, all at once when the owner is back. */
import { LIMITS } from "../base/limits.ts";
import { freeze, overdue } from "../migrate/departure.ts";
import { stayOf } from "../wire/messages.ts";
import type { Out } from "./events.ts";
import { forgetStrangers } from "./kept-images.ts";
import { memoryOf, strangers, tellHomes } from "./room.ts";
import type { Guest, KernelState } from "./state.ts";

export function sendAway(guest: Guest, why: "reclaimed" | "recalled", out: Out, nowMs: number): void {
  if (guest.departure) return;
  guest.departure = freeze(why, nowMs);
  const { executor, key } = guest;
  out({ type: "command", executor, command: { type: "snapshot", key, why } });
}

/** The newest leave while all together have more memory than the owner gives. */
export function shed(state: KernelState, out: Out, nowMs: number): void {
  for (const guest of strangers(state).toReversed())
    if (memoryOf(state) > state.terms.memoryBytes) sendAway(guest, "reclaimed", out, nowMs);
}

/** To its home, which starts it again from there should it be lost. */
export function save(guest: Guest, out: Out, hurries = false): void {
  if (guest.departure) return;
  guest.cpuSavedMs = guest.cpuMs;
  const { executor, key } = guest;
  out({ type: "command", executor, command: { type: "snapshot", key, why: "save", hurries } });
}

/** Tells the home that it must start the process from what it has. EAGAIN: it is not to blame. */
export function giveUp(guest: Guest, reason: string, out: Out, code: "EIO" | "EAGAIN" = "EIO"): void {
  out({ type: "send", link: guest.home, message: { type: "refuse", ...stayOf(guest), code, reason } });
}

/**
 * An owner does not wait for ever. The home starts them again from the snapshots it has. One whose worker says nothing may be what
 * holds it: that will be ended, and then it is known whose doing it was.
 */
export function giveUpOverdue(state: KernelState, out: Out, nowMs: number): void {
  const answers = ({ executor }: Guest) => (state.executors.get(executor)?.silentMs ?? 0) < LIMITS.haltMs;
  const late = [...state.guests.values()].filter(
    (guest) => guest.departure && overdue(guest.departure, nowMs) && answers(guest),
  );
  for (const guest of late) {
    const offered = guest.departure?.stage === "offered";
    const reason = offered ? "its home did not answer in time" : "it could not be written down in time";
    giveUp(guest, reason, out, "EAGAIN");
    forget(state, guest, `dropped: ${reason}`, out);
  }
  if (late.length > 0) tellHomes(state, out); // a home that is refused something waits for that
}

/** Stop everything first; send it away afterwards. The home's own processes on the launcher's own host stay, and wait. */
export function reclaim(state: KernelState, reason: string, out: Out, nowMs: number): void {
  state.terms = { ...state.terms, taking: false, reason };
  if (state.reclaim) return;
  const running = new Set(state.executors.keys());
  state.reclaim = { beganMs: nowMs, haltedMs: nowMs, running, left: [] };
  for (const executor of running) out({ type: "command", executor, command: { type: "halt" } });
  tellHomes(state, out);
  for (const guest of strangers(state)) sendAway(guest, "reclaimed", out, nowMs);
}

export function halted({ reclaim }: KernelState, executor: number, atMs: number): void {
  if (reclaim?.running.delete(executor)) reclaim.haltedMs = Math.max(reclaim.haltedMs, atMs);
}

export function settleReclaim(state: KernelState, out: Out, nowMs: number): void {
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

export function forget(state: KernelState, guest: Guest, to: string, out: Out): void {
  const record = state.executors.get(guest.executor);
  if (state.guests.delete(guest.key) && record) record.guests--;
  if (state.reclaim && guest.departure)
    state.reclaim.left.push({ jobName: guest.jobName, pid: guest.pid, to });
  out({ type: "command", executor: guest.executor, command: { type: "drop", key: guest.key } });
  out({ type: "changed" });
}
