/** What it costs that nothing is lost: checkpoints of what runs, and homes that are kept. In one Node process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeEnvironment } from "../../fabric/edge/environment.ts";
import { Fabric } from "../../fabric/host/fabric.ts";
import type { RunOptions } from "../../fabric/host/run-options.ts";
import { NodeDisk } from "../../fabric/io/node-disk.ts";
import { nodeStore } from "../../fabric/io/node-store.ts";
import { pmakeMs } from "./pmake.ts";
import { percentile } from "./statistics.ts";

const ROUNDS = 3;
/** Of pmake, after one that warms up. */
const PMAKES = 3;

/** Computes for some seconds on a heap of 16 MiB that it keeps changing; its last line is how long it took, in ms. */
const computing = `
  const heap = Array.from({ length: 100_000 }, (_, n) => ({ n, text: "item " + n }));
  const began = performance.now();
  for (let round = 0, x = 1; round < 60; round++)
    for (let n = 0; n < 20_000; n++) { x = (x * 48271) % 2147483647; heap[x % heap.length].n += n; }
  console.log(performance.now() - began);
`;

/** Writes that each wait for the one before; its last line is how long one took, in ms. */
const writing = `
  import { fs } from "roost";
  const began = performance.now();
  for (let n = 0; n < 100; n++) fs.writeFileSync("out", String(n));
  console.log((performance.now() - began) / 100);
`;

async function lastNumber(
  source: string,
  directory: string,
  options: Pick<RunOptions, "durable" | "keepIn">,
): Promise<number> {
  const fabric = new Fabric(nodeEnvironment(), { workers: 1 });
  let said = "";
  try {
    const job = await fabric.run({
      ...options,
      name: "bench",
      source,
      fileName: "bench.js",
      disk: new NodeDisk(directory),
      terminal: {
        print: (_fd, data) => {
          said += new TextDecoder().decode(data);
        },
        readLine: async () => undefined,
      },
    });
    const { status } = await job.ended;
    if (status !== 0) throw new Error(`the program ended with ${status}: ${said}`);
  } finally {
    fabric.close();
  }
  return Number(said.trim().split("\n").at(-1));
}

/** On two hosts, with checkpoints over without, in turn, each first as often: the median of the rounds. */
async function pmakeCost(): Promise<number> {
  const ratios: number[] = [];
  await pmakeMs(2);
  for (let round = 0; round < PMAKES; round++) {
    const times = new Map<boolean, number>();
    for (const durable of round % 2 ? [true, false] : [false, true])
      times.set(durable, await pmakeMs(2, durable));
    ratios.push((times.get(true) ?? Number.NaN) / (times.get(false) ?? Number.NaN));
  }
  return percentile(ratios, 50);
}

export async function durableSuite(): Promise<Record<string, number>> {
  const directory = mkdtempSync(join(tmpdir(), "roost-bench-"));
  const keepIn = nodeStore(join(directory, "kept"));
  try {
    const ratios: number[] = [];
    const plain: number[] = [];
    const kept: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const off = await lastNumber(computing, directory, { durable: false });
      ratios.push((await lastNumber(computing, directory, { durable: true })) / off);
      plain.push(await lastNumber(writing, directory, {}));
      kept.push(await lastNumber(writing, directory, { keepIn }));
    }
    return {
      "durable.pmake_cost_ratio": await pmakeCost(),
      "durable.checkpoints_cost_ratio": percentile(ratios, 50),
      "durable.write_p50_ms": percentile(plain, 50),
      "durable.write_kept_home_p50_ms": percentile(kept, 50),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
