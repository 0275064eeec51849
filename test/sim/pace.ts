/** How long things take where nothing is wrong. */
import type { Way } from "./network.ts";
import type { Party } from "./party.ts";
import type { World } from "./world.ts";

export interface Range {
  readonly least: number;
  readonly most: number;
}

export interface Pace {
  /** What a slice costs a worker, beside what its program says it computes, in milliseconds of its time. */
  readonly sliceMs: Range;
  /** From one task of a worker to the next. */
  readonly taskMs: Range;
  /** The longest way between a worker and its host. */
  readonly crossingMs: number;
  /** Part of the hosts with two workers; the others have one. */
  readonly twoWorkers: number;
  /** For a link between `from` and somebody else, or between a home and the host that it shares a machine with. */
  readonly way: (from: Party, own: boolean) => Way;
}

/** Anything between quick and slow. `delayMs`: the longest way of a message over the slowest link. */
export function anyPace(world: World, delayMs: number): Pace {
  return {
    sliceMs: { least: 0.3, most: 9 },
    taskMs: { least: 0.05, most: 1 },
    crossingMs: 1,
    twoWorkers: 0.3,
    way: (_, own) => {
      const mostMs = own ? 0.5 : world.between(0.5, delayMs);
      return () => world.between(0.2, mostMs);
    },
  };
}
