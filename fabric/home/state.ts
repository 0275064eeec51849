/** What a job's home knows: its processes, where each is, and how each could be started again. */
import type { CallNumber, Epoch, HostId, ImageId, JobId, Pid } from "../base/ids.ts";
import type { CallArgs, ChildEnd, SignalName } from "../wire/calls.ts";
import type { EncodedImage, Learned, Snapshot } from "../wire/messages.ts";
import type { Cache } from "./cached.ts";
import type { Tally } from "./tally.ts";

export interface JobSpec {
  readonly id: JobId;
  readonly name: string;
  readonly program: { readonly source: string; readonly fileName: string };
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** IANA name of the home's time zone. */
  readonly zone: string;
  /** Linear memory of each process. */
  readonly memoryBytesMax: number;
  /** Alive, or ended and not waited for: a fork beyond it fails. */
  readonly processesMax: number;
  /** Suspend, encode and move at every Kth interrupt poll and at every system call; 0: never without need. */
  readonly preemptEvery: number;
  /** Whether snapshots are taken for restarts' sake while it runs. Without, a restart repeats all that was computed since the last move or fork. */
  readonly durable: boolean;
  /** Randomness of the job: seeds every process's Math.random. */
  readonly seed: bigint;
}

/** A call the home has taken and not answered. */
export type Pending = { readonly call: CallNumber } & (
  | { readonly for: "wait"; readonly child: number; readonly dueMs: number | undefined }
  | { readonly for: "sleep"; readonly dueMs: number }
  | { readonly for: "letter"; readonly which: Which; readonly dueMs: number | undefined }
  | { readonly for: "meeting"; readonly group: string }
  | { readonly for: "tuple"; readonly template: Template; readonly remove: boolean }
  | { readonly for: "line" }
  | { readonly for: "file"; readonly request: Uint8Array }
  | { readonly for: "move" }
);

/** A message that has been sent and not yet received. */
export interface Letter {
  readonly from: Pid;
  /** By which call of its sender's. Undefined: the home wrote it. */
  readonly sent: CallNumber | undefined;
  readonly tag: string;
  readonly value: Uint8Array;
  /** Of a letter that says how `from` ended. */
  readonly end: ChildEnd | undefined;
}

export interface Which {
  /** -1: anybody. */
  readonly from: number;
  readonly tag: string | undefined;
}

/** A letter on its way to those of its receivers whose mailboxes were full. */
export interface Undelivered {
  /** To be answered when it is delivered. Undefined: nobody waits for that. */
  call: CallNumber | undefined;
  readonly letter: Letter;
  readonly to: Set<Pid>;
}

export interface Group {
  /** By rank; a rank that was given up is given again. */
  readonly members: Map<number, Pid>;
  /** Those who have come to the meeting that is being held. */
  readonly present: Map<Pid, { readonly call: CallNumber; readonly args: CallArgs<"meet"> }>;
}

export type Tuple = CallArgs<"out">["fields"];
export type Template = CallArgs<"find">["template"];

export interface Space {
  readonly tuples: Tuple[];
  bytes: number;
  /** Who waits for a tuple, the longest first. */
  readonly waiting: Set<Pid>;
}

export type PlacedWhy = "started" | "forked" | "reclaimed" | "recalled" | "preempted" | "lost" | "refused";

/** A process is copied to where it is to go, while it runs. */
export interface Copying {
  readonly to: HostId;
  rounds: number;
  /** When the current round was asked for, and by when it must be over. */
  askedMs: number;
  answerByMs: number;
  /** How long the round before took, until its goal had read it. */
  tookMs: number;
  /** What the last round brought, and the one before, if this one continued that. */
  bytes: number;
  bytesBefore: number;
  /** The image of the last round. */
  last: ImageId | undefined;
  /** The image that the goal is reading. */
  reading: ImageId | undefined;
}

/** A host that is sent what a process is made of before the process itself. */
export interface Goal {
  readonly host: HostId;
  readonly hostName: string;
  /** The process follows when the host has this image. */
  readonly image: ImageId;
  /** When the host must have said so. */
  readonly answerByMs: number;
}

/** Wants a host. */
export interface Nowhere {
  readonly kind: "nowhere";
  readonly why: PlacedWhy;
  /** Which one, when somebody chose. */
  readonly next: HostId | undefined;
  /** None was there for it; looked again when hosts change. */
  inVain?: boolean;
  goal?: Goal | undefined;
  /** What its goals have been sent for it so far. */
  goalBytes?: number;
  /** The host has forgotten what it was sent: all of it goes there with the process. */
  readonly withAll?: boolean;
}

export type Where =
  | Nowhere
  /** `recalledTo` is set while the host has been asked to send it back: where it is to go. */
  | {
      readonly kind: "at";
      readonly host: HostId;
      readonly sinceMs: number;
      recalledTo: HostId | undefined;
      /** Set while its memory is copied to the host it is to move to, and it runs on. */
      copying: Copying | undefined;
      /** Images of its next snapshot. */
      ahead: readonly EncodedImage[];
      /** Whether the placement brought all images along, none being thought known there. */
      readonly sentAll: boolean;
      /** When the host must have begun to run it, or sent it back. Infinity: nothing is asked of it. */
      answerByMs: number;
    }
  | { readonly kind: "ended" };

/** One stay on a host, for the author to see. Nothing of it changes once it has been left, or another has begun. */
export interface StayRecord {
  readonly host: HostId;
  readonly hostName: string;
  readonly why: PlacedWhy;
  /** Bytes of the image that travelled. */
  readonly imageBytes: number;
  readonly placedMs: number;
  runningMs: number | undefined;
  leftMs: number | undefined;
  /** For how long it ran nowhere before it ran here. */
  freezeMs: number | undefined;
  cpuMs: number;
}

export interface End {
  readonly status: number;
  readonly signal: SignalName | undefined;
  /** Encoded by the guest. */
  readonly value: Uint8Array;
}

export interface Process {
  readonly pid: Pid;
  ppid: Pid;
  readonly on: CallArgs<"fork">["on"];
  /** Only grows. The process runs at most at `where.host`, under this number. */
  epoch: Epoch;
  where: Where;
  /** What it is started from: the program, or its latest snapshot. */
  snapshot: Snapshot | undefined;
  /** For Math.random; only until a snapshot contains it. */
  seed: Uint8Array | undefined;
  /** Everything it learned since `snapshot`, so that a second run is the same as the first. */
  readonly answers: Map<CallNumber, Uint8Array>;
  answersBytes: number;
  clock: Learned["clock"];
  saveAsked: boolean;
  pending: Pending | undefined;
  /** The latest call that the process blocks in, or has blocked in. */
  blockedIn: CallNumber | undefined;
  paused: boolean;
  /** For which signals the program has handlers; and which of them have come and are not told yet. */
  readonly handled: Set<SignalName>;
  readonly signals: Set<SignalName>;
  readonly mailbox: Letter[];
  mailboxBytes: number;
  /** What it sent and is not delivered, in the order of sending. */
  readonly undelivered: Undelivered[];
  /** Who wants a letter when it ends, and with which tag. */
  readonly watchers: { readonly pid: Pid; readonly tag: string }[];
  end: End | undefined;
  /** Whether `wait` has told the parent. */
  reaped: boolean;
  /** Hosts that died, or failed, under it since it last came further: since its latest snapshot that is of a later moment. */
  hostsLost: number;
  /** The latest of them, LIMITS.staysKept: one is dropped only when another comes. */
  readonly stays: StayRecord[];
  cpuMs: number;
  /** Of that, what is in the snapshot. */
  cpuSavedMs: number;
  /** What its last snapshot cost its host. */
  saveCostMs: number;
  /** Since when it has run nowhere. */
  frozenSinceMs: number | undefined;
  memoryBytes: number;
  readonly bornMs: number;
  endedMs: number | undefined;
}

export interface HostRecord {
  readonly id: HostId;
  readonly name: string;
  readonly platform: string;
  /** The launcher's own. */
  readonly local: boolean;
  slots: number;
  /** What it gives to this job's processes together, the largest of them included. */
  memoryBytes: number;
  /** Why it takes nothing, in words. */
  reason: string;
  /** It has not said for long that it has what it was sent. Until it does, nothing is sent there. */
  isMute: boolean;
  /** When something of this job left it last; until then, when it came. */
  leftMs: number;
  /** Of what it said last to be now, how late that was here. */
  readonly latenessMs: number[];
  /** What it was sent, or sent: it need not be sent again. */
  readonly images: Set<ImageId>;
  /** Those of them that other messages may overtake: by the last image of a `prepare` that it has not confirmed, what came with that. */
  readonly onTheirWay: Map<ImageId, ReadonlySet<ImageId>>;
}

export interface HomeState {
  readonly spec: JobSpec;
  readonly processes: Map<Pid, Process>;
  readonly hosts: Map<HostId, HostRecord>;
  /** All that the processes' snapshots are made of. */
  readonly images: Map<ImageId, Uint8Array>;
  readonly cache: Cache;
  readonly groups: Map<string, Group>;
  readonly space: Space;
  readonly tally: Tally;
  nextPid: number;
  /** Processes begin with this epoch: it is above all that the homes before this one have given out. */
  readonly firstEpoch: Epoch;
  ended: boolean;
}
