/**
 * The kernels of the Octane benchmark (V8 project authors, BSD; from npm), which check their own results: once through
 * each, stopped some thousand times, each time to go on in another instance. Then they must have drawn as many random numbers
 * as undisturbed, and as in Node.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { expect, test } from "vitest";
import { disturbed, POLL_STEPS, undisturbed } from "./torture.kit.ts";

const require = createRequire(import.meta.url);
const folder = dirname(require.resolve("benchmark-octane/package.json"));
const text = (name: string) => readFile(join(folder, "lib/octane", `${name}.js`), "utf8");

const STOPS = 2_000;

/** What each has come to, besides not complaining. */
const KERNELS: Record<string, string> = {
  richards: "COUNT",
  deltablue: "planner.currentMark",
  crypto: "b.name", // it seeds itself by the clock
  raytrace: "checkNumber",
  "earley-boyer": "b.name",
  regexp: "b.name",
  splay: "splayTree.exportKeys().join()",
  "navier-stokes": "solver.getDens().reduce((sum, density) => sum + density, 0)",
};

test.each(Object.entries(KERNELS))("%s", async (name, result) => {
  // A tree of so many nodes is 32 MiB, and more memory to copy shows nothing more.
  const kernel = (await text(name)).replace("var kSplayTreeSize = 8000;", "var kSplayTreeSize = 800;");
  const script = `var performance = {}, alert = function () {};\n${await text("base")}\n${kernel}\n
    BenchmarkSuite.ResetRNG();
    var results = [];
    for (const b of BenchmarkSuite.suites[0].benchmarks) { b.Setup(); b.run(); results.push(${result}); b.TearDown(); }
    results.concat(Math.random()).join(" ")`;
  const module = `print((0, eval)(${JSON.stringify(script)}));`;
  const calm = await undisturbed(module);
  expect(calm).toMatchObject({ end: "exit", output: [runInContext(script, createContext({}))] });
  const steps = Math.ceil((calm.machine.polls * POLL_STEPS) / STOPS) | 1;
  const wild = await disturbed(module, steps);
  expect(wild).toMatchObject({ end: "exit", output: calm.output });
  expect(wild.moves).toBeGreaterThan(STOPS / 3);
});
