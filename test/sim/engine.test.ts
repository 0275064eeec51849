/**
 * Histories with the real engine: job programs in any weather, with what each must print. One again, with all that
 * happened: ROOST_ENGINE_SEED=12 npx vitest run --project sim test/sim/engine
 */
import { beforeAll, expect, test } from "vitest";
import { must } from "../../fabric/base/errors.ts";
import type { BaseImage } from "../../fabric/engine/index.ts";
import { engineMachines } from "../../fabric/host/engine-machines.ts";
import { JOBS, type JobProgram, type LoadedJob, load } from "../programs/jobs.ts";
import { boot, held } from "../unit/guest-process.ts";
import { Violation } from "./copies.ts";
import { told } from "./histories.ts";
import { History, type Outcome } from "./history.ts";
import { drawLimits, drawWeather, fairWeather, type Weather } from "./weather.ts";
import { World } from "./world.ts";

/** They compute much, or fork hundreds; and the last wants to be done within a minute. */
const HEAVY = ["words.js", "nbody.ts", "mandelbrot.js", "reap.js", "tree.js", "clock.js"];
const LIGHT = JOBS.filter(({ name }) => !HEAVY.includes(name));
const { ROOST_ENGINE_SEED, ROOST_ENGINE_SEEDS = "50" } = process.env;

let base: BaseImage;
beforeAll(async () => {
  base = await boot();
}, 120_000);

function historyOf(
  world: World,
  seed: number,
  job: JobProgram,
  loaded: LoadedJob,
  weather: Weather,
  steps: number,
) {
  return new History(world, seed, {
    program: loaded.program,
    args: job.args,
    files: loaded.files,
    printsOnce: false,
    lines: [],
    weather,
    steps,
    machines: () => held(world, engineMachines(base)),
  });
}

function compare(outcome: Outcome, { expected }: LoadedJob): void {
  if (outcome.stdout !== expected.stdout)
    throw new Violation(`it printed\n${outcome.stdout}\ninstead of\n${expected.stdout}`);
  for (const [path, bytes] of Object.entries(expected.files))
    if (!Buffer.from(outcome.files.get(path) ?? []).equals(bytes))
      throw new Violation(`${path} is not as it should be`);
}

const steps = new Map<string, number>();

async function stepsOf(job: JobProgram, loaded: LoadedJob): Promise<number> {
  const known = steps.get(job.name);
  if (known !== undefined) return known;
  const world = new World(1, { recording: false });
  const outcome = await historyOf(world, 1, job, loaded, fairWeather, 0).run();
  compare(outcome, loaded);
  steps.set(job.name, outcome.steps);
  return outcome.steps;
}

async function runEngineHistory(seed: number, recording: boolean): Promise<void> {
  const world = new World(seed, { recording });
  const drawn = drawWeather(world);
  const weather = { ...drawn, preemptEvery: drawn.preemptEvery > 0 ? 3 : 0 };
  const job = must(LIGHT[seed % LIGHT.length], "job");
  const loaded = await load(job);
  const undisturbed = await stepsOf(job, loaded);
  using knobs = drawLimits(world);
  world.note(() => JSON.stringify({ seed, job, weather, limits: knobs.names }));
  await told(world, `ROOST_ENGINE_SEED=${seed}`, async () =>
    compare(await historyOf(world, seed, job, loaded, weather, undisturbed).run(), loaded),
  );
}

test("job programs in the real engine print what they must, in any weather", {
  timeout: 600_000,
}, async () => {
  if (ROOST_ENGINE_SEED !== undefined) return runEngineHistory(Number(ROOST_ENGINE_SEED), true);
  let run = 0;
  while (run < Number(ROOST_ENGINE_SEEDS)) await runEngineHistory(++run, false);
  expect(run).toBeGreaterThan(0);
});
