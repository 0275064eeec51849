/** How much faster a parallel program is on several hosts: pmake, as `npm start` shows it, hosts in one process. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../fabric/edge/bundle.ts";
import { runLocal } from "../../fabric/edge/run.ts";
import { percentile } from "./statistics.ts";

/** From dist/node. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ROUNDS = 3;

async function elapsedMs(hosts: number): Promise<number> {
  const program = await bundleProgram(join(ROOT, "examples/pmake/pmake.ts"));
  const out = mkdtempSync(join(ROOT, "dist/pmake-"));
  try {
    const args = [".", out.slice(ROOT.length)];
    const { exitCode, job } = await runLocal(
      { program, args, directory: ROOT, print: () => {}, status: () => "" },
      hosts,
    );
    if (exitCode !== 0) throw new Error(`pmake ended with ${exitCode}`);
    return (job.endedMs ?? Number.NaN) - job.startedMs;
  } finally {
    rmSync(out, { recursive: true });
  }
}

/** On one host and on as many as there are processors, 4 at most, in turn; the first round warms up. */
export async function speedupSuite(): Promise<Record<string, number>> {
  const counts = [2, 4].filter((n) => n <= Math.max(2, availableParallelism()));
  const ratios = new Map(counts.map((n) => [n, [] as number[]]));
  await elapsedMs(1);
  for (let round = 0; round < ROUNDS; round++) {
    const one = await elapsedMs(1);
    for (const n of counts) ratios.get(n)?.push(one / (await elapsedMs(n)));
  }
  return Object.fromEntries(
    Array.from(ratios, ([n, samples]) => [`speedup.pmake_${n}`, percentile(samples, 50)]),
  );
}
