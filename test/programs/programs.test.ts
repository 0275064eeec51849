/**
 * Whole job programs, each with what it must print: on one host, on four whose clocks differ by hours, and moved at
 * every call and every poll. Real Chromium tabs: test/browser/programs.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalFabric, type RunOptions } from "./hosts.ts";
import { JOBS, load } from "./jobs.ts";

const MODES: Record<string, { hosts: number } & RunOptions> = {
  "on one host": { hosts: 1 },
  "on four hosts": { hosts: 4 },
  "moved at every call and poll": { hosts: 4, preemptEvery: 1 },
};

for (const [mode, { hosts, ...options }] of Object.entries(MODES))
  describe(mode, () => {
    let fabric: LocalFabric;
    beforeAll(async () => {
      fabric = await LocalFabric.start(hosts);
    });
    afterAll(() => fabric.close());

    test.for(JOBS)("$name", async (job) => {
      const { program, expected, files } = await load(job);
      const outcome = await fabric.run(program, { ...options, args: job.args, files });
      const { stdout, stderr, status, transcript } = outcome;
      const story = `what happened:\n${transcript.slice(-60).join("\n")}`;
      expect({ stdout, stderr, status }, story).toEqual({ stdout: expected.stdout, stderr: "", status: 0 });
      const written = new Map(outcome.files.files());
      for (const [path, bytes] of Object.entries(expected.files))
        expect(Buffer.from(written.get(path) ?? []).equals(bytes), `${path} is as it should be`).toBe(true);
    });
  });
