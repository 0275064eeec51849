import type { Clock } from "../../fabric/base/ports.ts";
import { systemClock } from "../../fabric/io/clock.ts";

/** A clock that was set wrong: by `skewMs`, and counting from another moment. */
export const skewedClock = (skewMs: number): Clock => ({
  now: () => systemClock.now() + skewMs,
  monotonic: () => systemClock.monotonic() - skewMs / 2,
  after: systemClock.after,
});
