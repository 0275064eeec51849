/** What a host's kernel knows: plain data, changed by `step` alone. */
import type { HostId, ImageId, JobId } from "../base/ids.ts";
import type { Departure } from "../migrate/departure.ts";
import type { Stay } from "../wire/messages.ts";
import type { HomeLink, StayKey } from "./executor-messages.ts";
import { type HomeClock, UNHEARD } from "./home-clock.ts";
import type { Status } from "./room.ts";
import type { Forgetting } from "./stale.ts";
import { NO_TERMS, type Terms } from "./terms.ts";

/** A process that is here, or just leaving. */
export interface Guest extends Stay {
  readonly key: StayKey;
  readonly home: HomeLink;
  readonly executor: number;
  readonly jobName: string;
  readonly sinceMs: number;
  departure: Departure | undefined;
  /** By its home; the owner may hold it besides. */
  paused: boolean;
  cpuMs: number;
  /** Of that, what was computed when a snapshot was last asked for. */
  cpuSavedMs: number;
  memoryBytes: number;
}

export interface Home {
  /** The launcher's own host always serves its own jobs. */
  readonly own: boolean;
  readonly host: HostId;
  readonly name: string;
  clock: HomeClock;
  /** What it was told last of what it may send. */
  told: Status | undefined;
  /** Images of its processes that came through here. */
  readonly images: Map<ImageId, Uint8Array>;
  imagesBytes: number;
  /** Which executor has been given the image that a process will come with. */
  readonly prepared: Map<ImageId, number>;
  /** Of which images the home waits to hear that they have been read. */
  readonly preparing: Map<ImageId, { readonly job: JobId; readonly executor: number }>;
}

export const newHome = ({ own, host, name }: Pick<Home, "own" | "host" | "name">): Home => ({
  own,
  host,
  name,
  clock: UNHEARD,
  told: undefined,
  images: new Map(),
  imagesBytes: 0,
  prepared: new Map(),
  preparing: new Map(),
});

/** What a reclaim (or a plain eviction) came to, for the owner. */
export interface Receipt {
  /** From the owner's wish until no guest instruction ran any more. */
  readonly cpuBackMs: number;
  /** From the owner's wish until nothing of any guest was left here. */
  readonly emptyMs: number;
  readonly left: readonly { readonly jobName: string; readonly pid: number; readonly to: string }[];
}

interface Reclaim {
  readonly beganMs: number;
  /** When the last of those that have confirmed it stood still. */
  haltedMs: number;
  /** Executors that have not confirmed that they stand still. */
  readonly running: Set<number>;
  readonly left: { jobName: string; pid: number; to: string }[];
}

interface ExecutorRecord {
  /** For how long it has not answered, counting ticks, so that a machine that slept takes nobody for stuck. */
  silentMs: number;
  /** Whose turn it was when it was last heard of. */
  turn: StayKey | undefined;
  /** How many processes are on it. */
  guests: number;
}

/** What a host has done for others: processes that it took in, and what they have computed here. */
export interface Given {
  hosted: number;
  cpuMs: number;
}

export interface KernelState {
  readonly guests: Map<StayKey, Guest>;
  readonly homes: Map<HomeLink, Home>;
  /** Executors by number, which is never given again. */
  readonly executors: Map<number, ExecutorRecord>;
  terms: Terms;
  reclaim: Reclaim | undefined;
  forgetting: Forgetting[];
  /** To others, since the start. */
  readonly given: Given;
}

export const newExecutor = (): ExecutorRecord => ({ silentMs: 0, turn: undefined, guests: 0 });

export const newKernel = (executors: Iterable<number>): KernelState => ({
  guests: new Map(),
  homes: new Map(),
  executors: new Map(Array.from(executors, (n) => [n, newExecutor()])),
  terms: NO_TERMS,
  reclaim: undefined,
  forgetting: [],
  given: { hosted: 0, cpuMs: 0 },
});
