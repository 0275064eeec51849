/**
 * A machine that stands in for the interpreter. A program is a generator that yields what it wants of the outside; the
 * machine's whole memory is what the program was given, in order, and so an image is a list of that, a delta of it what
 * was given since, and restoring one is running the program again up to where it stopped.
 */
import {
  bool,
  bytes,
  type Carried,
  decode,
  encode,
  f64,
  Invalid,
  list,
  struct,
  text,
  union,
  varint,
} from "../../fabric/base/codec.ts";
import { type ImageId, imageId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Machines, RunningMachine, Stop, World, Writing } from "../../fabric/host/machines.ts";
import type { EncodedImage } from "../../fabric/wire/messages.ts";
import { type Doing, type Given, Guest, type Want } from "./guest.ts";
import { runProgram } from "./programs.ts";

const given = union({
  program: [0, struct({ source: text(1 << 16) })],
  answer: [1, struct({ bytes: bytes(1 << 24) })],
  clock: [2, struct({ now: f64 })],
  seed: [3, struct({ seed: f64 })],
});
type GivenInput = Carried<typeof given>;

/** What was given since the image before, and where that left the machine. `filling`: makes it as large as a real one. */
const image = struct({ inputs: list(given, 1 << 20), polls: varint, atPoll: bool, filling: bytes(1 << 24) });

/** A slice ends after so many polls. */
const SLICE_POLLS = 3;
/** An image is written in so many steps, between which others run: fewer than a large real one. */
const steps = () => LIMITS.imageParts / 4;

/** Of an image that others have, to be continued. */
interface Last {
  readonly chain: ImageId[];
  /** How many inputs it holds, with those before it. */
  readonly inputs: number;
  readonly first: { readonly inputs: number; readonly bytes: number };
  /** Of all images after the first. */
  readonly changesBytes: number;
}

class StandIn implements RunningMachine {
  polls = 0;
  readonly #outside: Outside;
  readonly #inputs: GivenInput[] = [];
  readonly #guest = new Guest();
  #program: Generator<Want, void, Given> | undefined;
  /** What the program waits for. */
  #want: Want | undefined;
  #last: Last | undefined;
  #readAhead = 0;

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  get memoryBytes(): number {
    return (1 << 20) + 1024 * this.#inputs.length;
  }

  seedRandom(seed: bigint): void {
    this.#give({ type: "seed", seed: Number(BigInt.asUintN(32, seed)) });
  }

  [Symbol.dispose](): void {
    this.#program = undefined;
  }

  start({ source }: { readonly source: string }, world: World): Stop {
    return this.#run(world, () => this.#give({ type: "program", source }));
  }

  resume(world: World, answer?: Uint8Array): Stop {
    const { kind } = this.#want ?? {};
    if ((kind === "call") !== (answer !== undefined))
      throw new Error(`resumed ${answer ? "with" : "without"} an answer where it waits for ${kind}`);
    return this.#run(world, () =>
      answer ? this.#give({ type: "answer", bytes: answer }) : this.#next(undefined),
    );
  }

  readAhead(): boolean {
    return ++this.#readAhead < steps() / 4;
  }

  /** As the real one does (host/engine-machines.ts): a chain, each image the changes since the one before. */
  async encodeImage({ breathe }: Writing = {}): Promise<{ chain: ImageId[]; images: EncodedImage[] }> {
    this.#readAhead = 0;
    const since = this.#sinceWhich();
    const inputs = this.#inputs.slice(since?.inputs ?? 0);
    const plain = {
      inputs,
      polls: this.polls,
      atPoll: this.#want?.kind === "poll",
      filling: new Uint8Array(),
    };
    let bytes = encode(image, plain);
    const missing = this.#outside.imageBytes(since !== undefined) - bytes.length;
    if (missing > 0) bytes = encode(image, { ...plain, filling: new Uint8Array(missing) });
    const id = nameOf(bytes, since?.chain.at(-1));
    const last = continued(since, id, bytes, this.#inputs.length);
    this.#last = last;
    for (let step = 0; step < steps(); step++) await breathe?.();
    return { chain: last.chain, images: [{ id, bytes }] };
  }

  /** A long chain goes on from its first; a heavy one is begun anew. */
  #sinceWhich(): Last | undefined {
    const last = this.#last;
    if (!last || last.changesBytes >= last.first.bytes) return undefined;
    if (last.chain.length < LIMITS.imageChain) return last;
    return { ...last, chain: last.chain.slice(0, 1), inputs: last.first.inputs, changesBytes: 0 };
  }

  /** Brings it to where it was when the last of these images was made. */
  restore(chain: readonly EncodedImage[]): Invalid | undefined {
    let stopped = { polls: 0, atPoll: false };
    for (const { id, bytes } of chain) {
      const one = decode(image, bytes);
      if (one instanceof Invalid) return one;
      if (nameOf(bytes, this.#last?.chain.at(-1)) !== id) return new Invalid("not the image it is called");
      for (const input of one.inputs) {
        this.#passPolls();
        this.#give(input);
      }
      this.#last = continued(this.#last, id, bytes, this.#inputs.length);
      stopped = one;
    }
    while (this.#want?.kind === "poll") {
      if (this.polls === stopped.polls && stopped.atPoll) break;
      this.#next(undefined);
    }
    if (this.polls !== stopped.polls) return new Invalid("the program took another way");
    return undefined;
  }

  #passPolls(): void {
    while (this.#want?.kind === "poll") this.#next(undefined);
  }

  /** Remembers it, and hands it to the program. */
  #give(input: GivenInput): void {
    this.#inputs.push(input);
    switch (input.type) {
      case "program":
        this.#program = this.#outside.program(this.#guest, input.source);
        return this.#next(undefined);
      case "seed":
        this.#guest.seed(input.seed);
        return;
      case "answer":
        return this.#next(input.bytes.slice());
      case "clock":
        return this.#next(input.now);
    }
  }

  #next(value: Given): void {
    const result = this.#program?.next(value);
    this.#want = result?.done === false ? result.value : undefined;
    if (this.#want?.kind === "poll") this.polls++;
  }

  #run(world: World, begin: () => void): Stop {
    try {
      begin();
      for (;;) {
        const want = this.#want;
        switch (want?.kind) {
          case undefined:
            throw new Error("it went on after its exit");
          case "call": {
            const request = want.request.slice();
            const answer = world.answer(request);
            if (!answer) return { kind: "call", request };
            this.#give({ type: "answer", bytes: answer });
            break;
          }
          case "clock":
            this.#give({ type: "clock", now: world.now() });
            break;
          case "poll":
            this.#outside.computed();
            if (world.poll() || this.polls % SLICE_POLLS === 0) return { kind: "preempted" };
            this.#next(undefined);
            break;
          case "boom":
            this.#outside.boom();
            return { kind: "preempted" };
        }
      }
    } catch (error) {
      return { kind: "fault", code: "EIO", message: error instanceof Error ? error.message : String(error) };
    }
  }
}

function continued(before: Last | undefined, id: ImageId, { length }: Uint8Array, inputs: number): Last {
  return {
    chain: [...(before?.chain ?? []), id],
    inputs,
    first: before?.first ?? { inputs, bytes: length },
    changesBytes: before ? before.changesBytes + length : 0,
  };
}

/** cyrb53 (bryc) of the content and the name of the image before: the same memory has the same name everywhere. */
function nameOf(content: Uint8Array, before: ImageId | undefined): ImageId {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  const mix = (value: number) => {
    a = Math.imul(a ^ value, 2654435761);
    b = Math.imul(b ^ value, 1597334677);
  };
  for (const value of content) mix(value);
  for (let n = 0; n < (before?.length ?? 0); n++) mix(before?.charCodeAt(n) ?? 0);
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return imageId((4294967296 * (2097151 & b) + (a >>> 0)).toString(36));
}

/** What a machine runs, and does to its host beside asking it for things. */
export interface Outside {
  program(g: Guest, source: string): Doing<void>;
  /** It brings the host down. */
  boom(): void;
  /** It has computed as far as a poll. */
  computed(): void;
  /** The least that an image weighs: a whole one, or one that continues another. */
  imageBytes(continues: boolean): number;
}

/** The least that a machine may be. */
export const SMALL: Outside = {
  program: runProgram,
  boom: () => {},
  computed: () => {},
  imageBytes: () => 0,
};

export const standIns = (outside: Outside): Machines => ({
  fresh: () => new StandIn(outside),
  prepare: async () => {},
  dropPrepared: () => {},
  tidy: () => {},
  /** A chain of several is much to read. */
  async restore(chain, _, { breathe, isWanted = () => true } = {}) {
    if (chain.length === 0) return new Invalid("there is no image");
    for (let step = 0; step < steps() && chain.length > 1; step++) {
      await breathe?.();
      if (!isWanted()) return new Invalid("nobody wants it any more");
    }
    const machine = new StandIn(outside);
    return machine.restore(chain) ?? machine;
  },
});
