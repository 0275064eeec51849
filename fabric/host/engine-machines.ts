/** The real interpreters, for executors. */
import { Invalid } from "../base/codec.ts";
import { type BaseImage, decodeImage, encodeImage, Machine } from "../engine/index.ts";
import type { Machines, RunningMachine } from "./machines.ts";

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
