/**
 * Interpreters as an executor needs them. The engine is the one real kind; the simulator has another, so that the
 * executor itself can be put under ten thousand seeds.
 */
import type { Invalid } from "../base/codec.ts";
import type { ImageId } from "../base/ids.ts";
import type { Breathe, World as EngineWorld, Stop } from "../engine/index.ts";
import type { EncodedImage } from "../wire/messages.ts";

export type { Stop };
/** It is asked for every answer: a process that stops at a call waits for its home. */
export type World = Required<EngineWorld>;

/** How a process is written down. */
export interface Writing {
  /** Lets others run meanwhile. */
  readonly breathe?: Breathe;
  /** It runs nowhere until it is written: as little as can be is. */
  readonly leaves?: boolean;
  /** It does not run until it is written: others run meanwhile only where there is much to write. */
  readonly standsStill?: boolean;
}

/** How a process is read. */
export interface Reading {
  /** Lets others run meanwhile. */
  readonly breathe?: Breathe | undefined;
  /** What nobody wants any more is given up. */
  readonly isWanted?: () => boolean;
}

/** A process's interpreter. Always stopped when it is not inside `start` or `resume`. */
export interface RunningMachine extends Disposable {
  readonly polls: number;
  readonly memoryBytes: number;
  start(program: { readonly source: string; readonly fileName: string }, world: World): Stop;
  resume(world: World, answer?: Uint8Array): Stop;
  seedRandom(seed: bigint): void;
  /** Reads a part of the memory ahead of an image, so that to read it all then takes less long. False: there is little to read. */
  readAhead(): boolean;
  /**
   * Its memory as a chain of images, and those of them that were made now; the others left with an earlier one, or came
   * when it was restored. The memory is read before this returns; one at a time.
   */
  encodeImage(how?: Writing): Promise<{ readonly chain: ImageId[]; readonly images: EncodedImage[] }>;
}

export interface Machines {
  fresh(options: { memoryBytesMax: number }): RunningMachine;
  /**
   * Reads a whole chain and has a machine of it ready, so that a process that continues it is restored at once. One at a time: given up
   * for the next, and when what is prepared is dropped. `breathe`: lets others run meanwhile.
   */
  prepare(
    chain: readonly EncodedImage[],
    options: { readonly memoryBytesMax: number },
    breathe?: Breathe,
  ): Promise<void>;
  /** Lets go of what was prepared and not restored. */
  dropPrepared(): void;
  /** Lets go of all that no machine here is made of. */
  tidy(): void;
  /** From a whole chain. It breathes, and is given up, only where many bytes of that are not here yet. */
  restore(
    chain: readonly EncodedImage[],
    options: { memoryBytesMax: number },
    how?: Reading,
  ): Promise<RunningMachine | Invalid>;
}
