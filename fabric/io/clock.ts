import type { Clock } from "../base/ports.ts";

let beginMs = Date.now() - performance.now();

/** This machine's clock, which never steps back. Works in pages, workers and Node. */
export const systemClock: Clock = {
  now() {
    const sinceMs = performance.now();
    // Followed where it is set ahead, as after a machine's sleep. Set back, all that sleeps would stand still for as long.
    beginMs = Math.max(beginMs, Date.now() - sinceMs);
    return Math.round(beginMs + sinceMs);
  },
  monotonic: () => performance.now(),
  after(ms, run) {
    // Timers hold at most 2^31 ms: longer waits go in steps.
    const step = Math.min(ms, 0x7fff_ffff);
    const timer = setTimeout(function ring() {
      if (step < ms) cancel = systemClock.after(ms - step, run);
      else run();
    }, step);
    let cancel = () => clearTimeout(timer);
    return () => cancel();
  },
};
