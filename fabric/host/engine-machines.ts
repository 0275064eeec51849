/**
 * The real interpreters, for executors. Keeps the images it has decoded or made, so that a process restored beside its
 * sibling, or written down for the second time, costs what changed and not what is there. Processes that have not run
 * for longest, because they sleep or wait, make room for others.
 */
import { Invalid } from "../base/codec.ts";
import { must } from "../base/errors.ts";
import { type ImageId, imageId as toImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import {
  type BaseImage,
  CompactImage,
  decodeImage,
  encodeImage,
  type Image,
  imageId,
  Machine,
  type NamedImage,
} from "../engine/index.ts";
import type { EncodedImage } from "../wire/messages.ts";
import { ImageCache } from "./image-cache.ts";
import type { Machines, RunningMachine } from "./machines.ts";

/** Machines with an instance of their own, which takes 1–2 MiB at least. The others are only images until they run again. */
const RESIDENTS_MAX = 32;

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
  const shared = { cache: new ImageCache(), residents: new Residents() };
  const { cache } = shared;
  /** The first and the last image of a chain, and all between them in the cache. */
  const read = async (
    chain: readonly EncodedImage[],
    memoryBytesMax: number,
  ): Promise<{ first: NamedImage; last: NamedImage } | Invalid> => {
    let first: NamedImage | undefined;
    let last: NamedImage | undefined;
    for (const { id, bytes } of chain) {
      const known = cache.get(id);
      const image = known ?? (await decodeImage(base, bytes, last, memoryBytesMax));
      if (image instanceof Invalid) return image;
      if (!known && imageId(bytes) !== id) return new Invalid("the image is not the one it was sent as");
      cache.add(id, image, (last?.image ?? base).pages);
      last = { id, image };
      first ??= last;
    }
    return first && last ? { first, last } : new Invalid("there is no image");
  };
  let prepared:
    | { readonly id: string; readonly machine: Machine; readonly memoryBytesMax: number }
    | undefined;
  const dropPrepared = () => {
    prepared?.machine[Symbol.dispose]();
    prepared = undefined;
  };
  /** The machine that is ready, if what it is made of is in the chain. */
  const takePrepared = (chain: readonly EncodedImage[], { memoryBytesMax }: { memoryBytesMax: number }) => {
    const ready = prepared;
    if (ready?.memoryBytesMax !== memoryBytesMax || !chain.some(({ id }) => id === ready.id))
      return undefined;
    prepared = undefined;
    return ready.machine;
  };
  return {
    fresh: (options) => new EngineMachine(Machine.fresh(base, options), shared, undefined),
    async prepare(chain, options) {
      const images = await read(chain, options.memoryBytesMax);
      if (images instanceof Invalid) return;
      const { id, image } = images.last;
      const machine = takePrepared(chain, options) ?? Machine.restore(base, image, options);
      machine.advance(image);
      dropPrepared();
      prepared = { id, machine, ...options };
    },
    dropPrepared,
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
        const machine = takePrepared(chain, options);
        machine?.advance(named.image);
        return new EngineMachine(machine ?? Machine.restore(base, named.image, options), shared, last);
      } catch (error) {
        // Its memory is larger than its job allows, or than this host has left.
        return new Invalid(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

interface Shared {
  readonly cache: ImageCache;
  readonly residents: Residents;
}

class EngineMachine implements RunningMachine {
  readonly #machine: Machine;
  readonly #shared: Shared;
  #last: Last | undefined;

  constructor(machine: Machine, shared: Shared, last: Last | undefined) {
    this.#machine = machine;
    this.#shared = shared;
    this.#last = last;
    shared.residents.runs(this);
  }
  get polls() {
    return this.#machine.polls;
  }
  get memoryBytes() {
    return this.#machine.memoryBytes;
  }
  start(...args: Parameters<Machine["start"]>) {
    this.#shared.residents.runs(this);
    return this.#machine.start(...args);
  }
  resume(...args: Parameters<Machine["resume"]>) {
    this.#shared.residents.runs(this);
    return this.#machine.resume(...args);
  }
  seedRandom(seed: bigint) {
    this.#machine.seedRandom(seed);
  }
  [Symbol.dispose]() {
    this.#shared.residents.ends(this);
    this.#machine[Symbol.dispose]();
  }

  /** Takes no more room than what it differs in from the first image of its chain, which its siblings have too. */
  park(): void {
    const last = this.#last;
    const first = last?.first.image.pages;
    this.#machine.park(first);
    if (!last || !first || last.named === last.first || last.named instanceof PutBy) return;
    this.#last = { ...last, named: new PutBy(last.named, first) };
  }

  async encodeImage(): Promise<{ chain: ImageId[]; images: EncodedImage[] }> {
    const image = this.#machine.image();
    const since = this.#sinceWhich();
    const bytes = await encodeImage(image, since?.named);
    const id = toImageId(must(imageId(bytes), "name of an image just encoded"));
    const named = { id, image };
    this.#shared.cache.add(id, image, (since?.named.image ?? image.base).pages);
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

/** A named image that takes little room; at each use it is made anew. */
class PutBy implements NamedImage {
  readonly id: string;
  readonly #compact: CompactImage;
  constructor({ id, image }: NamedImage, like: Image["pages"]) {
    this.id = id;
    this.#compact = new CompactImage(image, like);
  }
  get image() {
    return this.#compact.image;
  }
}

/** The machines that have an instance, the one that ran last at the end. */
class Residents {
  readonly #machines = new Set<EngineMachine>();

  runs(machine: EngineMachine): void {
    this.#machines.delete(machine);
    this.#machines.add(machine);
    if (this.#machines.size <= RESIDENTS_MAX) return;
    const [longest] = this.#machines;
    if (!longest) return;
    this.#machines.delete(longest);
    longest.park();
  }
  ends(machine: EngineMachine): void {
    this.#machines.delete(machine);
  }
}
