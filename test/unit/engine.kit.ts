/** What the engine's tests share: the real engine, a guest library of twenty lines, and a host that answers calls. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Invalid } from "../../fabric/base/codec.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import {
  type BaseImage,
  bootBase,
  decodeImage,
  type Engine,
  encodeImage,
  type Image,
  loadEngine,
  Machine,
  type Stop,
  type World,
} from "../../fabric/engine/index.ts";
import { PRELUDE } from "./engine.prelude.ts";

export const ENGINE_FILE = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));

export { PRELUDE };

let engine: Promise<Engine> | undefined;
let base: Promise<BaseImage> | undefined;

export const theEngine = () =>
  (engine ??= ensureEngine(ENGINE_FILE).then(async () => loadEngine(await readFile(ENGINE_FILE))));
export const theBase = () => (base ??= theEngine().then((e) => bootBase(e, PRELUDE)));

export const OPTIONS = { memoryBytesMax: 32 << 20 };
export const NEVER = (): Required<World> => ({
  now: () => 1_000_000,
  zone: "UTC",
  poll: () => false,
  answer: () => undefined,
});
export const ALWAYS = (): Required<World> => ({ ...NEVER(), poll: () => true });

export const program = (source: string) => ({
  source: `import { ask, print, raw } from "roost";\n${source}`,
  fileName: "job.js",
});
export const words = (request: Uint8Array) => String.fromCharCode(...request);
export const bytesOf = (text: string) => new TextEncoder().encode(text);

export function imageOf(decoded: Image | Invalid): Image {
  if (decoded instanceof Invalid) throw new Error(decoded.reason);
  return decoded;
}

export interface Finished {
  /** What it printed, a line each, and how it ended. */
  readonly output: string[];
  readonly end: string;
  readonly moves: number;
  readonly machine: Machine;
}

export interface HostOptions {
  readonly world?: World;
  /** "instance": every stop continues in another instance. "bytes": by way of an encoded image as well. */
  readonly move?: "no" | "instance" | "bytes";
  /** Changes each image on its way. */
  readonly alter?: (image: Image) => Image;
  /** The answer to `ask`. */
  readonly answer?: (words: string) => string;
}

/**
 * In one task a weak reference holds what it refers to (ECMAScript, "KeepDuringJob"), and every image is known by one:
 * thousands of moves in a task would keep all that memory.
 */
const TASK_MOVES = 64;

/** Runs a machine, stopped at `stop`, to its exit. */
export async function finish(machine: Machine, stop: Stop, options: HostOptions = {}): Promise<Finished> {
  const { world = NEVER(), move = "no", alter = (x) => x, answer = (text) => `answer to ${text}` } = options;
  const output: string[] = [];
  let moves = 0;
  let at = machine;
  for (let now = stop; ; ) {
    if (now.kind === "fault") return { output, end: `fault ${now.code}: ${now.message}`, moves, machine: at };
    let reply: Uint8Array | undefined;
    if (now.kind === "call") {
      const text = words(now.request);
      if (text.startsWith("exit")) return { output, end: text, moves, machine: at };
      if (text.startsWith("print ")) output.push(text.slice(6));
      reply = bytesOf(answer(text));
    }
    if (move !== "no") {
      const image = alter(at.image());
      const whole =
        move === "bytes" ? imageOf(await decodeImage(image.base, await encodeImage(image))) : image;
      if (at !== machine) at[Symbol.dispose](); // its instance, and what is in it, is the next one's
      at = Machine.restore(image.base, whole, OPTIONS);
      if (++moves % TASK_MOVES === 0) await new Promise(setImmediate);
    }
    now = at.resume(world, reply);
  }
}

export async function run(source: string, options: HostOptions = {}): Promise<Finished> {
  const machine = Machine.fresh(await theBase(), OPTIONS);
  return finish(machine, machine.start(program(source), options.world ?? NEVER()), options);
}

/** Runs a program up to its first `ask(mark)`. */
export async function runTo(mark: string, source: string, world = NEVER()): Promise<Machine> {
  const machine = Machine.fresh(await theBase(), OPTIONS);
  let stop = machine.start(program(source), world);
  while (stop.kind !== "call" || words(stop.request) !== mark) {
    if (stop.kind === "fault") throw new Error(stop.message);
    stop = machine.resume(world, stop.kind === "call" ? new Uint8Array() : undefined);
  }
  return machine;
}
