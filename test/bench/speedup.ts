/** How much faster a parallel program is on several hosts: pmake, hosts in one process. */
import { availableParallelism } from "node:os";
import { pmakeMs } from "./pmake.ts";
import { percentile } from "./statistics.ts";

const ROUNDS = 3;

/** On one host and on as many as there are processors, 4 at most, in turn; the first round warms up. */
export async function speedupSuite(): Promise<Record<string, number>> {
  const counts = [2, 4].filter((n) => n <= Math.max(2, availableParallelism()));
  const ratios = new Map(counts.map((n) => [n, [] as number[]]));
  await pmakeMs(1);
  for (let round = 0; round < ROUNDS; round++) {
    const one = await pmakeMs(1);
    for (const n of counts) ratios.get(n)?.push(one / (await pmakeMs(n)));
  }
  return Object.fromEntries(
    Array.from(ratios, ([n, samples]) => [`speedup.pmake_${n}`, percentile(samples, 50)]),
  );
}
