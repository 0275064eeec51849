/**
 * Interpreters as an executor needs them. The engine is the one real kind; the simulator has another, so that the
 * executor itself can be put under ten thousand seeds.
 */
import type { Invalid } from "../base/codec.ts";
import type { Stop, World } from "../engine/index.ts";

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
