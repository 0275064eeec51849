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
  inCommon,
  Machine,
  type MachineOptions,
  type NamedImage,
  partsOf,
  unpackedBytes,
} from "../engine/index.ts";
import type { EncodedImage } from "../wire/messages.ts";
import { ImageCache } from "./image-cache.ts";
import type { Machines, Reading, RunningMachine, Writing } from "./machines.ts";

/** Machines with an instance of their own, which takes 1–2 MiB at least. The others are only images until they run again. */
const RESIDENTS_MAX = 32;

/** A chain of more names after its first image is not continued: each message about the process brings them all. */
const LONG_CHAIN = 64;
/** A mebibyte that is written once more. */
const LITTLE_PAGES = 256;
/** Of memory that is new, laid out at once. */
const STEP_PAGES = 1024;

/** The last image of a process that others have, to be continued. */
interface Last {
  readonly named: NamedImage;
  /** The first of its chain, and how many parts it is written in. */
  readonly first: NamedImage;
  readonly firstParts: number;
  readonly chain: ImageId[];
  /** In the chain, parts apart; at most. */
  readonly images: number;
  /** Encoded bytes of the chain up to and with its first image, and of all after it. */
  readonly wholeBytes: number;
  readonly changesBytes: number;
}

/** A chain with another image. One of twice as much memory takes the place of the first, which is little of it. */
function continued(
  last: Last | undefined,
  named: NamedImage,
  images: readonly Pick<EncodedImage, "id" | "bytes">[],
): Last {
  const chain = [...(last?.chain ?? []), ...images.map(({ id }) => id)];
  const bytes = images.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (last && named.image.pages.length < 2 * last.first.image.pages.length)
    return { ...last, named, chain, images: last.images + 1, changesBytes: last.changesBytes + bytes };
  const wholeBytes = bytes + (last ? last.wholeBytes + last.changesBytes : 0);
  return { named, first: named, firstParts: chain.length, chain, images: 1, wholeBytes, changesBytes: 0 };
}

const NOT_WANTED = new Invalid("nobody wants it any more");

export function engineMachines(base: BaseImage): Machines {
  const shared = { cache: new ImageCache(), residents: new Residents() };
  const { cache } = shared;
  const lastHere = (chain: readonly EncodedImage[]) => chain.findLastIndex(({ id }) => cache.has(id));
  /** What `read` would read: unpacking it, and laying it out, takes as long as there is of it. */
  const lackingBytes = (chain: readonly EncodedImage[]) =>
    chain.slice(lastHere(chain) + 1).reduce((sum, { bytes }) => sum + unpackedBytes(bytes), 0);
  /** The images of a chain as far as they are needed: those that are here, and what is read now. */
  const read = async (
    chain: readonly EncodedImage[],
    memoryBytesMax: number,
    { breathe, isWanted = () => true }: Reading = {},
  ): Promise<Read[] | Invalid> => {
    const all: Read[] = [];
    let last: NamedImage | undefined;
    let like: Pick<Image, "pages"> = base;
    for (const [at, { id, bytes }] of chain.entries()) {
      if (!isWanted()) return NOT_WANTED;
      let image = cache.get(id);
      if (!image && at < lastHere(chain)) continue;
      if (!image) {
        const decoded = await decodeImage(base, bytes, last, memoryBytesMax, breathe);
        if (decoded instanceof Invalid) return decoded;
        if (imageId(bytes) !== id) return new Invalid("the image is not the one it was sent as");
        image = cache.get(id) ?? decoded; // a sibling may have been read meanwhile, and shares its pages
        if (!image.partial) cache.add(id, image, like.pages);
        if (at < chain.length - 1) await breathe?.();
      }
      last = { id, image };
      if (image.partial) continue;
      like = image;
      all.push({ named: last, at });
    }
    if (!last) return new Invalid("there is no image");
    return last.image.partial ? new Invalid("the image is a part of one") : all;
  };
  let prepared:
    | { readonly id: string; readonly machine: Machine; readonly memoryBytesMax: number }
    | undefined;
  /** Which preparation is under way, if any is. */
  let preparing: object | undefined;
  const drop = () => {
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
    async prepare(chain, options, breathe) {
      const mine = {};
      preparing = mine;
      const isWanted = () => preparing === mine;
      const how = { breathe, isWanted };
      const images = await read(chain, options.memoryBytesMax, how);
      if (images instanceof Invalid || !isWanted()) return;
      const { id, image } = must(images.at(-1), "image").named;
      const ready = takePrepared(chain, options);
      drop();
      ready?.advance(image);
      const machine = ready ?? (await restoredBySteps(base, image, options, how));
      if (machine) prepared = { id, machine, ...options };
    },
    dropPrepared() {
      preparing = undefined;
      drop();
    },
    tidy() {
      preparing = undefined;
      drop();
      cache.clear();
      base.instances.clear();
    },
    async restore(chain, options, how = {}) {
      const isMuch = lackingBytes(chain) > LIMITS.readAtOnceBytes;
      const images = await read(chain, options.memoryBytesMax, isMuch ? how : {});
      if (images instanceof Invalid) return images;
      let last: Last | undefined;
      for (const { named, at } of images)
        last = continued(last, named, chain.slice(last?.chain.length ?? 0, at + 1));
      const { named } = must(last, "image");
      try {
        const ready = takePrepared(chain, options);
        ready?.advance(named.image);
        const machine = ready ?? (await restoredBySteps(base, named.image, options, how));
        return machine ? new EngineMachine(machine, shared, last) : NOT_WANTED;
      } catch (error) {
        // Its memory is larger than its job allows, or than this host has left.
        return new Invalid(error instanceof Error ? error.message : String(error));
      }
    },
  };
}

/** A large one's memory is new: each step takes some milliseconds. Undefined where one of them is not to be followed by another. */
async function restoredBySteps(
  base: BaseImage,
  image: Image,
  options: MachineOptions,
  { breathe, isWanted = () => true }: Reading,
): Promise<Machine | undefined> {
  const upTo = (end: number): Image =>
    end < image.pages.length ? { ...image, pages: image.pages.slice(0, end) } : image;
  const machine = Machine.restore(base, upTo(STEP_PAGES), options);
  for (let done = STEP_PAGES; done < image.pages.length; done += STEP_PAGES) {
    await breathe?.();
    if (!isWanted()) {
      machine[Symbol.dispose]();
      return undefined;
    }
    machine.advance(upTo(done + STEP_PAGES));
  }
  return machine;
}

/** An image of a chain, and where in it it is. */
interface Read {
  readonly named: NamedImage;
  readonly at: number;
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
  readAhead() {
    return this.#machine.readAhead();
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

  async encodeImage({ breathe, leaves = false, standsStill = false }: Writing = {}): Promise<{
    chain: ImageId[];
    images: EncodedImage[];
  }> {
    const image = this.#machine.image();
    const since = this.#sinceWhich(image, leaves);
    const before = (since?.named.image ?? image.base).pages;
    const images: EncodedImage[] = [];
    let named = since?.named;
    const parts = partsOf(image, before);
    const breathes = standsStill && parts.length === 1 ? undefined : breathe;
    for (const part of parts) {
      const bytes = await encodeImage(part, named, { breathe: breathes, hurries: leaves });
      const id = toImageId(must(imageId(bytes), "name of an image just encoded"));
      images.push({ id, bytes });
      named = { id, image: part };
      if (part !== image) await breathe?.();
    }
    const last = must(named, "image");
    this.#shared.cache.add(toImageId(last.id), image, before);
    this.#last = continued(since, last, images);
    return { chain: this.#last.chain, images };
  }

  /**
   * A chain costs its reader every image in it. A heavy one is begun anew, a long one goes on from its first if little has changed
   * since then, and in the end whatever has. One that `leaves` runs nowhere meanwhile, and puts that off.
   */
  #sinceWhich({ pages }: Image, leaves: boolean): Last | undefined {
    const last = this.#last;
    const patience = leaves ? 2 : 1;
    if (!last || last.changesBytes >= patience * last.wholeBytes) return undefined;
    if (last.wholeBytes + last.changesBytes + LIMITS.placedBytes > LIMITS.chainBytes) return undefined;
    const { first, firstParts, chain, images } = last;
    const hasRoom = (names: number) => names <= (LIMITS.imageChain - 1) * LIMITS.imageParts;
    const isShort = images < LIMITS.imageChain;
    const isTolerable = chain.length - firstParts < patience * LONG_CHAIN;
    const isLittle = () => pages.length - inCommon(pages, first.image.pages) <= LITTLE_PAGES;
    if (hasRoom(chain.length) && (isShort || (isTolerable && !isLittle()))) return last;
    if (!hasRoom(firstParts)) return undefined;
    return { ...last, named: first, chain: chain.slice(0, firstParts), images: 1, changesBytes: 0 };
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
