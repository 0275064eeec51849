/** What pre-copying is for: the same moves of a large process with it and without, in turn, between two hosts in one Node process. */
import { pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { nodeEnvironment } from "../../fabric/edge/environment.ts";
import { Fabric } from "../../fabric/host/fabric.ts";
import { viewOfJob } from "../../fabric/host/view.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { percentile } from "./statistics.ts";

/** A child with 64 MiB of bytes, half of which compress, of which it changes a mebibyte a second, all over. */
export const LARGE = `
import { fork, wait } from "roost";
if (fork({ on: "remote" }) > 0) wait();
const PAGE = 4096, PAGES_PER_MS = 0.256;
const heap = new Uint8Array(64 << 20);
let x = 1;
const random = () => (x = (x * 48271) % 2147483647);
for (let i = 0; i < heap.length; i += 2) heap[i] = random();
console.log("full");
const began = performance.now();
for (let changed = 0; ; ) {
  for (const due = (performance.now() - began) * PAGES_PER_MS; changed < due; changed++) {
    const at = (random() % (heap.length / PAGE)) * PAGE;
    heap.fill(random(), at, at + PAGE);
  }
  for (let n = 0; n < 20000; n++) random();
}`;

const TIMES = 5;
const LOOK_EVERY_MS = 20;

export async function stopAndCopy(): Promise<Record<string, number>> {
  const [home, other] = ["near", "far"].map(
    (name) => new Fabric(nodeEnvironment({ name }), { workers: 1 }),
  ) as [Fabric, Fabric];
  const { precopyRounds } = LIMITS;
  const over = new AbortController();
  let said = "";
  try {
    await other.donate();
    const job = await home.run({
      name: "bench",
      source: LARGE,
      fileName: "bench.js",
      disk: new MemoryDisk(),
      signal: over.signal,
      terminal: {
        print: (_fd, data) => {
          said += new TextDecoder().decode(data);
        },
        readLine: async () => undefined,
      },
    });
    await home.lend(job, other);
    const child = () => viewOfJob(job).processes.find(({ ppid }) => ppid === 1);
    await until(() => said.includes("full"));
    const freezes = new Map<number, number[]>([
      [precopyRounds, []],
      [0, []],
    ]);
    const totals: number[] = [];
    for (let n = 0; n < TIMES; n++)
      for (const [rounds, found] of freezes) {
        Object.assign(LIMITS, { precopyRounds: rounds });
        const before = child();
        if (!before) throw new Error(`the program has ended: ${said}`);
        const began = performance.now();
        job.migrate(pid(before.pid), before.host === home.id ? other.id : home.id);
        await until(() => child()?.host !== before.host && child()?.stays.at(-1)?.freezeMs !== undefined);
        if (rounds > 0) totals.push(performance.now() - began);
        found.push(child()?.stays.at(-1)?.freezeMs ?? Number.NaN);
      }
    const [precopied = [], stopped = []] = [...freezes.values()];
    return {
      "migrate.one_process_freeze_64mib_p50_ms": percentile(precopied, 50),
      "migrate.one_process_total_64mib_p50_ms": percentile(totals, 50),
      "migrate.one_process_stop_and_copy_freeze_64mib_p50_ms": percentile(stopped, 50),
    };
  } finally {
    Object.assign(LIMITS, { precopyRounds });
    over.abort();
    for (const fabric of [home, other]) fabric.close();
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
}
