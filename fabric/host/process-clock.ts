import type { Clock } from "../base/ports.ts";
import type { Learned } from "../wire/messages.ts";

/**
 * The home's time as one process sees it. It changes only at interrupt polls and calls, so that whatever the
 * process read can be written down as (moment, time) and read again by a later run; and it never steps back.
 */
export class ProcessClock {
  readonly #clock: Clock;
  readonly #replay: ReadonlyMap<number, number>;
  /** Home time minus our monotonic time: too small by a message's way, never too large. */
  #offsetMs: number;
  #moment = -1;
  /** The latest time read. */
  latestMs: number;
  /** What was read and not yet told the home. */
  learned: Learned["clock"] = [];

  constructor(clock: Clock, homeNowMs: number, latestMs: number, replay: Learned["clock"]) {
    this.#clock = clock;
    this.#offsetMs = homeNowMs - clock.monotonic();
    this.latestMs = latestMs;
    this.#replay = new Map(replay.map((x) => [x.moment, x.now]));
  }

  /** The home's clock said this when a message left that has just arrived. */
  hear(homeNowMs: number): void {
    this.#offsetMs = Math.max(this.#offsetMs, homeNowMs - this.#clock.monotonic());
  }

  /** Milliseconds since 1970. */
  read(moment: number): number {
    if (moment === this.#moment) return this.latestMs;
    this.#moment = moment;
    const before = this.#replay.get(moment);
    this.latestMs = before ?? Math.max(this.latestMs, this.#clock.monotonic() + this.#offsetMs);
    if (before === undefined) this.learned.push({ moment, now: this.latestMs });
    return this.latestMs;
  }
}
