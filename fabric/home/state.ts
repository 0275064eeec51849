/** What a job's home knows: its processes, where each is, and how each could be started again. */
import type { CallNumber, Epoch, HostId, ImageId, JobId, Pid } from "../base/ids.ts";
import type { CallArgs, SignalName } from "../wire/calls.ts";
import type { Learned, Snapshot } from "../wire/messages.ts";

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
  /** Suspend, encode and move at every Kth interrupt poll and at every system call; 0: never without need. */
  readonly preemptEvery: number;
  /** Randomness of the job: seeds every process's Math.random. */
  readonly seed: bigint;
}

/** A call the home has taken and not answered. */
export type Pending = { readonly call: CallNumber } & (
  | { readonly for: "wait"; readonly child: number; readonly dueMs: number | undefined }
  | { readonly for: "sleep"; readonly dueMs: number }
  | { readonly for: "line" }
  | { readonly for: "file" }
  | { readonly for: "move" }
);

export type PlacedWhy = "started" | "forked" | "reclaimed" | "recalled" | "preempted" | "lost" | "refused";

export type Where =
  /** Wants a host. `next`: which one, when somebody chose. */
  | { readonly kind: "nowhere"; readonly why: PlacedWhy; readonly next: HostId | undefined }
  /** `recalledTo` is set while the host has been asked to send it back: where it is to go. */
  | {
      readonly kind: "at";
      readonly host: HostId;
      readonly sinceMs: number;
      recalledTo: HostId | undefined;
      /** Whether the placement brought all images along, none being thought known there. */
      readonly sentAll: boolean;
      /** When the host must have begun to run it, or sent it back. Infinity: nothing is asked of it. */
      answerByMs: number;
    }
  | { readonly kind: "ended" };

/** One stay on a host, for the author to see. */
export interface StayRecord {
  readonly host: HostId;
  readonly hostName: string;
  readonly why: PlacedWhy;
  /** Bytes of the image that travelled. */
  readonly imageBytes: number;
  readonly placedMs: number;
  runningMs: number | undefined;
  leftMs: number | undefined;
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
  paused: boolean;
  end: End | undefined;
  /** Whether `wait` has told the parent. */
  reaped: boolean;
  /** Hosts that died, or failed, under it. */
  hostsLost: number;
  /** The latest of them, LIMITS.staysKept. */
  readonly stays: StayRecord[];
  cpuMs: number;
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
  /** Why it takes nothing, in words. */
  reason: string;
  readonly linkedMs: number;
  /** What it was sent, or sent: it need not be sent again. */
  readonly images: Set<ImageId>;
}

export interface HomeState {
  readonly spec: JobSpec;
  readonly processes: Map<Pid, Process>;
  readonly hosts: Map<HostId, HostRecord>;
  /** All that the processes' snapshots are made of. */
  readonly images: Map<ImageId, Uint8Array>;
  nextPid: number;
  ended: boolean;
}
