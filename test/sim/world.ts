/**
 * A fabric on one thread with one virtual clock and one seed: real homes, kernels, daemons and executors; only the
 * interpreters, the links and time itself are stand-ins. The same seed gives the same history.
 */
import type { Clock, Link, LinkEnd, Random } from "../../fabric/base/ports.ts";

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
  readonly run: () => void;
}

export class World {
  readonly random: () => number;
  nowMs = 1_700_000_000_000;
  readonly transcript: string[] = [];
  readonly #queue: Happening[] = [];
  #order = 0;
  readonly #held = new Set<Promise<unknown>>();

  constructor(seed: number) {
    this.random = chance(seed);
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  note(sentence: string): void {
    this.transcript.push(`${(this.nowMs - 1_700_000_000_000).toFixed(1).padStart(9)}  ${sentence}`);
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.nowMs + ms, run);
  }

  at(atMs: number, run: () => void): () => void {
    const happening = { atMs, order: this.#order++, run };
    let at = this.#queue.length;
    while (at > 0 && later(this.#queue[at - 1], happening)) at--;
    this.#queue.splice(at, 0, happening);
    return () => {
      const index = this.#queue.indexOf(happening);
      if (index >= 0) this.#queue.splice(index, 1);
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
      const next = this.#queue.shift();
      if (!next || next.atMs > deadline) return false;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
      await new Promise(setImmediate); // promises inside a party settle before anything else happens
      while (this.#held.size > 0) {
        await Promise.all(this.#held);
        await new Promise(setImmediate);
      }
    }
    return true;
  }

  /** A party's own clock: wrong by `skewMs`, and silent for ever once the party is dead. */
  clock(skewMs: number, alive: () => boolean): Clock {
    return {
      now: () => this.nowMs + skewMs,
      monotonic: () => this.nowMs + skewMs / 3,
      after: (ms, run) => this.after(ms, () => alive() && run()),
    };
  }

  randomBytes(): Random {
    return { bytes: (length) => Uint8Array.from({ length }, () => Math.floor(this.random() * 256)) };
  }

  /** Two ends of a link with delays. `cut` loses what is under way; each end learns it in its own time. */
  link(alive: () => boolean): { ends: [Link, Link]; cut: (reason: string) => void } {
    let open = true;
    const make = (): SimulatedEnd => new SimulatedEnd(this, alive);
    const a = make();
    const b = make();
    a.other = b;
    b.other = a;
    const cut = (reason: string) => {
      if (!open) return;
      open = false;
      for (const end of [a, b]) {
        end.broken = true;
        this.after(this.between(0, 3_000), () => end.end({ reason }));
      }
    };
    return { ends: [a, b], cut };
  }
}

const later = (a: Happening | undefined, b: Happening) =>
  a !== undefined && (a.atMs > b.atMs || (a.atMs === b.atMs && a.order > b.order));

class SimulatedEnd implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onEnd: (end: LinkEnd) => void = () => {};
  readonly queuedBytes = 0;
  other: SimulatedEnd | undefined;
  broken = false;
  #ended = false;
  #lastArrivalMs = 0;
  readonly #world: World;
  readonly #alive: () => boolean;
  constructor(world: World, alive: () => boolean) {
    this.#world = world;
    this.#alive = alive;
  }

  send(message: Uint8Array): void {
    const { other } = this;
    if (this.broken || this.#ended || !other) return;
    const copy = message.slice();
    const arrivalMs = Math.max(this.#lastArrivalMs, this.#world.nowMs + this.#world.between(0.2, 15));
    this.#lastArrivalMs = arrivalMs;
    this.#world.at(arrivalMs, () => {
      if (!other.broken && !other.#ended && this.#alive()) other.onMessage(copy);
    });
  }

  close(reason: string): void {
    const { other } = this;
    this.end({ reason });
    this.#world.after(this.#world.between(0.2, 15), () => other?.end({ reason }));
  }

  end(how: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd(how);
  }
}
