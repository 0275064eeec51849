/** What a host's daemon and its executors (workers that own interpreters) say to each other: plain data, cloned. */
import type { ErrorCode } from "../base/errors.ts";
import type { CachedId, CallNumber, ImageId } from "../base/ids.ts";
import type { EncodedImage, Learned, MessageOf, Snapshot, Stay, Used } from "../wire/messages.ts";

/**
 * A link to a home, numbered by the daemon; no number is given twice. What one home says is of no process of another's, and of no
 * image, whatever those are called: who has been a job's host knows its name and theirs, and could be another host's home.
 */
export type HomeLink = number & { readonly link: unique symbol };

/** Names one stay of one process on this host. A process that comes back has another epoch, and so another key. */
export const stayKey = (home: HomeLink, { job, pid, epoch }: Stay): StayKey =>
  `${home}/${job}/${pid}/${epoch}`;
export type StayKey = `${number}/${string}/${number}/${number}`;

/** Why a snapshot is taken. After "save" the process goes on; after the others it stays frozen until dropped. */
export type SnapshotReason = "save" | "reclaimed" | "recalled" | "preempted";

export type Command =
  /** `place.images` is the whole chain. */
  | {
      readonly type: "place";
      readonly key: StayKey;
      readonly home: HomeLink;
      readonly place: MessageOf<"place">;
    }
  | {
      readonly type: "answer";
      readonly key: StayKey;
      readonly call: CallNumber;
      readonly answer: Uint8Array;
      readonly now: number;
      readonly cached: CachedId | undefined;
      readonly noMail: boolean;
    }
  /** Wants `forgotten`. */
  | { readonly type: "stale"; readonly home: HomeLink; readonly cached: readonly CachedId[] }
  | {
      readonly type: "snapshot";
      readonly key: StayKey;
      readonly why: Exclude<SnapshotReason, "preempted">;
      /** This may be the last that is heard of this host: nothing of it goes ahead. */
      readonly hurries?: boolean;
    }
  /** Answer to `ahead`, whose last image this is. */
  | { readonly type: "got"; readonly key: StayKey; readonly image: ImageId }
  | { readonly type: "pause"; readonly key: StayKey; readonly paused: boolean }
  | { readonly type: "interrupt"; readonly key: StayKey }
  | { readonly type: "drop"; readonly key: StayKey }
  /** A process will come that continues the last of these, a whole chain. Wants `prepared`. */
  | {
      readonly type: "prepare";
      readonly home: HomeLink;
      readonly chain: readonly EncodedImage[];
      readonly memoryBytesMax: number;
    }
  /** Nothing runs from here on until `go`; commands that take no guest steps are still carried out. */
  | { readonly type: "halt" }
  /** The machine is its owner's again: nothing is kept but what processes that are here are made of. */
  | { readonly type: "tidy" }
  /** From here on it runs guests for this share of its time, in (0, 1], and rests for the others. */
  | { readonly type: "pace"; readonly share: number }
  /** Wants `alive`. */
  | { readonly type: "ask" }
  | { readonly type: "go" };

export type Report =
  | { readonly type: "running"; readonly key: StayKey }
  /** Said before its turn, where the turn before was another's: if the worker is never heard of again, it is this one's doing. */
  | { readonly type: "turn"; readonly key: StayKey }
  | {
      readonly type: "call";
      readonly key: StayKey;
      readonly call: CallNumber;
      readonly request: Uint8Array;
      readonly waits: boolean;
      readonly learned: Learned;
      readonly snapshot: Snapshot | undefined;
      /** Those of its chain that nobody has yet. */
      readonly images: EncodedImage[];
      readonly tookMs: number;
    }
  | {
      readonly type: "snapshot";
      readonly key: StayKey;
      readonly why: SnapshotReason;
      /** Undefined: the home has one that is as good, or the process has not begun. */
      readonly snapshot: Snapshot | undefined;
      readonly images: EncodedImage[];
      readonly learned: Learned;
      /** Since it stopped. */
      readonly tookMs: number;
      /** Of one that leaves and has begun. */
      readonly used?: Used;
    }
  /** Of a snapshot that is reported when they are at the home. */
  | { readonly type: "ahead"; readonly key: StayKey; readonly images: EncodedImage[] }
  | { readonly type: "failed"; readonly key: StayKey; readonly code: ErrorCode; readonly reason: string }
  | { readonly type: "usage"; readonly key: StayKey; readonly used: Used }
  /** Answer to `stale`: these are not given again, and that they were is reported. */
  | { readonly type: "forgotten" }
  /** Answer to `prepare`; `image` is the last of the chain. A failure shows when the process comes. */
  | { readonly type: "prepared"; readonly image: ImageId }
  /** Answer to `halt`: no guest instruction is executed any more. */
  | { readonly type: "halted" }
  /** Answer to `ask`: no guest holds the worker. */
  | { readonly type: "alive" };

/** A worker that runs interpreters, seen from the daemon. */
export interface ExecutorPort {
  command(command: Command): void;
  /** Set once by the daemon. `agoMs`: for how long the report has waited for the daemon's thread, where that is known. */
  onReport: (report: Report, agoMs?: number) => void;
  /** The worker is gone, with everything in it. */
  onEnd: (reason: string) => void;
  close(): void;
}
