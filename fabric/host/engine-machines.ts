/**
 * The real interpreters, for executors. Keeps the images it has decoded or made, so that a process restored beside its
 * sibling, or written down for the second time, costs what changed and not what is there.
 */
import { Invalid } from "../base/codec.ts";
import { must } from "../base/errors.ts";
import { type ImageId, imageId as toImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import {
  type BaseImage,
  decodeImage,
  encodeImage,
  type Image,
  imageId,
  Machine,
  type NamedImage,
} from "../engine/index.ts";
import type { EncodedImage } from "../wire/messages.ts";
import type { Machines, RunningMachine } from "./machines.ts";

/** Memory of images kept, besides those that running processes continue. Pages that several share count for each. */
const CACHE_BYTES = 256 << 20;

/** The last image of a process that others have, to be continued. */
interface Last {
  readonly named: NamedImage;
  /** The first of its chain: the whole. */
  readonly first: NamedImage;
  readonly chain: ImageId[];
  /** Encoded bytes of the chain's first image, and of all after it. */
  readonly wholeBytes: number;
  readonly changesBytes: number;
}

export function engineMachines(base: BaseImage): Machines {
  const cache = new ImageCache();
  /** The first and the last image of a chain, and all between them in the cache. */
  const read = async (
    chain: readonly EncodedImage[],
    memoryBytesMax: number,
  ): Promise<{ first: NamedImage; last: NamedImage } | Invalid> => {
    let first: NamedImage | undefined;
    let last: NamedImage | undefined;
    for (const { id, bytes } of chain) {
      const image = cache.get(id) ?? (await decodeImage(base, bytes, last, memoryBytesMax));
      if (image instanceof Invalid) return image;
      if (!cache.has(id) && imageId(bytes) !== id)
        return new Invalid("the image is not the one it was sent as");
      cache.add(id, image);
      last = { id, image };
      first ??= last;
    }
    return first && last ? { first, last } : new Invalid("there is no image");
  };
  return {
    fresh: (options) => new EngineMachine(Machine.fresh(base, options), cache, undefined),
    async prepare(chain, { memoryBytesMax }) {
      await read(chain, memoryBytesMax);
    },
    async restore(chain, options) {
      const images = await read(chain, options.memoryBytesMax);
      if (images instanceof Invalid) return images;
      const { first, last: named } = images;
      const [whole, ...changes] = chain.map(({ bytes }) => bytes.length);
      const last = {
        named,
        first,
        chain: chain.map(({ id }) => id),
        wholeBytes: whole ?? 0,
        changesBytes: changes.reduce((sum, n) => sum + n, 0),
      };
      try {
        return new EngineMachine(Machine.restore(base, named.image, options), cache, last);
      } catch (error) {
        // Its memory is larger than its job allows, or than this host has left.
        return new Invalid(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

class EngineMachine implements RunningMachine {
  readonly #machine: Machine;
  readonly #cache: ImageCache;
  #last: Last | undefined;

  constructor(machine: Machine, cache: ImageCache, last: Last | undefined) {
    this.#machine = machine;
    this.#cache = cache;
    this.#last = last;
  }
  get polls() {
    return this.#machine.polls;
  }
  get memoryBytes() {
    return this.#machine.memoryBytes;
  }
  start(...args: Parameters<Machine["start"]>) {
    return this.#machine.start(...args);
  }
  resume(...args: Parameters<Machine["resume"]>) {
    return this.#machine.resume(...args);
  }
  seedRandom(seed: bigint) {
    this.#machine.seedRandom(seed);
  }
  [Symbol.dispose]() {
    this.#machine[Symbol.dispose]();
  }

  async encodeImage(): Promise<{ chain: ImageId[]; images: EncodedImage[] }> {
    const image = this.#machine.image();
    const since = this.#sinceWhich();
    const bytes = await encodeImage(image, since?.named);
    const id = toImageId(must(imageId(bytes), "name of an image just encoded"));
    const named = { id, image };
    this.#cache.add(id, image);
    this.#last = {
      named,
      first: since?.first ?? named,
      chain: [...(since?.chain ?? []), id],
      wholeBytes: since?.wholeBytes ?? bytes.length,
      changesBytes: since ? since.changesBytes + bytes.length : 0,
    };
    return { chain: this.#last.chain, images: [{ id, bytes }] };
  }

  /** A chain costs its reader every image in it. A long one goes on from its first; a heavy one is begun anew. */
  #sinceWhich(): Last | undefined {
    const last = this.#last;
    if (!last || last.changesBytes >= last.wholeBytes) return undefined;
    if (last.chain.length < LIMITS.imageChain) return last;
    return { ...last, named: last.first, chain: last.chain.slice(0, 1), changesBytes: 0 };
  }
}

/** The images used last, up to a number of bytes. */
class ImageCache {
  readonly #images = new Map<ImageId, Image>();
  #bytes = 0;

  has(id: ImageId): boolean {
    return this.#images.has(id);
  }
  get(id: ImageId): Image | undefined {
    return this.#images.get(id);
  }
  /** Adds an image, or makes it the one used last. */
  add(id: ImageId, image: Image): void {
    if (this.#images.delete(id)) this.#bytes -= bytesOf(image);
    this.#images.set(id, image);
    this.#bytes += bytesOf(image);
    for (const [oldest, old] of this.#images) {
      if (this.#bytes <= CACHE_BYTES || oldest === id) break;
      this.#images.delete(oldest);
      this.#bytes -= bytesOf(old);
    }
  }
}

const bytesOf = (image: Image) => image.pages.length * 4096;
