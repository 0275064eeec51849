/**
 * What a host says of its home's time is late: it knows it by a message that was on its way (kernel/home-clock.ts), and says it in another. Of
 * what it says is now, half of that is what its clock is behind (Cristian, "Probabilistic clock synchronization", 1989); the rest, the way of its message.
 */
import type { HostRecord } from "./state.ts";

const KEPT = 9;

/** The host said that it was `saidMs` when its message left; that is here now. */
export function heardNow({ latenessMs }: HostRecord, saidMs: number, nowMs: number): void {
  latenessMs.push(Math.max(0, nowMs - saidMs));
  if (latenessMs.length > KEPT) latenessMs.shift();
}

/** The home's time for what the host calls `saidMs`. By the lower quartile of what it said last: messages wait, of times in whole milliseconds the least says too little. */
export function timeOf({ latenessMs }: HostRecord, saidMs: number): number {
  const sorted = latenessMs.toSorted((a, b) => a - b);
  return saidMs + (sorted[Math.floor(sorted.length / 4)] ?? 0) / 2;
}
