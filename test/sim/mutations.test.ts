/** The simulator notices when a rule is broken: each mutation must fail some history. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, expect, test } from "vitest";
import { applied, MUTATIONS, mutated } from "./mutations.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** In so many a mutation must have been noticed. Most are by the twentieth. */
const SEEDS = 4_000;

const directory = mkdtempSync(join(tmpdir(), "roost-mutations-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What the simulator says of it: the first line of a violation, or undefined. In a process of its own, as a program of one file: that begins at once. */
async function violationUnder(name: string): Promise<string | undefined> {
  const file = join(directory, `${name.replaceAll(/\W+/g, "-")}.mjs`);
  const input = resolve(ROOT, "test/sim/lives.ts");
  const bundle = await rolldown({
    input,
    platform: "node",
    plugins: mutated(name),
    transform: { target: "node20" },
    logLevel: "warn",
  });
  await bundle.write({ file, codeSplitting: false });
  await bundle.close();
  return new Promise((done) => {
    const near = String(MUTATIONS[name]?.near ?? 1);
    execFile(
      process.execPath,
      [file, near, String(SEEDS)],
      { maxBuffer: 2 ** 28 },
      (error, stdout, stderr) => {
        if (!error) return done(undefined);
        done(/Violation: (.*)/.exec(stderr)?.[1] ?? `no violation, but: ${stdout}${stderr}`);
      },
    );
  });
}

test("the text of every mutation is found, once", () => {
  for (const mutation of Object.values(MUTATIONS))
    expect(applied(mutation, readFileSync(resolve(ROOT, "fabric", mutation.file), "utf8"))).toBeTypeOf(
      "string",
    );
});

test("every mutation is noticed", { timeout: 600_000 }, async () => {
  const waiting = Object.keys(MUTATIONS);
  const noticed = new Map<string, string | undefined>();
  const worker = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      noticed.set(name, await violationUnder(name));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  for (const [name, violation] of noticed)
    expect(violation ?? "nothing was noticed", name).toMatch(/^(seed \d+|\[.*undisturbed): /);
});
