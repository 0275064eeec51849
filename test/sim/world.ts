/**
 * One thread, one virtual clock, one seed: whatever happens in a simulated fabric is a step of this world, and the same
 * seed gives the same steps. Nothing happens between two steps, and no time passes in one.
 */
import type { Clock, Random } from "../../fabric/base/ports.ts";

/** Mulberry32 (T. Ettinger): small, and good enough to choose faults with. */
export function chance(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Happening {
  readonly atMs: number;
  readonly order: number;
  /** Undefined: it was called off. */
  run: (() => void) | undefined;
}

const BEGAN_MS = Date.UTC(2026, 0, 1);
/** A timer of a clock that is wrong is late by this, so that whoever sets it for a moment finds the moment past: sums are rounded. */
const TIMER_LATE_MS = 0.01;

export class World {
  readonly random: () => number;
  nowMs = BEGAN_MS;
  steps = 0;
  readonly transcript: string[] = [];
  /** Looks at everything after each step, and throws. */
  onStep: () => void = () => {};
  readonly #recording: boolean;
  readonly #queue: Happening[] = [];
  #order = 0;
  readonly #held = new Set<Promise<unknown>>();

  constructor(seed: number, { recording = true } = {}) {
    this.random = chance(seed);
    this.#recording = recording;
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  /** A whole number, `high` not among them. */
  whole(low: number, high: number): number {
    return Math.floor(this.between(low, high));
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.whole(0, from.length)];
  }

  /** For the transcript. A function is called only where there is one. */
  note(what: string | (() => string)): void {
    if (!this.#recording) return;
    const sentence = typeof what === "string" ? what : what();
    this.transcript.push(`${(this.nowMs - BEGAN_MS).toFixed(2).padStart(11)}  ${sentence}`);
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.nowMs + ms, run);
  }

  at(atMs: number, run: () => void): () => void {
    const happening: Happening = { atMs, order: this.#order++, run };
    siftUp(this.#queue, happening);
    return () => {
      happening.run = undefined;
    };
  }

  /** Delivers what it is given later, in order. */
  pipe<T>(maxDelayMs: number, deliver: (item: T) => void): (item: T) => void {
    let lastMs = 0;
    return (item) => {
      lastMs = Math.max(lastMs, this.nowMs + this.between(0, maxDelayMs));
      this.at(lastMs, () => deliver(item));
    };
  }

  /** No time passes until this real work is done. */
  hold<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<void> = work.then(
      () => void this.#held.delete(settled),
      () => void this.#held.delete(settled),
    );
    this.#held.add(settled);
    return work;
  }

  /** Runs until `done` or the virtual deadline; answers whether it was done. */
  async run(done: () => boolean, forMs: number): Promise<boolean> {
    const deadline = this.nowMs + forMs;
    while (!done()) {
      const next = takeFirst(this.#queue);
      if (!next || next.atMs > deadline) return false;
      if (!next.run) continue;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      await promisesSettled();
      while (this.#held.size > 0) {
        await Promise.all(this.#held);
        await new Promise(setImmediate);
      }
      this.steps++;
      this.onStep();
    }
    return true;
  }

  /**
   * A party's own clock: wrong by `skewMs`, too fast by `rate`. What it calls back goes through `enter`: a party that is
   * dead does not hear it, one that sleeps does later.
   */
  clock(skewMs: number, enter: (run: () => void) => unknown, rate = 1): Clock {
    const sinceMs = () => (this.nowMs - BEGAN_MS) * rate;
    const lateMs = skewMs === 0 && rate === 1 ? 0 : TIMER_LATE_MS;
    return {
      now: () => BEGAN_MS + skewMs + sinceMs(),
      monotonic: () => skewMs / 3 + sinceMs(),
      after: (ms, run) => this.after(ms / rate + lateMs, () => enter(run)),
    };
  }

  randomBytes(): Random {
    return { bytes: (length) => Uint8Array.from({ length }, () => Math.floor(this.random() * 256)) };
  }
}

/**
 * Resolves when every promise that can settle has: Node runs what `nextTick` was given when no microtask is left. Much
 * cheaper than a turn of the event loop.
 */
const promisesSettled = () => new Promise<void>((resolve) => process.nextTick(resolve));

const isBefore = (a: Happening, b: Happening) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap. */
function siftUp(heap: Happening[], item: Happening): void {
  let at = heap.length;
  heap.push(item);
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up];
    if (!parent || !isBefore(item, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = item;
}

function takeFirst(heap: Happening[]): Happening | undefined {
  const first = heap[0];
  const item = heap.pop();
  if (!first || !item || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let down = 2 * at + 1;
    let child = heap[down];
    const right = heap[down + 1];
    if (child && right && isBefore(right, child)) {
      child = right;
      down++;
    }
    if (!child || !isBefore(child, item)) break;
    heap[at] = child;
    at = down;
  }
  heap[at] = item;
  return first;
}
