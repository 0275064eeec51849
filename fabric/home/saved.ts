/**
 * A job as bytes: everything its home knows, from which it can go on after the home's end, or at another home. What a home
 * knows is consistent at any moment between two steps: each process can be started from its last snapshot and the answers
 * it was given since, and every effect it has had is among those answers. So saving needs no agreement with any host.
 */
import {
  bool,
  branded,
  bytes,
  type Carried,
  type Codec,
  f64,
  Invalid,
  int,
  list,
  oneOf,
  optional,
  struct,
  text,
  union,
  varint,
} from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import {
  type CallNumber,
  type Epoch,
  epoch,
  type HostId,
  type ImageId,
  type JobId,
  type Pid,
} from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { CALLS, childEnd, decodeCall, SIGNALS } from "../wire/calls.ts";
import { snapshot } from "../wire/messages.ts";
import type { HomeEffect } from "./effects.ts";
import { homeWithoutProcesses } from "./home.ts";
import { letterBytes } from "./mail.ts";
import { tupleBytes } from "./space.ts";
import type { Group, HomeState, JobSpec, Pending, Process } from "./state.ts";
import { settle, touch } from "./tally.ts";

const words = text(LIMITS.pathBytes);
const pid = branded<Pid>(varint);
const u64: Codec<bigint> = {
  write: (to, n) => {
    to.u32(Number(n & 0xffff_ffffn));
    to.u32(Number((n >> 32n) & 0xffff_ffffn));
  },
  read: (from) => BigInt(from.u32()) | (BigInt(from.u32()) << 32n),
};
const call = branded<CallNumber>(varint);
const signal = oneOf(SIGNALS);
const many = 1 << 22;

const spec = struct({
  id: branded<JobId>(words),
  name: words,
  program: struct({ source: text(LIMITS.programBytes), fileName: words }),
  args: list(text(LIMITS.pathBytes), LIMITS.args),
  env: list(struct({ name: words, value: words }), LIMITS.environment),
  zone: words,
  memoryBytesMax: varint,
  processesMax: varint,
  preemptEvery: varint,
  durable: bool,
  seed: u64,
});

const letter = struct({
  from: pid,
  sent: optional(call),
  tag: words,
  value: bytes(LIMITS.dataBytes),
  end: optional(childEnd),
});

const pendingCall = union({
  wait: [0, struct({ call, child: int, dueMs: optional(f64) })],
  sleep: [1, struct({ call, dueMs: f64 })],
  letter: [2, struct({ call, from: int, tag: optional(words), dueMs: optional(f64) })],
  meeting: [3, struct({ call, group: words })],
  tuple: [4, struct({ call, remove: bool, ask: CALLS.find.args })],
  line: [5, struct({ call })],
  file: [6, struct({ call, request: bytes(LIMITS.callBytes) })],
  move: [7, struct({ call })],
});

/** Of the stays of a process, only the latest are worth their bytes. */
const STAYS_SAVED = 8;

const stay = struct({
  host: branded<HostId>(words),
  hostName: words,
  why: oneOf(["started", "forked", "reclaimed", "recalled", "preempted", "lost", "refused"]),
  imageBytes: varint,
  placedMs: f64,
  runningMs: optional(f64),
  leftMs: optional(f64),
  freezeMs: optional(f64),
  cpuMs: f64,
});

const savedProcess = struct({
  pid,
  ppid: pid,
  on: words,
  epoch: branded<Epoch>(varint),
  snapshot: optional(snapshot),
  seed: optional(bytes(8)),
  answers: list(struct({ call, answer: bytes(LIMITS.callBytes) }), many),
  clock: list(struct({ moment: varint, now: f64 }), many),
  pending: optional(pendingCall),
  blockedIn: optional(call),
  paused: bool,
  handled: list(signal, SIGNALS.length),
  signals: list(signal, SIGNALS.length),
  mailbox: list(letter, many),
  undelivered: list(struct({ call: optional(call), letter, to: list(pid, many) }), many),
  watchers: list(struct({ pid, tag: words }), many),
  end: optional(struct({ status: int, signal: optional(signal), value: bytes(LIMITS.dataBytes) })),
  reaped: bool,
  hostsLost: varint,
  cpuMs: f64,
  memoryBytes: varint,
  bornMs: f64,
  endedMs: optional(f64),
  stays: list(stay, STAYS_SAVED),
});

/** All but the images, which are many bytes and never change: they are kept beside it, by name. */
export const savedHome = struct({
  spec,
  processes: list(savedProcess, many),
  groups: list(
    struct({
      name: words,
      members: list(struct({ rank: varint, pid }), many),
      present: list(struct({ pid, call, args: CALLS.meet.args }), many),
    }),
    LIMITS.groups,
  ),
  tuples: list(CALLS.out.args, many),
  waiting: list(pid, many),
  nextPid: varint,
});
export type SavedHome = Carried<typeof savedHome>;

export function saveHome({ spec, processes, groups, space, nextPid }: HomeState): SavedHome {
  return {
    spec: {
      ...spec,
      args: [...spec.args],
      env: Object.entries(spec.env).map(([name, value]) => ({ name, value })),
    },
    processes: Array.from(processes.values(), saveProcess),
    groups: Array.from(groups, ([name, { members, present }]) => ({
      name,
      members: Array.from(members, ([rank, pid]) => ({ rank, pid })),
      present: Array.from(present, ([pid, { call, args }]) => ({ pid, call, args })),
    })),
    tuples: space.tuples.map((fields) => ({ fields })),
    waiting: [...space.waiting],
    nextPid,
  };
}

function saveProcess(p: Process): SavedHome["processes"][number] {
  return {
    ...p,
    answers: Array.from(p.answers, ([call, answer]) => ({ call, answer })),
    pending: p.pending && savePending(p.pending),
    handled: [...p.handled],
    signals: [...p.signals],
    undelivered: p.undelivered.map(({ call, letter, to }) => ({ call, letter, to: [...to] })),
    stays: p.stays.slice(-STAYS_SAVED),
  };
}

function savePending(p: Pending): Carried<typeof pendingCall> {
  switch (p.for) {
    case "letter":
      return { type: "letter", call: p.call, ...p.which, dueMs: p.dueMs };
    case "tuple":
      return {
        type: "tuple",
        call: p.call,
        remove: p.remove,
        ask: { template: p.template, remove: p.remove, wait: true },
      };
    default:
      return { ...p, type: p.for } as Carried<typeof pendingCall>;
  }
}

function revivePending(saved: Carried<typeof pendingCall>): Pending {
  switch (saved.type) {
    case "letter":
      return {
        for: "letter",
        call: saved.call,
        which: { from: saved.from, tag: saved.tag },
        dueMs: saved.dueMs,
      };
    case "tuple":
      return { for: "tuple", call: saved.call, template: saved.ask.template, remove: saved.remove };
    default: {
      const { type, ...rest } = saved;
      return { ...rest, for: type } as Pending;
    }
  }
}

export function specOf({ spec }: SavedHome): JobSpec {
  const env = Object.fromEntries(spec.env.map(({ name, value }) => [name, value]));
  return { ...spec, env, seed: spec.seed };
}

/**
 * Epochs of a revived job begin this far above those that were saved, of processes that are yet to be born too: whatever the
 * home before it gave out after it was saved is below, also to other processes of the same pid.
 */
export const EPOCHS_OF_A_LIFE = 1_000_000;

/**
 * The home as it was, without a host: its processes wait to be placed. The effects are what it had asked its files and
 * its terminal for, and not heard of; they are to be carried out first. Invalid where an image is missing.
 */
export function reviveHome(
  saved: SavedHome,
  images: ReadonlyMap<ImageId, Uint8Array>,
): { readonly state: HomeState; readonly effects: HomeEffect[] } | Invalid {
  const latest = saved.processes.reduce((most, one) => Math.max(most, one.epoch), 0);
  const state = homeWithoutProcesses(specOf(saved), epoch(latest + EPOCHS_OF_A_LIFE));
  state.nextPid = saved.nextPid;
  const effects: HomeEffect[] = [];
  for (const one of saved.processes) {
    const missing = one.snapshot?.chain.find((id) => !images.has(id));
    if (missing) return new Invalid(`an image of process ${one.pid} is missing`);
    for (const id of one.snapshot?.chain ?? []) {
      const bytes = images.get(id);
      if (bytes) state.images.set(id, bytes);
    }
    const p = reviveProcess(one, state.firstEpoch);
    state.processes.set(p.pid, p);
    touch(state, p);
    if (one.pending) effects.push(...askAgain(one.pid, one.pending));
  }
  if (!state.processes.has(1 as Pid)) return new Invalid("it has no first process");
  for (const { name, members, present } of saved.groups) {
    const group: Group = {
      members: new Map(members.map(({ rank, pid }) => [rank, pid])),
      present: new Map(present.map(({ pid, call, args }) => [pid, { call, args }])),
    };
    state.groups.set(name, group);
  }
  for (const { fields } of saved.tuples) {
    state.space.tuples.push(fields);
    state.space.bytes += tupleBytes(fields);
  }
  for (const pid of saved.waiting) state.space.waiting.add(pid);
  settle(state);
  return { state, effects };
}

function reviveProcess(one: SavedHome["processes"][number], epoch: Epoch): Process {
  const last = one.stays.at(-1);
  const stays = one.stays.map((stay) =>
    stay === last ? { ...stay, leftMs: stay.leftMs ?? stay.placedMs } : stay,
  );
  return {
    ...one,
    epoch,
    where: one.end
      ? { kind: "ended" }
      : { kind: "nowhere", why: one.stays.length ? "lost" : "started", next: undefined },
    answers: new Map(one.answers.map(({ call, answer }) => [call, answer])),
    answersBytes: one.answers.reduce((sum, { answer }) => sum + answer.length, 0),
    saveAsked: false,
    cpuSavedMs: one.cpuMs,
    saveCostMs: 0,
    frozenSinceMs: undefined,
    pending: one.pending && revivePending(one.pending),
    handled: new Set(one.handled),
    signals: new Set(one.signals),
    mailboxBytes: one.mailbox.reduce((sum, letter) => sum + letterBytes(letter), 0),
    undelivered: one.undelivered.map(({ call, letter, to }) => ({ call, letter, to: new Set(to) })),
    stays,
  };
}

function askAgain(pid: Pid, pending: Carried<typeof pendingCall>): HomeEffect[] {
  if (pending.type === "line") return [{ type: "readLine", pid, call: pending.call }];
  if (pending.type !== "file") return [];
  const operation = decodeCall(pending.request);
  return operation instanceof RoostError ? [] : [{ type: "file", pid, call: pending.call, operation }];
}
