/** A process's stays on hosts: it begins to run there, uses it up, is recalled, leaves, is forgotten there. */
import type { HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Stay, Used } from "../wire/messages.ts";
import { stayIn } from "./answers.ts";
import type { Out } from "./effects.ts";
import { heardNow, timeOf } from "./host-clock.ts";
import type { HomeState, HostRecord, Process, Where } from "./state.ts";
import { touch } from "./tally.ts";

/** It runs there, and may have stood still since it ran elsewhere. */
export function began(p: Process, record: HostRecord, saidMs: number, out: Out, nowMs: number): void {
  if (p.where.kind !== "at") return;
  if (!p.where.recalledTo) p.where.answerByMs = Number.POSITIVE_INFINITY;
  heardNow(record, saidMs, nowMs);
  const stay = p.stays.at(-1);
  if (!stay) return;
  const runningMs = Math.min(nowMs, Math.max(timeOf(record, saidMs), stay.placedMs, p.frozenSinceMs ?? 0));
  stay.runningMs = runningMs;
  stay.freezeMs = p.frozenSinceMs === undefined ? undefined : runningMs - p.frozenSinceMs;
  p.frozenSinceMs = undefined;
  const { freezeMs, placedMs } = stay;
  const sincePlacedMs = runningMs - placedMs;
  out({ type: "event", event: { type: "running", pid: p.pid, host: record.id, sincePlacedMs, freezeMs } });
}

export function noteUsage(state: HomeState, p: Process, { cpuMs, memoryBytes }: Used): void {
  const stay = p.stays.at(-1);
  if (stay) {
    p.cpuMs += cpuMs - stay.cpuMs;
    stay.cpuMs = cpuMs;
  }
  p.memoryBytes = Math.min(memoryBytes, state.spec.memoryBytesMax); // it is a stranger's word
}

export function recall(state: HomeState, p: Process, to: HostId | undefined, out: Out, nowMs: number): void {
  if (p.where.kind !== "at" || p.where.recalledTo || p.where.host === to) return;
  p.where.recalledTo = to ?? p.where.host;
  p.where.answerByMs = nowMs + LIMITS.patienceMs;
  touch(state, p);
  out({ type: "send", host: p.where.host, message: { type: "recall", ...stayIn(state, p) } });
}

/** Ends its stay where it is, if it is anywhere; it is there from now on. */
export function leave(state: HomeState, p: Process, why: string, to: Where, out: Out, nowMs: number): void {
  const { where } = p;
  p.where = to;
  touch(state, p);
  if (where.kind !== "at") return;
  const host = state.hosts.get(where.host);
  if (host) host.leftMs = nowMs;
  const last = p.stays.at(-1);
  if (last) last.leftMs = nowMs;
  out({ type: "event", event: { type: "left", pid: p.pid, host: where.host, why } });
}

/** The host keeps nothing of it. */
export const release = (host: HostId, stay: Stay, to: string, out: Out) =>
  out({ type: "send", host, message: { type: "release", ...stay, to } });

export function whereIs(state: HomeState, { where }: Process): string {
  if (where.kind === "at") return state.hosts.get(where.host)?.name ?? where.host;
  return (where.kind === "nowhere" && where.goal?.hostName) || "its home, to wait for a host";
}
