/**
 * A home's clock as a host knows it: what its messages said when they left. The one that was on its way for the shortest time says
 * most (clock filter; Mills 1991). So it is behind by that way and never ahead, at both ends of a move, and a freeze from
 * what the one says to what the other says is as long as it was, give or take that way.
 */
export interface HomeClock {
  /** Home time minus our monotonic time, by the message that says most. */
  readonly offsetMs: number;
  /** When that came. */
  readonly heardMs: number;
}

export const UNHEARD: HomeClock = { offsetMs: Number.NEGATIVE_INFINITY, heardMs: 0 };

/** Two clocks drift apart by no more than this. */
const DRIFT = 1e-4;

/** The home's time at `atMs` of our monotonic time. */
export const homeTime = ({ offsetMs, heardMs }: HomeClock, atMs: number): number =>
  atMs + offsetMs - DRIFT * Math.abs(atMs - heardMs);

/** A message has come that left at `homeMs`. */
export const heard = (clock: HomeClock, homeMs: number, nowMs: number): HomeClock =>
  homeMs > homeTime(clock, nowMs) ? { offsetMs: homeMs - nowMs, heardMs: nowMs } : clock;
