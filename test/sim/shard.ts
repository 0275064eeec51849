/**
 * The histories, in as many files as run side by side. One again, with all that happened:
 * ROOST_SEED=123 npx vitest run --project sim; more or other ones: ROOST_SEEDS=100000, ROOST_FROM=10000.
 */
import { expect, test } from "vitest";
import { runHistory } from "./histories.ts";

const SHARDS = 4;
const { ROOST_SEED, ROOST_SEEDS = "10000", ROOST_FROM = "1" } = process.env;
/** The runner wants to hear from its workers now and then. */
const BREATH_EVERY = 20;

export function testShard(shard: number): void {
  if (ROOST_SEED !== undefined) {
    test.runIf(shard === 1)(`seed ${ROOST_SEED}`, () => runHistory(Number(ROOST_SEED), true));
    return;
  }
  const [from, count] = [Number(ROOST_FROM), Math.ceil(Number(ROOST_SEEDS) / SHARDS)];
  const first = from + (shard - 1) * count;
  test(`seeds ${first} to ${first + count - 1}`, { timeout: 3_600_000 }, async () => {
    let run = 0;
    for (let seed = first; seed < first + count; seed++) {
      await runHistory(seed);
      if (++run % BREATH_EVERY === 0) await new Promise(setImmediate);
    }
    expect(run).toBe(count);
  });
}
