/** Recursion in a worker, where Chromium has its smallest stack: all rows, and halves of one that moves in its depth. */
import { Invalid } from "../../../../fabric/base/codec.ts";
import {
  type BaseImage,
  bootBase,
  decodeImage,
  encodeImage,
  loadEngine,
  Machine,
  type Stop,
  type World,
} from "../../../../fabric/engine/index.ts";
import { type Depth, deepest, ROWS } from "../../../torture/depth.rows.ts";
import { PRELUDE } from "../../../unit/engine.prelude.ts";

const MIB = 1 << 20;
const OPTIONS = { memoryBytesMax: 128 * MIB };
const WORLD: World = { now: () => 0, zone: "UTC", poll: () => false };

const PROGRAM = {
  fileName: "deep.js",
  source: `import { ask, print } from "roost";
    const f = (n) => { if (n === 0) return ask("bottom"), 0; const x = n % 2 ? f(n - 1) : [n].map(() => f(n - 1))[0]; return x + (n % 7); };
    print(f(20_000));`,
};

const words = (stop: Stop) => (stop.kind === "call" ? new TextDecoder().decode(stop.request) : stop.kind);

export const boot = async (engine: Uint8Array): Promise<BaseImage> =>
  bootBase(await loadEngine(engine), PRELUDE);

/** The image of a process that waits twenty thousand calls deep. */
export async function descend(base: BaseImage): Promise<Uint8Array> {
  const machine = Machine.fresh(base, OPTIONS);
  const stop = machine.start(PROGRAM, WORLD);
  if (words(stop) !== "bottom") throw new Error(`it stopped for ${words(stop)}`);
  return encodeImage(machine.image());
}

/** What it says when it has come up again. */
export async function ascend(base: BaseImage, bytes: Uint8Array): Promise<string> {
  const image = await decodeImage(base, bytes);
  if (image instanceof Invalid) throw new Error(image.reason);
  return words(Machine.restore(base, image, OPTIONS).resume(WORLD, new Uint8Array()));
}

/** `breathe` is awaited between two of them. */
export async function allDepths(
  base: BaseImage,
  breathe: () => Promise<unknown> = async () => {},
): Promise<Record<string, Depth>> {
  const depths: Record<string, Depth> = {};
  for (const [name, row] of Object.values(ROWS).flatMap((rows) => Object.entries(rows))) {
    depths[name] = deepest(base, row, OPTIONS.memoryBytesMax);
    await breathe();
  }
  return depths;
}
