/** A process on an executor, with all that only that knows of it. */
import { type CallNumber, callNumber, type ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock } from "../base/ports.ts";
import type { Command, HomeLink, StayKey } from "../kernel/executor-messages.ts";
import type { EncodedImage, Snapshot, Used } from "../wire/messages.ts";
import { Learnings } from "./learnings.ts";
import type { RunningMachine, World } from "./machines.ts";
import { ProcessClock } from "./process-clock.ts";

/** A snapshot, and those of its images that nobody has yet. */
export interface Taken {
  readonly snapshot: Snapshot | undefined;
  readonly images: EncodedImage[];
}

/** News of a snapshot whose images are on their way to the home. */
export interface Untold {
  readonly images: EncodedImage[];
  /** `images`: those that the home lacks. */
  readonly tell: (images: EncodedImage[]) => void;
  /** Whether the process went on from it. */
  readonly isSaved: boolean;
  /** It is to be saved when that is told. */
  savesThen: boolean;
  /** What its home has answered since then. */
  answers: number;
  answersBytes: number;
}

/** There is nothing to tell. */
export const NOT_NEEDED: Taken = { snapshot: undefined, images: [] };

/** Where a resident process stands. Each state carries what only it needs. */
export type State =
  /** Wants the CPU: not started, stopped at a poll, or in a call whose answer is here. */
  | { readonly kind: "ready"; readonly answer: Uint8Array | undefined }
  /** In call number `calls - 1`, which the home has not answered. */
  | { readonly kind: "waiting" }
  /** Its snapshot has left: it never runs here again. */
  | { readonly kind: "frozen" };

export interface Resident {
  readonly key: StayKey;
  readonly home: HomeLink;
  readonly machine: RunningMachine;
  readonly world: World;
  readonly clock: ProcessClock;
  readonly preemptEvery: number;
  /** Whether it has stopped at the poll at which it is to move. */
  readonly isDue: () => boolean;
  /** Makes the next poll that one: it has made a call at which it cannot stop. */
  readonly preemptSoon: () => void;
  /** Answers an earlier run was given and this one must be given again. */
  readonly replay: Map<CallNumber, Uint8Array>;
  /** Calls the home has not confirmed, though the process went on: number → bytes. */
  readonly posted: Map<CallNumber, number>;
  postedBytes: number;
  program: { readonly source: string; readonly fileName: string } | undefined;
  state: State;
  paused: boolean;
  /** A signal waits for it: its next call is answered by the home, whatever the call. */
  interrupted: boolean;
  /** It waits until it is written down. */
  held: boolean;
  queued: boolean;
  announced: boolean;
  calls: number;
  readonly learned: Learnings;
  untold: Untold | undefined;
  /** The last image of those that went ahead and are not known to have arrived. */
  wentAhead: ImageId | undefined;
  /** The request it waits with, if its answer may be kept. */
  asked: Uint8Array | undefined;
  sliceBeganMs: number;
  /** Up to when what it has run is in `cpuMs`. */
  countedMs: number;
  cpuMs: number;
  cpuReportedMs: number;
  memoryReportedBytes: number;
}

interface Surroundings {
  readonly clock: Clock;
  /** Whether a command waits to be heard. */
  readonly commandWaits: (() => boolean) | undefined;
  /** For how long it may run now, in milliseconds. */
  readonly sliceMs: () => number;
  readonly answer: (p: Resident, request: Uint8Array) => Uint8Array | undefined;
}

/** As it comes here, with a machine that has been made for it. */
export function newResident(
  { key, home, place }: Extract<Command, { type: "place" }>,
  machine: RunningMachine,
  { clock: hostClock, commandWaits = () => false, sliceMs, answer }: Surroundings,
): Resident {
  if (place.seed)
    machine.seedRandom(new DataView(place.seed.buffer, place.seed.byteOffset, 8).getBigUint64(0));
  const clock = new ProcessClock(hostClock, place.now, place.snapshot?.clockMs ?? 0, place.learned.clock);
  // What outlives this must hold on to nothing of `place`, which has images in it.
  const { preemptEvery, zone } = place;
  let pollsHere = 0;
  const p: Resident = {
    key,
    home,
    machine,
    clock,
    world: {
      zone,
      now: () => clock.read(momentOf(p)),
      poll: () => {
        if (++pollsHere === preemptEvery) return true;
        const ranMs = hostClock.monotonic() - p.sliceBeganMs;
        return ranMs >= sliceMs() || (ranMs >= LIMITS.sliceLeastMs && commandWaits());
      },
      answer: (request) => answer(p, request),
    },
    preemptEvery,
    isDue: () => pollsHere === preemptEvery,
    preemptSoon: () => {
      pollsHere = preemptEvery - 1;
    },
    replay: new Map(place.learned.answers.map((x) => [x.call, x.answer.slice()])),
    posted: new Map(),
    postedBytes: 0,
    program: place.program,
    state: place.snapshot?.waiting ? { kind: "waiting" } : { kind: "ready", answer: undefined },
    paused: place.paused,
    interrupted: false,
    held: false,
    queued: false,
    announced: false,
    calls: place.snapshot?.calls ?? 0,
    learned: new Learnings(clock),
    untold: undefined,
    wentAhead: undefined,
    asked: undefined,
    sliceBeganMs: 0,
    countedMs: 0,
    cpuMs: 0,
    cpuReportedMs: 0,
    memoryReportedBytes: machine.memoryBytes,
  };
  return p;
}

/** Where in its life a process is, for what it learns of the clock: a poll and a call are each a moment of their own. */
export const momentOf = (p: Resident) => p.machine.polls + p.calls;

/** Where in its program it is, as far as its memory does not say. */
export const placeOf = (p: Resident) => ({
  calls: callNumber(p.calls),
  waiting: p.state.kind === "waiting" || (p.state.kind === "ready" && p.state.answer !== undefined),
  moment: momentOf(p),
  clockMs: p.clock.latestMs,
});

export const usedBy = ({ cpuMs, machine: { memoryBytes, polls } }: Resident): Used => ({
  cpuMs,
  memoryBytes,
  polls,
});
