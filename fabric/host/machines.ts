/**
 * Interpreters as an executor needs them. The engine is the one real kind; the simulator has another, so that the
 * executor itself can be put under ten thousand seeds.
 */
import { Invalid } from "../base/codec.ts";
import { type BaseImage, decodeImage, encodeImage, Machine, type Stop, type World } from "../engine/index.ts";

export type { Stop, World };

/** A process's interpreter. Always stopped when it is not inside `start` or `resume`. */
export interface RunningMachine extends Disposable {
  readonly polls: number;
  readonly memoryBytes: number;
  start(program: { readonly source: string; readonly fileName: string }, world: World): Stop;
  resume(world: World, answer?: Uint8Array): Stop;
  seedRandom(seed: bigint): void;
  /** The memory is read before this returns; the machine may run on while the rest is done. */
  encodeImage(): Promise<Uint8Array>;
}

export interface Machines {
  fresh(options: { memoryBytesMax: number }): RunningMachine;
  restore(image: Uint8Array, options: { memoryBytesMax: number }): Promise<RunningMachine | Invalid>;
}

export function engineMachines(base: BaseImage): Machines {
  return {
    fresh: (options) => running(Machine.fresh(base, options)),
    async restore(bytes, options) {
      const image = await decodeImage(base, bytes);
      return image instanceof Invalid ? image : running(Machine.restore(base, image, options));
    },
  };
}

function running(machine: Machine): RunningMachine {
  return {
    get polls() {
      return machine.polls;
    },
    get memoryBytes() {
      return machine.memoryBytes;
    },
    start: (program, world) => machine.start(program, world),
    resume: (world, answer) => machine.resume(world, answer),
    seedRandom: (seed) => machine.seedRandom(seed),
    encodeImage: () => encodeImage(machine.image()),
    [Symbol.dispose]: () => machine[Symbol.dispose](),
  };
}
