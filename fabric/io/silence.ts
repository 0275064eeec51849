/**
 * How long the other side has been silent, counting only time in which our own timer really ran: a page that was
 * hidden, throttled or stopped does not take everybody for dead when it wakes.
 */
export class Silence {
  readonly #periodMs: number;
  readonly #limitMs: number;
  #silentMs = 0;
  #tickMs: number;

  /** `periodMs`: how often `tick` means to be called; `limitMs`: the silence that is too long. */
  constructor(periodMs: number, limitMs: number, nowMs: number) {
    this.#periodMs = periodMs;
    this.#limitMs = limitMs;
    this.#tickMs = nowMs;
  }

  heard(): void {
    this.#silentMs = 0;
  }

  /** True when the silence has been too long. A tick that is late counts as one period: what keeps us busy may keep the other. */
  tick(nowMs: number): boolean {
    this.#silentMs += Math.min(nowMs - this.#tickMs, this.#periodMs);
    this.#tickMs = nowMs;
    return this.#silentMs >= this.#limitMs;
  }
}
