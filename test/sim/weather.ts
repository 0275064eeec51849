/**
 * What may go wrong in one history. Every seed draws which kinds of trouble there are and how much of each (swarm testing:
 * Groce et al. 2012), and turns some limits down so that what is rare elsewhere happens often here (as FoundationDB does).
 */
import { LIMITS } from "../../fabric/base/limits.ts";
import type { World } from "./world.ts";

const TROUBLES = [
  "crash",
  "cut",
  "partition",
  "one way",
  "stall",
  "sleep",
  "slow",
  "reclaim",
  "terms",
  "worker crash",
  "stuck",
  "recall",
  "relay restart",
  "leave",
  "hidden",
  "home restarts",
] as const;
export type Trouble = (typeof TROUBLES)[number];

export interface Weather {
  /** What happens, and after how many steps: as parts of those that the job takes undisturbed. */
  readonly troubles: readonly { readonly what: Trouble; readonly at: number }[];
  readonly hosts: number;
  readonly preemptEvery: number;
  /** Hours, either way. */
  readonly skewHours: number;
  /** How much faster or slower than others a clock may be. */
  readonly drift: number;
  readonly delayMs: number;
  /**
   * Its home is kept in a store, of which a write takes so long at most: as a page's, its files with it, or as one beside
   * whose files are on a disk that outlives it.
   */
  readonly kept: { readonly writeMs: number; readonly diskOutlives: boolean } | undefined;
  /** Of a host that has little: as parts of a process. */
  readonly memoryProcesses: number | undefined;
}

export const fairWeather: Weather = {
  troubles: [],
  hosts: 0,
  preemptEvery: 0,
  skewHours: 0,
  drift: 0,
  delayMs: 1,
  kept: undefined,
  memoryProcesses: undefined,
};

/** Part of the histories whose home is kept, and dies: they take longest. */
const RESTARTS = 0.15;

export function drawWeather(world: World): Weather {
  const kinds = TROUBLES.filter((what) => world.random() < (what === "home restarts" ? RESTARTS : 0.3));
  const often = world.random() < 0.15 ? 12 : 4;
  const troubles = kinds.flatMap((what) =>
    Array.from({ length: world.whole(1, often) }, () => ({ what, at: world.between(0, 1.1) })),
  );
  return {
    troubles: troubles.toSorted((a, b) => a.at - b.at),
    hosts: world.whole(1, 5),
    preemptEvery: world.random() < 0.12 ? world.whole(1, 6) : 0,
    skewHours: world.random() < 0.5 ? 30 : 0,
    drift: world.random() < 0.3 ? 0.2 : 0,
    delayMs: world.pick([2, 15, 15, 120]) ?? 15,
    kept: kinds.includes("home restarts")
      ? { writeMs: world.pick([1, 20, 200]) ?? 20, diskOutlives: world.random() < 0.5 }
      : undefined,
    memoryProcesses: world.random() < 0.15 ? world.between(1, 4) : undefined,
  };
}

/** Workers crash, one after the other, and nothing else is wrong. */
export function workerCrashes(world: World): Weather["troubles"] {
  const what = "worker crash";
  return Array.from({ length: 20 }, () => ({ what, at: world.between(0, 1.1) }) as const).toSorted(
    (a, b) => a.at - b.at,
  );
}

type Knobs = { -readonly [N in keyof typeof LIMITS]?: number };

/** With so many hosts dying, a process must not be given up for it. And a call takes a hundred times as long here as on a machine. */
const ALWAYS: Knobs = {
  hostsLostPerProcess: Number.POSITIVE_INFINITY,
  handedMs: 2_000,
  outputPartBytes: 50,
};

const KNOBS: Record<string, (world: World) => Knobs> = {
  "short chains": (world) => ({ imageChain: world.whole(2, 5) }),
  "hosts forget images": (world) => ({ imageCacheBytes: world.whole(50, 2_000) }),
  "short logs": (world) => ({ logEntries: world.whole(4, 40) }),
  "small logs": (world) => ({ logBytes: world.whole(40, 2_000) }),
  "small mailboxes": (world) => ({ mailboxLetters: world.whole(1, 6) }),
  "little is posted": (world) => ({ postedBytes: world.whole(1, 200) }),
  "little is kept": (world) => ({ cachedBytes: world.whole(1, 300) }),
  "kept for a moment": (world) => ({ cachedMs: world.whole(1, 50) }),
  impatience: (world) => ({ patienceMs: world.whole(300, 5_000) }),
  "evictions in a hurry": (world) => ({ evictionMs: world.whole(500, 3_000) }),
  "short memory": (world) => ({ endedKept: world.whole(30, 60), staysKept: world.whole(2, 5) }),
  "copied while it runs": (world) => ({
    precopyBytes: 1,
    precopyRestBytes: world.whole(1, 200),
    usageEveryMs: world.whole(1, 5),
  }),
  "checkpoints often": (world) => ({
    checkpointEveryMs: world.whole(1, 30),
    usageEveryMs: world.whole(1, 5),
  }),
  "images take long": (world) => ({
    imageParts: world.whole(100, 400),
    checkpointEveryMs: world.whole(1, 10),
    usageEveryMs: world.whole(1, 5),
  }),
  "images go ahead": (world) => ({
    aheadBytes: world.whole(0, 100),
    aheadOfStandingBytes: world.whole(0, 100),
    checkpointEveryMs: world.whole(1, 30),
    usageEveryMs: world.whole(1, 5),
  }),
  "few processes a host": (world) => ({ processesPerHost: world.whole(1, 4) }),
};

/** Turns some limits down, until `Symbol.dispose`. `always`: these among them; `never`: some that the programs cannot do without. */
export function drawLimits(
  world: World,
  {
    always = [],
    never = [],
  }: { readonly always?: readonly string[]; readonly never?: readonly string[] } = {},
): Disposable & { readonly names: string[] } {
  const names = Object.keys(KNOBS).filter(
    (name) => (world.random() < 0.12 || always.includes(name)) && !never.includes(name),
  );
  return limits(names.map((name) => KNOBS[name]?.(world) ?? {}).concat(ALWAYS), names);
}

export const usualLimits = () => limits([], []);

function limits(changes: readonly Knobs[], names: string[]): Disposable & { readonly names: string[] } {
  const before = { ...LIMITS };
  Object.assign(LIMITS, ...changes);
  return { names, [Symbol.dispose]: () => void Object.assign(LIMITS, before) };
}
