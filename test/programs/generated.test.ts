/**
 * Random programs: what their processes see is what the model says, on one host, moved at every call and poll, and while hosts
 * are lost. ROOST_SEED=n runs the program of that seed alone, and shows it when it fails; ROOST_SEEDS=n runs more of them.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chance } from "../sim/world.ts";
import { generate, historyOf } from "./generator.ts";
import { LocalFabric, type RunOptions } from "./hosts.ts";

const only = process.env.ROOST_SEED;
const SEEDS = only
  ? [Number(only)]
  : Array.from({ length: Number(process.env.ROOST_SEEDS ?? 10) }, (_, n) => n + 1);
/** A process that loses its host a third time is given up. */
const HOSTS_LOST = 2;

/** Pulls plugs at random moments of the first quarter of a second. */
const losing =
  (seed: number): NonNullable<RunOptions["meanwhile"]> =>
  (_job, fabric) => {
    const random = chance(seed);
    const timers = Array.from({ length: HOSTS_LOST }, () =>
      setTimeout(() => fabric.lose(Math.floor(3 * random())), 20 + 200 * random()),
    );
    return () => timers.forEach(clearTimeout);
  };

const MODES: Record<string, { hosts: number; options: (seed: number) => RunOptions }> = {
  "on one host": { hosts: 1, options: () => ({}) },
  "moved at every call and poll": { hosts: 4, options: () => ({ preemptEvery: 1 }) },
  "while hosts are lost": { hosts: 4, options: (seed) => ({ meanwhile: losing(seed) }) },
  "moved all the time, while hosts are lost": {
    hosts: 4,
    options: (seed) => ({ preemptEvery: 1, meanwhile: losing(seed + 1_000) }),
  },
};

for (const [mode, { hosts, options }] of Object.entries(MODES))
  describe(mode, () => {
    let fabric: LocalFabric;
    beforeAll(async () => {
      fabric = await LocalFabric.start(hosts);
    });
    afterAll(() => fabric.close());

    test.for(SEEDS)("seed %i", async (seed) => {
      const { source, history } = generate(seed);
      const outcome = await fabric.run({ source, fileName: `seed-${seed}.js` }, options(seed));
      const story = `\nROOST_SEED=${seed} repeats it${only ? `\n${source}` : ""}\n${outcome.transcript.slice(-80).join("\n")}`;
      expect({ status: outcome.status, stderr: outcome.stderr }, story).toEqual({ status: 0, stderr: "" });
      expect(historyOf(outcome.stdout), story).toBe(history);
    });
  });
