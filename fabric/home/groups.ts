/**
 * Groups of processes and their meetings. A meeting is a barrier at which things change hands: it is held when all
 * members, or as many as were asked for, have come, and then each gets what the others brought for it.
 */
import { RoostError } from "../base/errors.ts";
import type { CallNumber, Pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { type CallArgs, encodeAnswer, encodeError } from "../wire/calls.ts";
import { answer } from "./answers.ts";
import type { Out } from "./effects.ts";
import type { Group, HomeState, Process } from "./state.ts";

const EVERYBODY = -1;

const rankIn = (group: Group | undefined, pid: Pid): number | undefined => {
  for (const [rank, member] of group?.members ?? []) if (member === pid) return rank;
  return undefined;
};

/** The ranks that are taken, in their order. */
const ranks = (group: Group): number[] => [...group.members.keys()].toSorted((a, b) => a - b);

export function join(state: HomeState, p: Process, name: string): Uint8Array {
  const group = state.groups.get(name) ?? { members: new Map(), present: new Map() };
  const before = rankIn(group, p.pid);
  if (before !== undefined) return encodeAnswer("join", { rank: before });
  if (!state.groups.has(name) && state.groups.size >= LIMITS.groups)
    return encodeError(
      new RoostError("EAGAIN", `the job has ${state.groups.size} groups, its limit (groups); leave some`),
    );
  state.groups.set(name, group);
  let rank = 0;
  while (group.members.has(rank)) rank++;
  group.members.set(rank, p.pid);
  return encodeAnswer("join", { rank });
}

export function members(state: HomeState, p: Process, name: string): Uint8Array {
  const group = state.groups.get(name);
  const pids = group ? ranks(group).flatMap((rank) => group.members.get(rank) ?? []) : [];
  return encodeAnswer("members", { members: pids, rank: rankIn(group, p.pid) });
}

export function leave(state: HomeState, p: Process, name: string, out: Out, nowMs: number): void {
  const group = state.groups.get(name);
  const rank = rankIn(group, p.pid);
  if (!group || rank === undefined) return;
  group.members.delete(rank);
  group.present.delete(p.pid);
  if (group.members.size === 0) state.groups.delete(name);
  else holdIfAllAreHere(state, group, out, nowMs);
}

export function leaveAll(state: HomeState, p: Process, out: Out, nowMs: number): void {
  for (const name of [...state.groups.keys()]) leave(state, p, name, out, nowMs);
}

export function meet(
  state: HomeState,
  p: Process,
  call: CallNumber,
  args: CallArgs<"meet">,
  out: Out,
  nowMs: number,
): void {
  const group = state.groups.get(args.group);
  const refused = group && rankIn(group, p.pid) !== undefined ? mismatch(group, args) : notIn(args.group);
  if (!group || refused) return answer(state, p, call, encodeError(refused ?? notIn(args.group)), out, nowMs);
  const parcels = args.parcels.map(({ member, data }) => ({ member, data: data.slice() }));
  group.present.set(p.pid, { call, args: { ...args, parcels } });
  p.pending = { for: "meeting", call, group: args.group };
  holdIfAllAreHere(state, group, out, nowMs);
}

const notIn = (name: string) =>
  new RoostError("EINVAL", `this process is not in the group ${name}; join it first`);

function mismatch(group: Group, { group: name, what, giver }: CallArgs<"meet">): RoostError | undefined {
  for (const [pid, { args }] of group.present)
    if (args.what !== what)
      return new RoostError(
        "EINVAL",
        `the group ${name} is in ${args.what} (process ${pid}), where this process calls ${what}; all members must make the same calls`,
      );
  if (giver === EVERYBODY || group.members.has(giver)) return undefined;
  return new RoostError("EINVAL", `the group ${name} has no member of rank ${giver}`);
}

function holdIfAllAreHere(state: HomeState, group: Group, out: Out, nowMs: number): void {
  const { present, members } = group;
  if (present.size === 0) return;
  const wanted = Math.max(...Array.from(present.values(), ({ args }) => args.count || members.size));
  if (present.size < wanted) return;

  const came = ranks(group).flatMap((rank) => {
    const pid = members.get(rank);
    const here = pid === undefined ? undefined : present.get(pid);
    return here && pid !== undefined ? [{ rank, pid, ...here }] : [];
  });
  present.clear();
  for (const { rank, pid, call } of came) {
    const parcels = came.flatMap((giver) =>
      giver.args.giver === EVERYBODY || giver.args.giver === giver.rank
        ? giver.args.parcels
            .filter(({ member }) => member === rank || member === EVERYBODY)
            .map(({ data }) => ({ member: giver.rank, data }))
        : [],
    );
    const p = state.processes.get(pid);
    if (p) answer(state, p, call, encodeAnswer("meet", { rank, parcels }), out, nowMs);
  }
}
