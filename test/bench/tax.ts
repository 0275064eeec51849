/**
 * What the engine costs, measured wherever this runs: our time over the stock synchronous build's, for each of PROGRAMS the best of
 * many rounds that take turns in one thread; and how deep a program can recurse. No Node: it also runs in browsers' workers.
 */
import { newQuickJSWASMModuleFromVariant, newVariant, RELEASE_SYNC } from "quickjs-emscripten";
import { type BaseImage, bootBase, loadEngine, Machine, type World } from "../../fabric/engine/index.ts";
import { PROGRAMS } from "./programs.ts";

/** Rounds go on until so many have improved no best time by a hundredth: a machine that does something else meanwhile needs more. */
const IDLE_ROUNDS = 8;
const ROUNDS_MAX = 100;
export const OPTIONS = { memoryBytesMax: 256 << 20 };
export const CALM: World = { now: () => 1e12, zone: "UTC", poll: () => false };
const STOPPED: World = { ...CALM, poll: () => true };
export const ANSWER = new Uint8Array([1]);

/** `stop(x)` makes a call with x's text. */
const PRELUDE = {
  source: `
    const { __sys } = globalThis;
    globalThis.stop = (x) => new Uint8Array(__sys(Uint8Array.from(String(x), (c) => c.charCodeAt(0)).buffer))[0];
    const end = (e) => stop(e);
    globalThis.__hooks = { started: (threw, value) => { if (threw) end(value); }, tick: () => void end("tick") };`,
};

export const boot = async (engine: Uint8Array): Promise<BaseImage> =>
  bootBase(await loadEngine(engine), PRELUDE);

export function started(base: BaseImage, source: string): Machine {
  const machine = Machine.fresh(base, OPTIONS);
  toCall(machine, machine.start({ source, fileName: "bench.js" }, CALM));
  return machine;
}

/** Runs to the next call, and gives its text. */
function toCall(machine: Machine, stop: ReturnType<Machine["resume"]>, world = CALM): string {
  let now = stop;
  while (now.kind === "preempted") now = machine.resume(world);
  if (now.kind === "fault") throw new Error(now.message);
  return new TextDecoder().decode(now.request);
}

const ratioOf = (xs: readonly number[]): Ratio => ({
  mean: Math.exp(xs.reduce((sum, x) => sum + Math.log(x), 0) / xs.length),
  least: Math.min(...xs),
  most: Math.max(...xs),
});

function timed(run: () => unknown): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

/** Over the programs: the geometric mean, and the program that pays least and the one that pays most. */
export interface Ratio {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export interface Tax {
  /** Never stopped over the stock build, and stopped at every poll over never. */
  readonly tax: Ratio;
  readonly preemptTax: Ratio;
  /** Calls of a plain function before "stack overflow", half of them moved to another instance while they are pending. */
  readonly depth: number;
}

/** `stock`: the stock build's module. */
export async function measureTax(engine: Uint8Array, stock: WebAssembly.Module): Promise<Tax> {
  const base = await boot(engine);
  return { ...(await taxes(base, stock)), depth: depth(base) };
}

async function taxes(base: BaseImage, wasmModule: WebAssembly.Module) {
  const quickJs = await newQuickJSWASMModuleFromVariant(newVariant(RELEASE_SYNC, { wasmModule }));
  const stock = quickJs.newContext();
  stock.runtime.setInterruptHandler(() => false); // ours polls too
  const tax: number[] = [];
  const preemptTax: number[] = [];
  for (const [name, source] of Object.entries(PROGRAMS)) {
    const body = source.replace(/([^;}]+)$/, "return $1");
    const fn = `globalThis.f = function () { ${body} };`;
    const expected = stock.unwrapResult(stock.evalCode(`${fn} f()`)).consume((x) => stock.getNumber(x));
    const machine = started(base, `${fn} stop("ready"); for (;;) stop(f());`);
    const best = {
      stock: Number.POSITIVE_INFINITY,
      calm: Number.POSITIVE_INFINITY,
      stopped: Number.POSITIVE_INFINITY,
    };
    const ours = (world: World) => {
      const got = toCall(machine, machine.resume(world, ANSWER), world);
      if (Number(got) !== expected)
        throw new Error(`${name} gave ${got} where the stock build gives ${expected}`);
    };
    const runs = {
      stock: () => stock.unwrapResult(stock.evalCode("f()")).dispose(),
      calm: () => ours(CALM),
      stopped: () => ours(STOPPED),
    };
    for (let i = 0, idle = 0; i < ROUNDS_MAX && idle < IDLE_ROUNDS; i++) {
      idle++;
      for (const kind of ["stock", "calm", "stopped"] as const) {
        const time = timed(runs[kind]);
        if (time < best[kind] * 0.99) idle = 0;
        best[kind] = Math.min(best[kind], time);
      }
    }
    tax.push(best.calm / best.stock);
    preemptTax.push(best.stopped / best.calm);
  }
  stock.dispose();
  return { tax: ratioOf(tax), preemptTax: ratioOf(preemptTax) };
}

function depth(base: BaseImage): number {
  const machine = started(
    base,
    `let d = 0; function f() { if (++d === 10000) stop("deep"); f(); } stop("ready"); try { f(); } catch { stop(d); }`,
  );
  if (toCall(machine, machine.resume(CALM, ANSWER)) !== "deep") return 0;
  const moved = Machine.restore(base, machine.image(), OPTIONS);
  return Number(toCall(moved, moved.resume(CALM, ANSWER)));
}
