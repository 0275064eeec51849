/** Somebody to whom things happen: a machine with a home or a host on it, or a worker. It can sleep, and it can die. */
import type { World } from "./world.ts";

export class Party {
  alive = true;
  /** How many times slower than others. */
  slowness = 1;
  readonly #world: World;
  /** What has come while it slept, in order. */
  readonly #waiting: (() => void)[] = [];
  #asleepUntilMs = Number.NEGATIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
  }

  get asleep(): boolean {
    return this.#asleepUntilMs > this.#world.nowMs;
  }

  /** For how long yet. */
  get sleepsMs(): number {
    return Math.max(0, this.#asleepUntilMs - this.#world.nowMs);
  }

  /** Happens to the party now, or when it wakes, or not at all. */
  readonly enter = (run: () => void): void => {
    if (!this.alive) return;
    if (this.asleep || this.#waiting.length > 0) this.#waiting.push(run);
    else run();
  };

  /** Nothing happens to it for so long; then everything, in order. */
  sleep(ms: number): void {
    const untilMs = this.#world.nowMs + ms;
    if (untilMs <= this.#asleepUntilMs) return;
    this.#asleepUntilMs = untilMs;
    this.#world.at(untilMs, () => this.#work());
  }

  wake(): void {
    this.#asleepUntilMs = Number.NEGATIVE_INFINITY;
    this.#work();
  }

  /** One thing a step. */
  #work(): void {
    if (this.asleep) return;
    const next = this.#waiting.shift();
    if (this.#waiting.length > 0) this.#world.after(0, () => this.#work());
    if (next && this.alive) next();
  }
}
