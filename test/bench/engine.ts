/**
 * What the engine costs. `engine.tax_ratio` is the geometric mean, over PROGRAMS, of our time over the stock synchronous build's,
 * here and in the browsers that are installed (tax.ts). Prints nothing but what it skips.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { must } from "../../fabric/base/errors.ts";
import { type BaseImage, encodeImage, Machine } from "../../fabric/engine/index.ts";
import { PAGE_BYTES } from "../../fabric/engine/pages.ts";
import { type BrowserKind, findBrowser, measureInBrowser } from "./browsers.ts";
import { percentile, spread } from "./statistics.ts";
import { ANSWER, boot, CALM, measureTax, OPTIONS, type Ratio, started } from "./tax.ts";

const ENGINE_FILE = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));

let booted: Promise<BaseImage> | undefined;
function theBase(): Promise<BaseImage> {
  booted ??= readFile(ENGINE_FILE).then(boot);
  return booted;
}

function timed(run: () => unknown): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}

export async function engineSuite(): Promise<Record<string, number>> {
  const engine = await readFile(ENGINE_FILE);
  const stock = await readFile(
    createRequire(import.meta.url).resolve("@jitl/quickjs-wasmfile-release-sync/wasm"),
  );
  const { tax, preemptTax, depth } = await measureTax(engine, await WebAssembly.compile(stock));
  const figures: Record<string, number> = {
    ...ratio("engine.tax_ratio", tax),
    ...ratio("engine.preempt_tax_ratio", preemptTax),
    "engine.depth_frames": depth,
    "engine.download_brotli_bytes": brotliBytes(engine),
  };
  for (const browser of ["chromium", "firefox"] satisfies BrowserKind[]) {
    const executable = findBrowser(browser);
    if (!executable) {
      process.stdout.write(`  There is no ${browser} here: nothing is measured in it.\n`);
      continue;
    }
    const there = await measureInBrowser(browser, executable, engine, stock);
    Object.assign(
      figures,
      ratio(`engine.tax_ratio_${browser}`, there.tax),
      ratio(`engine.preempt_tax_ratio_${browser}`, there.preemptTax),
    );
    figures[`engine.depth_frames_${browser}`] = there.depth;
  }
  return figures;
}

const ratio = (name: string, { mean, least, most }: Ratio): Record<string, number> => ({
  [name]: mean,
  [`${name}_least`]: least,
  [`${name}_most`]: most,
});

const brotliBytes = (bytes: Uint8Array) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }).length;

/** Runs until it has made one more call, and gives what that takes. */
const step = (machine: Machine) =>
  timed(() => must(machine.resume(CALM, ANSWER).kind === "call" || undefined, "another call"));

export async function imageSuite(): Promise<Record<string, number>> {
  const base = await theBase();
  const hello = started(base, `function f(n) { return n ? f(n - 1) : stop("hello"); } f(5);`);
  const source = `globalThis.kept = Array.from({ length: 60000 }, (_, i) => ({ i, s: "text " + i })); stop("full"); for (;;) stop(kept.length);`;
  const heap = started(base, source);
  const mib = (heap.image().pages.length * PAGE_BYTES) / 2 ** 20;
  const [dirty, snapshots, restores, again]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let i = 0; i < 100; i++) {
    step(heap);
    dirty.push(timed(() => heap.image()));
  }
  for (let i = 0; i < 25; i++) {
    using whole = started(base, source);
    snapshots.push(timed(() => whole.image()));
    const restore = () => Machine.restore(base, whole.image(), OPTIONS)[Symbol.dispose]();
    restores.push(timed(restore)); // over what was restored in the round before
    again.push(timed(restore));
  }
  const perMib = (what: string, times: readonly number[]) =>
    spread(
      `image.${what}`,
      "ms_per_mib",
      times.map((ms) => ms / mib),
    );
  return {
    "image.hello_wire_bytes": (await encodeImage(hello.image())).length,
    ...perMib("snapshot", snapshots),
    ...perMib("dirty", dirty),
    ...perMib("restore", restores),
    ...perMib("restore_again", again),
  };
}

/** A fork without its protocol: a copy of a machine with 1 MiB of live heap, seeded and run to its next call. */
const CYCLES = 1000;

/** One thread, no protocol: the parent stops to fork, its child runs to its end, the parent runs on to wait and past it. */
function forkExitWaitPerSecond(base: BaseImage): number {
  const parent = started(
    base,
    `const kept = new Uint8Array(2 ** 20).map((_, i) => i); stop("ready"); for (;;) { stop("fork"); stop(kept[7]++); }`,
  );
  step(parent);
  const cycles: number[] = [];
  for (let i = 0; i < CYCLES; i++) {
    const began = performance.now();
    const child = Machine.restore(base, parent.image(), OPTIONS);
    child.seedRandom(BigInt(i + 1));
    step(child); // to where it would exit
    child[Symbol.dispose]();
    step(parent); // to where it waits
    step(parent); // to its next fork
    cycles.push(performance.now() - began);
  }
  return 1000 / percentile(cycles, 50);
}

export async function forkSuite(): Promise<Record<string, number>> {
  const base = await theBase();
  const parent = started(
    base,
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
  return {
    "fork.local_p50_ms": percentile(forks, 50),
    "fork.local_p10_ms": percentile(forks, 10),
    "fork.local_p90_ms": percentile(forks, 90),
    "fork.local_per_s": forkExitWaitPerSecond(base),
  };
}
