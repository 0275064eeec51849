/** A minute of chaos. As long as one likes: npm run chaos -- --minutes 30 --seed 7 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { Chaos } from "./chaos.ts";

const { ROOST_CHAOS_MINUTES = "1", ROOST_CHAOS_SEED = "1" } = process.env;
const RUN_MS = Number(ROOST_CHAOS_MINUTES) * 60_000;
const isLong = process.env.ROOST_CHAOS_MINUTES !== undefined;

let chaos: Chaos;
const began = performance.now();
const log: string[] = [];

beforeAll(async () => {
  await ensureEngine(new URL("../../dist/engine/engine.wasm", import.meta.url).pathname);
  chaos = await Chaos.start(Number(ROOST_CHAOS_SEED), (sentence) => {
    const line = `${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${sentence}`;
    log.push(line);
    if (isLong) console.info(line);
  });
});
afterAll(() => chaos?.close());

test("jobs print what they must, whatever happens to tabs, browsers, links and the relay", {
  timeout: RUN_MS + 400_000,
}, async () => {
  const { jobs, troubles, wrong } = await chaos.run(RUN_MS);
  console.info(`${jobs} jobs, seed ${ROOST_CHAOS_SEED}: ${JSON.stringify(troubles)}`);
  expect(wrong, log.join("\n")).toEqual([]);
  expect(jobs).toBeGreaterThan(1);
  expect(Object.keys(troubles).length).toBeGreaterThan(2);
});
