/**
 * Instances that machines have left, warm for the next, and the way of memory between instances and images. What makes
 * a new one dear is not to make it but to touch its memory for the first time, which costs far more than copying.
 */
import type { Engine } from "./engine.ts";
import type { Host } from "./imports.ts";
import { Instance } from "./instance.ts";
import { Mirror } from "./mirror.ts";
import { layOver, type Page, pagesOf } from "./pages.ts";

/** Memory kept for the next machines. */
const IDLE_BYTES_MAX = 32 << 20;

const nobody = (): never => {
  throw new Error("bug: an instance runs that no machine has");
};
const NOBODY: Host = {
  memoryBytesMax: 0,
  now: nobody,
  zone: nobody,
  callHost: nobody,
  pollInterrupt: nobody,
  stackLow: nobody,
};

export class Instances {
  readonly #engine: Engine;
  readonly #mirror = new Mirror();
  readonly #idle: Instance[] = [];
  #idleBytes = 0;
  /** What the memory of a new one holds. */
  readonly #pristine: readonly Page[];

  /** `pristine`: an instance in which nothing has run. */
  constructor(engine: Engine, pristine: Instance) {
    this.#engine = engine;
    this.#pristine = pagesOf(pristine.bytes.slice());
  }

  /** One whose memory is these pages and then zeros. Throws RoostError ENOMEM where the host has no memory for it. */
  take(host: Host, pages: readonly Page[], memoryBytes: number): Instance {
    const warm = this.#takeWarm(memoryBytes);
    const instance = warm ?? new Instance(this.#engine, host);
    instance.host = host;
    instance.resize(memoryBytes);
    // A new one's zeros cost the host no memory until they are touched.
    layOver(instance.bytes, pages, warm ? undefined : this.#pristine);
    return instance;
  }

  /** Takes back one that is stopped and that nobody uses any more. */
  give(instance: Instance): void {
    const { byteLength } = instance.memory.buffer;
    instance.host = NOBODY;
    if (this.#idleBytes + byteLength > IDLE_BYTES_MAX) return;
    this.#idle.push(instance);
    this.#idleBytes += byteLength;
  }

  /** The pages of an instance's first `bytes`; those that are as in `like` are the same. */
  read(instance: Instance, bytes: number, like: readonly Page[]): Page[] {
    return this.#mirror.read(instance, bytes, like);
  }

  /** The smallest that is large enough, else the largest. */
  #takeWarm(memoryBytes: number): Instance | undefined {
    const sizeOf = (i: number) => this.#idle[i]?.memory.buffer.byteLength ?? 0;
    let best = 0;
    for (let i = 1; i < this.#idle.length; i++) {
      const bestIsEnough = sizeOf(best) >= memoryBytes;
      const smaller = sizeOf(i) < sizeOf(best);
      if (bestIsEnough ? smaller && sizeOf(i) >= memoryBytes : !smaller) best = i;
    }
    this.#idleBytes -= sizeOf(best);
    return this.#idle.splice(best, 1)[0];
  }
}
