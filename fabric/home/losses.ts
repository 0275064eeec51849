/** Hosts that are gone, or of no use: what was there starts again elsewhere. */
import type { HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { stayIn } from "./answers.ts";
import { hostGone } from "./cached.ts";
import type { Out } from "./effects.ts";
import { complain, end } from "./lives.ts";
import { hopeAgain } from "./placing.ts";
import { copiesNoMore } from "./precopy.ts";
import { goalGone } from "./preparing.ts";
import type { HomeState, Process } from "./state.ts";
import { leave, release } from "./stays.ts";
import { touch, who } from "./tally.ts";

export function hostLost(state: HomeState, host: HostId, reason: string, out: Out, nowMs: number): void {
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

/** Takes a process away from a host that neither runs it nor sends it back, or does not say that it has what it was sent for it. */
export function losePatience(state: HomeState, p: Process, out: Out, nowMs: number): void {
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
export function lost(
  state: HomeState,
  p: Process,
  reason: string,
  mayBeItsFault: boolean,
  out: Out,
  nowMs: number,
): void {
  leave(state, p, reason, { kind: "nowhere", why: "lost", next: undefined }, out, nowMs);
  p.frozenSinceMs ??= nowMs;
  if (mayBeItsFault && !p.pending) p.hostsLost++;
  if (p.hostsLost < LIMITS.hostsLostPerProcess) return;
  complain(
    p,
    `process ${p.pid} was lost with its host ${p.hostsLost} times (last: ${reason}) and is given up`,
    out,
  );
  end(state, p, { status: 1, signal: "SIGKILL", value: new Uint8Array() }, out, nowMs);
}
