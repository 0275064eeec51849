/**
 * What the engine costs. `engine.tax_ratio` is the geometric mean, over PROGRAMS, of our time over the stock synchronous build's,
 * each the best of several rounds that take turns in one process. Prints nothing.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { getQuickJS } from "quickjs-emscripten";
import { must } from "../../fabric/base/errors.ts";
import {
  type BaseImage,
  bootBase,
  encodeImage,
  loadEngine,
  Machine,
  type World,
} from "../../fabric/engine/index.ts";
import { PAGE_BYTES } from "../../fabric/engine/pages.ts";
import { PROGRAMS } from "./programs.ts";

const ENGINE_FILE = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));
const ROUNDS = 7;
const OPTIONS = { memoryBytesMax: 256 << 20 };
const CALM: World = { now: () => 1e12, zone: "UTC", poll: () => false };
const STOPPED: World = { ...CALM, poll: () => true };

/** `stop(x)` makes a call with x's text. */
const PRELUDE = {
  source: `
    const { __sys } = globalThis;
    globalThis.stop = (x) => new Uint8Array(__sys(Uint8Array.from(String(x), (c) => c.charCodeAt(0)).buffer))[0];
    const end = (e) => stop(e);
    globalThis.__hooks = { started: (threw, value) => { if (threw) end(value); }, tick: () => void end("tick") };`,
};

let booted: Promise<BaseImage> | undefined;
function theBase(): Promise<BaseImage> {
  booted ??= (async () => bootBase(await loadEngine(await readFile(ENGINE_FILE)), PRELUDE))();
  return booted;
}

/** Runs to the next call, and gives its text. */
function toCall(machine: Machine, stop: ReturnType<Machine["resume"]>, world = CALM): string {
  let now = stop;
  while (now.kind === "preempted") now = machine.resume(world);
  if (now.kind === "fault") throw new Error(now.message);
  return new TextDecoder().decode(now.request);
}

const ANSWER = new Uint8Array([1]);

async function started(source: string): Promise<Machine> {
  const machine = Machine.fresh(await theBase(), OPTIONS);
  toCall(machine, machine.start({ source, fileName: "bench.js" }, CALM));
  return machine;
}

const median = (xs: readonly number[]) => [...xs].sort((a, b) => a - b)[xs.length >> 1] ?? Number.NaN;
const geomean = (xs: readonly number[]) => Math.exp(xs.reduce((sum, x) => sum + Math.log(x), 0) / xs.length);

function timed(run: () => unknown): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

/** Our tax, and what being stopped and resumed at every poll adds to it. */
async function taxes(): Promise<Record<string, number>> {
  const stock = (await getQuickJS()).newContext();
  stock.runtime.setInterruptHandler(() => false); // ours polls too
  const tax: number[] = [];
  const preemptTax: number[] = [];
  for (const [name, source] of Object.entries(PROGRAMS)) {
    const body = source.replace(/([^;}]+)$/, "return $1");
    const fn = `globalThis.f = function () { ${body} };`;
    const expected = stock.unwrapResult(stock.evalCode(`${fn} f()`)).consume((x) => stock.getNumber(x));
    const machine = await started(`${fn} stop("ready"); for (;;) stop(f());`);
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
    for (let i = 0; i < ROUNDS; i++) {
      best.stock = Math.min(
        best.stock,
        timed(() => stock.unwrapResult(stock.evalCode("f()")).dispose()),
      );
      best.calm = Math.min(
        best.calm,
        timed(() => ours(CALM)),
      );
      best.stopped = Math.min(
        best.stopped,
        timed(() => ours(STOPPED)),
      );
    }
    tax.push(best.calm / best.stock);
    preemptTax.push(best.stopped / best.calm);
  }
  stock.dispose();
  return { "engine.tax_ratio": geomean(tax), "engine.preempt_tax_ratio": geomean(preemptTax) };
}

/** Calls of a plain function before "stack overflow", half of them moved to another instance while they are pending. */
async function depth(): Promise<number> {
  const machine = await started(
    `let d = 0; function f() { if (++d === 10000) stop("deep"); f(); } stop("ready"); try { f(); } catch { stop(d); }`,
  );
  if (toCall(machine, machine.resume(CALM, ANSWER)) !== "deep") return 0;
  const moved = Machine.restore(await theBase(), machine.image(), OPTIONS);
  return Number(toCall(moved, moved.resume(CALM, ANSWER)));
}

export async function engineSuite(): Promise<Record<string, number>> {
  return { ...(await taxes()), "engine.depth_frames": await depth() };
}

/** Runs until it has made one more call, and gives what that takes. */
const step = (machine: Machine) =>
  timed(() => must(machine.resume(CALM, ANSWER).kind === "call" || undefined, "another call"));

export async function imageSuite(): Promise<Record<string, number>> {
  const base = await theBase();
  const hello = await started(`function f(n) { return n ? f(n - 1) : stop("hello"); } f(5);`);
  const source = `globalThis.kept = Array.from({ length: 60000 }, (_, i) => ({ i, s: "text " + i })); stop("full"); for (;;) stop(kept.length);`;
  const heap = await started(source);
  const image = heap.image();
  const mib = (image.pages.length * PAGE_BYTES) / 2 ** 20;
  const [dirty, snapshots, restores]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < 25; i++) {
    step(heap);
    dirty.push(timed(() => heap.image()));
  }
  for (let i = 0; i < 25; i++) {
    const whole = await started(source);
    snapshots.push(timed(() => whole.image()));
    whole[Symbol.dispose]();
    restores.push(timed(() => Machine.restore(base, image, OPTIONS)[Symbol.dispose]()));
  }
  return {
    "image.hello_wire_bytes": (await encodeImage(hello.image())).length,
    "image.snapshot_ms_per_mib": median(snapshots) / mib,
    "image.dirty_ms_per_mib": median(dirty) / mib,
    "image.restore_ms_per_mib": median(restores) / mib,
  };
}

/** A fork without its protocol: a copy of a machine with 1 MiB of live heap, seeded and run to its next call. */
export async function forkSuite(): Promise<Record<string, number>> {
  const base = await theBase();
  const parent = await started(
    `const kept = new Uint8Array(2 ** 20).map((_, i) => i); stop("ready"); for (;;) stop(kept[7]++);`,
  );
  const forks: number[] = [];
  for (let i = 0; i < 300; i++) {
    step(parent);
    const began = performance.now();
    const child = Machine.restore(base, parent.image(), OPTIONS);
    child.seedRandom(BigInt(i + 1));
    step(child);
    forks.push(performance.now() - began);
    child[Symbol.dispose]();
  }
  return { "fork.local_p50_ms": median(forks), "fork.local_per_s": 1000 / median(forks) };
}
