/** Runs the same program in the same world, and says what its memory is at some polls. For any platform with WebAssembly. */
import { bootBase, loadEngine, Machine, memoryOf, type World } from "../../../../fabric/engine/index.ts";

const PRELUDE = { source: `globalThis.__hooks = { started() {}, tick() { for (;;); } };` };

/** A bit of everything, deeper than one segment of the stack, with garbage and randomness; it never ends. */
const PROGRAM = {
  fileName: "program.js",
  source: `
    const log = [];
    function* numbers(n) { for (let i = 0; i < n; i++) yield Math.random() * i; }
    const deep = (n) => (n ? [n].map(() => deep(n - 1) + (n % 3))[0] : [...numbers(20)].length);
    const clock = () => Date.now() + new Date().getTimezoneOffset();
    for (let round = 0; ; round++) {
      log.push(JSON.stringify({ round, deep: deep(700), text: "x".repeat(round % 50).replace(/x/g, (x) => x + round) }));
      log.push(new Date(round * 1e9).toString(), [..."hello"].sort((a, b) => (a < b ? 1 : -1)).join(""), 10n ** BigInt(round % 30));
      const halves = new Float64Array([0 / 0, -0, Math.sqrt(-round), Infinity - Infinity, Math.sin(round), 1 / 3, Math.pow(round, 0.1)]);
      const single = new Float32Array(halves).map((x, i) => x * i);
      new DataView(halves.buffer).setFloat64(48, -NaN);
      log.push(halves, single, halves.map((x) => -x * Math.fround(0.1)), [...new Uint8Array(halves.buffer)].join());
      log.push((round * 1234.5678).toLocaleString(), new Date(round * 1e10).toLocaleString(), "ı".localeCompare("I"), "İ".toLocaleLowerCase(), ["ä", "z", "a"].sort((a, b) => a.localeCompare(b)), "é".normalize("NFD").length, (0.1 * round).toFixed(20), (round / 7).toString(3), clock());
      for (let i = 0; i < 3000; i++) log.length = Math.min(log.length, 200 + (i % 7));
    }`,
};

const POLLS = [1, 2, 7, 20, 45];

async function stateAt(
  base: Awaited<ReturnType<typeof bootBase>>,
  polls: number,
  how: "calm" | "moved",
): Promise<string> {
  const options = { memoryBytesMax: 64 << 20 };
  let machine = Machine.fresh(base, options);
  const world: World = {
    now: () => 1_700_000_000_000,
    zone: "Asia/Tokyo",
    poll: () => how === "moved" || machine.polls === polls,
  };
  let stop = machine.start(PROGRAM, world);
  while (stop.kind === "preempted" && machine.polls < polls) {
    machine = Machine.restore(base, machine.image(), options);
    stop = machine.resume(world);
  }
  if (stop.kind !== "preempted") throw new Error(`the program stopped for a ${stop.kind}`);
  const image = machine.image();
  const memory = memoryOf(image);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", memory as Uint8Array<ArrayBuffer>));
  return `${JSON.stringify(image.registers)} ${memory.length} ${Array.from(hash, (b) => b.toString(16).padStart(2, "0")).join("")}`;
}

export async function states(engine: Uint8Array): Promise<Record<"calm" | "moved", string[]>> {
  const base = await bootBase(await loadEngine(engine), PRELUDE);
  const all = async (how: "calm" | "moved") => {
    const found: string[] = [];
    for (const polls of POLLS) found.push(await stateAt(base, polls, how));
    return found;
  };
  return { calm: await all("calm"), moved: await all("moved") };
}
