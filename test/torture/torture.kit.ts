/** Stops a program wherever it can be stopped, each time to go on in another instance. */
import { type Image, memoryOf } from "../../fabric/engine/index.ts";
import { ALWAYS, type Finished, run, runTo, theBase } from "../unit/engine.kit.ts";

/** QuickJS polls when this counter, in its context, has come down to 0, and starts again from here. */
export const POLL_STEPS = 10_000;

let found: Promise<number> | undefined;

/** Where the counter is, as a word: the one in the context that goes down as a program goes on. */
function counterAt(): Promise<number> {
  found ??= (async () => {
    const { addresses } = await theBase();
    const after = async (loops: number) => {
      const machine = await runTo("here", `for (let i = 0; i < ${loops}; i++); ask("here")`);
      return [...new Uint32Array(memoryOf(machine.image()).buffer, addresses.context, 256)];
    };
    const [few, many, most] = [await after(100), await after(200), await after(300)];
    const falls = few.flatMap((n, i) => {
      const [fallen = 0, further = 0] = [n - (many[i] ?? 0), n - (most[i] ?? 0)];
      return n <= POLL_STEPS && fallen >= 100 && further === 2 * fallen ? [i] : [];
    });
    const [at] = falls;
    if (at === undefined || falls.length > 1)
      throw new Error(
        `the interrupt counter was found in ${falls.length} places; QuickJS counts in another way`,
      );
    return (addresses.context >> 2) + at;
  })();
  return found;
}

/** Runs a program that is stopped at every call and every `steps` steps. */
export async function disturbed(source: string, steps: number): Promise<Finished> {
  const at = await counterAt();
  const alter = (image: Image): Image => {
    const number = at >> 10;
    const page = Uint8Array.from(image.pages[number] ?? []);
    new Uint32Array(page.buffer)[at & 1023] = steps;
    return { ...image, pages: image.pages.with(number, page) };
  };
  return run(`ask("begin");\n${source}`, { world: ALWAYS(), move: "instance", alter });
}

export const undisturbed = (source: string): Promise<Finished> => run(`ask("begin");\n${source}`);
