/** The simulator notices when a rule is broken: each mutation must fail some history. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { applied, MUTATIONS } from "./mutations.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Of these, the first quarter is lived: in that a mutation must have been noticed. Most are by the twentieth. */
const SEEDS = 16_000;

/** What the simulator says of it: the first line of a violation, or undefined. */
async function violationUnder(mutation: string): Promise<string | undefined> {
  const vitest = [resolve(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--project", "sim", "--no-color"];
  const child = spawn(process.execPath, [...vitest, "test/sim/histories.1"], {
    cwd: ROOT,
    env: { ...process.env, ROOST_MUTATION: mutation, ROOST_SEEDS: String(SEEDS), ROOST_SEED: undefined },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      said += data;
    });
  const code = await new Promise<number | null>((done) => child.on("close", done));
  if (code === 0) return undefined;
  return /Violation: (.*)/.exec(said)?.[1] ?? `no violation, but: ${said}`;
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
