/**
 * Which host a process goes to. Pure functions of what the home knows.
 *
 * Load is what wants the CPU: a process blocked in a call that the home answers (wait, sleep, readline) counts
 * nothing, so a tree of waiting parents holds no slot. Order of choice: an idle remote host, the longest idle first
 * (as Sprite chose); then an idle local one; then whichever is least loaded for its size.
 */
import type { HostId } from "../base/ids.ts";
import { askedBytes } from "../base/limits.ts";
import type { HomeState, HostRecord, Process } from "./state.ts";
import { bytesAt, who } from "./tally.ts";

/** A process that just arrived is left alone this long before it is moved for balance's sake. */
const DWELL_MS = 500;

export const loads = (state: HomeState): Map<HostId, number> =>
  new Map([...state.hosts.keys()].map((id) => [id, who(state, "busy", id).size]));

/** The host for a process that is nowhere, or undefined: it must wait. */
export function choose(state: HomeState, p: Process, load: ReadonlyMap<HostId, number>): HostId | undefined {
  const usable = [...state.hosts.values()].filter((h) => takes(h) && fits(state, p, h));
  const wanted = p.where.kind === "nowhere" ? p.where.next : undefined;
  if (wanted && usable.some((h) => h.id === wanted)) return wanted;
  const last = p.stays.at(-1)?.host;

  if (state.spec.preemptEvery > 0 && last) {
    const after = usable.findIndex((h) => h.id === last) + 1;
    return usable[after % usable.length]?.id;
  }
  const allowed = usable.filter((h) => isMeant(p.on, h));
  const candidates = allowed.length === 0 && goesAnywhere(p, isGone(state, p.on)) ? usable : allowed;

  // It was asked to move, anywhere: where it was is as good as any other, and no move.
  const left = p.where.kind === "nowhere" && p.where.why === "recalled" && !wanted ? last : undefined;
  const order = (a: HostRecord, b: HostRecord) =>
    fullness(a, load) - fullness(b, load) ||
    Number(a.id === left) - Number(b.id === left) ||
    Number(a.local) - Number(b.local) ||
    idleSince(state, a) - idleSince(state, b);
  // The first process stays with its launcher: it is the one that talks to the terminal.
  const first = p.pid === 1 ? candidates.find((h) => h.local) : undefined;
  return (first ?? candidates.toSorted(order)[0])?.id;
}

/** Whether that is a host where it wants to run. */
export const isMeant = (
  on: string,
  { id, local }: { readonly id: string; readonly local: boolean },
): boolean => on === "any" || (on === "remote" ? !local : on === "local" ? local : id === on);

/**
 * Whether it goes on any host rather than on none: where it was chosen by name, or must be local, an unreachable host is worth
 * less than going on somewhere.
 */
export const goesAnywhere = (
  { on, stays }: { readonly on: string; readonly stays: readonly unknown[] },
  hostIsGone: boolean,
): boolean => on !== "remote" && (stays.length > 0 || hostIsGone);

export const isByName = (on: string): boolean => !["any", "remote", "local"].includes(on);

/** Chosen by name, and not linked any more, or as good as that. */
const isGone = (state: HomeState, on: Process["on"]): boolean =>
  isByName(on) && state.hosts.get(on as HostId)?.isMute !== false;

/** Why a child is not made for there; undefined: it is, even if it has to wait until the host takes it. */
export function whyNeverThere(state: HomeState, on: Process["on"]): string | undefined {
  if (!isGone(state, on)) return undefined;
  const host = state.hosts.get(on as HostId);
  return host ? `${host.name} does not answer` : `no host ${on} is linked to this job`;
}

const takes = ({ slots, isMute }: HostRecord): boolean => slots > 0 && !isMute;

/** What a host must give to a process for it to stay there: all that it has, or that its job asks for. */
export const neededBytes = (jobBytesMax: number, hasBytes: number): number =>
  Math.max(askedBytes(jobBytesMax), hasBytes);

/** Beside what is there of its job: a host that has too much sends the newest back. */
export function fits(state: HomeState, p: Process, host: HostRecord): boolean {
  const isThere = p.where.kind === "at" && p.where.host === host.id;
  const togetherBytes = bytesAt(state, host.id) + (isThere ? 0 : p.memoryBytes);
  return (
    neededBytes(state.spec.memoryBytesMax, p.memoryBytes) <= host.memoryBytes &&
    togetherBytes <= host.memoryBytes
  );
}

/** Why a process cannot be moved there; undefined: it can. */
export function whyNotThere(state: HomeState, p: Process, id: HostId): string | undefined {
  const host = state.hosts.get(id);
  if (!host) return `no host ${id} is linked to this job`;
  if (!takes(host)) return `${host.name} takes nothing: ${host.isMute ? "it does not answer" : host.reason}`;
  if (!fits(state, p, host))
    return `${host.name} has less memory to give than the process, or its job, needs`;
  return undefined;
}

/** One that is not idle comes after all that are. */
const idleSince = (state: HomeState, { id, leftMs }: HostRecord): number =>
  who(state, "at", id).size + who(state, "bound", id).size > 0 ? Number.MAX_VALUE : leftMs;

const fullness = (host: HostRecord, load: ReadonlyMap<HostId, number>) =>
  Math.floor((load.get(host.id) ?? 0) / host.slots);

/** One process that would get on faster elsewhere: some host stands idle while another has more than it can run. */
export function rebalance(
  state: HomeState,
  load: ReadonlyMap<HostId, number>,
  nowMs: number,
): { readonly process: Process; readonly to: HostId } | undefined {
  if (state.spec.preemptEvery > 0) return undefined;
  const idle = [...state.hosts.values()].filter((h) => takes(h) && (load.get(h.id) ?? 0) === 0);
  if (idle.length === 0) return undefined;
  const crowded = [...state.hosts.values()]
    .filter((h) => (load.get(h.id) ?? 0) > Math.max(1, h.slots))
    .toSorted((a, b) => fullness(b, load) - fullness(a, load));
  for (const { id } of crowded)
    for (const process of movable(state, id, nowMs)) {
      const to = idle.find((host) => fits(state, process, host));
      if (to) return { process, to: to.id };
    }
  return undefined;
}

/** What may leave a host for balance's sake, the youngest first. */
const movable = (state: HomeState, host: HostId, nowMs: number): Process[] =>
  [...who(state, "busy", host)]
    .filter(
      ({ where, pid, on }) =>
        where.kind === "at" &&
        where.host === host &&
        !where.recalledTo &&
        !where.copying &&
        pid !== 1 &&
        on === "any" &&
        nowMs - where.sinceMs >= DWELL_MS,
    )
    .toSorted((a, b) => b.pid - a.pid);
