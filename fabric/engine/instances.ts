/**
 * Instances that machines have left, warm for the next, and the way of memory between instances and images. What makes
 * a new one dear is not to make it but to touch its memory for the first time, which costs far more than copying.
 */
import type { Engine } from "./engine.ts";
import type { Host } from "./imports.ts";
import { Instance } from "./instance.ts";
import { KnownPages } from "./known-pages.ts";
import { inCommon, layOver, PAGE_BYTES, type Page, pageCount, pagesOf, UNKNOWN } from "./pages.ts";

/** Memory kept for the next machines. */
const IDLE_BYTES_MAX = 32 << 20;

/** Of memory that is new, copied at once: some 4 ms, most of which goes to touching the copy for the first time. */
const AHEAD_PAGES = 256;

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
  promiseRejection: nobody,
};

/** An instance that nobody has. */
interface Idle {
  readonly instance: Instance;
  readonly memoryBytes: number;
  /** The pages that its memory begins with, as far as that is known. */
  readonly holds: readonly Page[];
}

export class Instances {
  readonly #engine: Engine;
  readonly #known = new KnownPages();
  readonly #idle: Idle[] = [];
  #idleBytes = 0;
  /** The one that was read last, while its memory is as it was then. */
  #lastRead: { readonly instance: Instance; readonly pages: readonly Page[] } | undefined;
  /** What the memory of a new one holds. */
  readonly #pristine: readonly Page[];

  /** `pristine`: an instance in which nothing has run. */
  constructor(engine: Engine, pristine: Instance) {
    this.#engine = engine;
    this.#pristine = pagesOf(pristine.bytes.slice());
  }

  /** One whose memory is these pages and then zeros. Throws RoostError ENOMEM where the host has no memory for it. */
  take(host: Host, pages: readonly Page[], memoryBytes: number): Instance {
    const warm = this.#takeWarm(memoryBytes, pages);
    const instance = warm?.instance ?? new Instance(this.#engine, host);
    instance.host = host;
    instance.resize(memoryBytes);
    // A new one's zeros cost the host no memory until they are touched.
    if (warm) this.#layOver(instance, pages, warm);
    else layOver(instance.bytes, pages, this.#pristine);
    this.#known.learn(instance, pages);
    return instance;
  }

  /** Makes the memory of one that holds `before` and has not run hold `pages`. */
  advance(instance: Instance, pages: readonly Page[], before: readonly Page[]): void {
    this.changes(instance);
    layOver(instance.bytes, pages, before);
    this.#known.learn(instance, pages, before);
  }

  /** To be said before anything in an instance's memory changes. */
  changes(instance: Instance): void {
    if (this.#lastRead?.instance === instance) this.#lastRead = undefined;
  }

  /**
   * Takes back one that is stopped and that nobody uses any more. `holds`: pages that its memory begins with, to the last
   * byte, where that is known.
   */
  give(instance: Instance, holds: readonly Page[] = []): void {
    const memoryBytes = instance.bytes.length;
    this.changes(instance);
    instance.host = NOBODY;
    instance.fingerprints.forget();
    if (this.#idleBytes + memoryBytes > IDLE_BYTES_MAX) return;
    this.#idle.push({ instance, memoryBytes, holds });
    this.#idleBytes += memoryBytes;
  }

  /** Gives the memory of those that nobody has back to the host. */
  clear(): void {
    this.#idle.length = 0;
    this.#idleBytes = 0;
  }

  /** The pages of an instance's first `bytes`; those that are as in `like` are the same. */
  read(instance: Instance, bytes: number, like: readonly Page[]): Page[] {
    const pages = this.#known.read(instance, bytes, like);
    // Where most have changed, their copies are what is in the processor's cache, and not the memory.
    this.#lastRead = inCommon(pages, like) > pages.length / 2 ? { instance, pages } : undefined;
    return pages;
  }

  /** Some more of them than are in `before`; undefined where these are most. */
  readAhead(instance: Instance, bytes: number, before: readonly Page[]): Page[] | undefined {
    const end = before.length + AHEAD_PAGES;
    if (end >= pageCount(bytes)) return undefined;
    return this.#known.read(instance, end * PAGE_BYTES, before, before.length);
  }

  /** Writes every byte that the instance had when it was given back, but those that are known to be as they should. Beyond are zeros. */
  #layOver({ bytes }: Instance, pages: readonly Page[], { holds, memoryBytes }: Idle): void {
    if (this.#lastRead?.pages === pages && inCommon(holds, pages) < pages.length / 2) {
      // A fork's child, of a parent that waits: one copy, of what is in the processor's cache.
      const end = pages.length * PAGE_BYTES;
      bytes.set(this.#lastRead.instance.bytes.subarray(0, end));
      bytes.fill(0, end, memoryBytes);
      return;
    }
    const before = [...holds];
    while (before.length < pages.length) before.push(UNKNOWN);
    bytes.fill(0, before.length * PAGE_BYTES, memoryBytes);
    layOver(bytes, pages, before);
  }

  /** The smallest that is large enough, else the largest; of several of that size the one that holds most of the pages. */
  #takeWarm(memoryBytes: number, pages: readonly Page[]): Idle | undefined {
    const sizes = this.#idle.map((x) => x.memoryBytes);
    const enough = sizes.filter((bytes) => bytes >= memoryBytes);
    const size = enough.length > 0 ? Math.min(...enough) : Math.max(...sizes);
    let best = -1;
    let most = -1;
    this.#idle.forEach((x, i) => {
      const here = x.memoryBytes === size ? inCommon(x.holds, pages) : -1;
      if (here > most) [best, most] = [i, here];
    });
    if (best < 0) return undefined;
    this.#idleBytes -= size;
    return this.#idle.splice(best, 1)[0];
  }
}
