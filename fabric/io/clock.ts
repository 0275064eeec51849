import type { Clock } from "../base/ports.ts";

/** This machine's clock. Works in pages, workers and Node. */
export const systemClock: Clock = {
  now: () => Date.now(),
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
