/** A job in numbers. Pure. */
import { type JobView, movesOf } from "../fabric/index.ts";

export interface Totals {
  readonly ended: number;
  /** What all processes have computed, each by the clock of the host it was on. */
  readonly cpuMs: number;
  readonly hosts: number;
  readonly moves: number;
  /** Bytes of images, as they were sent. */
  readonly flown: number;
}

export function totalsOf(job: JobView): Totals {
  let ended = 0;
  let cpuMs = 0;
  let moves = 0;
  let flown = 0;
  const hosts = new Set<string>();
  for (const p of job.processes) {
    if (p.state === "ended") ended++;
    cpuMs += p.cpuMs;
    moves += movesOf(p);
    for (const stay of p.stays) {
      hosts.add(stay.host);
      flown += stay.imageBytes;
    }
  }
  return { ended, cpuMs, moves, flown, hosts: hosts.size };
}

/**
 * How many workers computed at once, on average: how much sooner all was done than one worker alone could have done it,
 * at most. At most, because a host knows for how long a process had its worker, and not how much of a processor the worker
 * had: workers that shared one waited for each other, a slow host took longer for the same, and what was lost with a
 * host was computed twice. Undefined: not more than one.
 */
export function speedUpOf({ cpuMs }: Pick<Totals, "cpuMs">, elapsedMs: number): number | undefined {
  const ratio = cpuMs / Math.max(1, elapsedMs);
  return ratio > 1.05 ? ratio : undefined;
}
