/**
 * Programs that nobody wrote for Roost, from npm: stopped at every poll, and at many times more than there would be, each time to go
 * on in another instance. They must say what they say undisturbed, and what they say in Node.
 */
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { disturbed, POLL_STEPS, undisturbed } from "./torture.kit.ts";

/** How often each is stopped: everywhere in it, and at places that are never quite the same. */
const STOPS = 1_500;

const PROGRAMS = [
  "acorn",
  "meriyah",
  "sucrase",
  "peggy",
  "marked",
  "prismjs",
  "fflate",
  "lz-string",
  "decimal",
  "formulajs",
  "fengari",
  "sval",
  "kernels",
];

async function bundled(name: string): Promise<string> {
  const input = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  const bundle = await rolldown({
    input,
    platform: "browser",
    logLevel: "silent",
    transform: { define: { process: "undefined", "process.env": "{}" } }, // the same program here and there
  });
  const { output } = await bundle.generate({ format: "es", exports: "named" });
  await bundle.close();
  return output[0].code;
}

test.each(PROGRAMS)("%s", async (name) => {
  const module = await bundled(name);
  const there = await import(`data:text/javascript;base64,${Buffer.from(module).toString("base64")}`);
  const inGuest = `${module.replace(/export \{ (\S+) as default \};?/, "globalThis.result = $1;")}\nprint(globalThis.result);`;
  const calm = await undisturbed(inGuest);
  expect(calm).toMatchObject({ end: "exit", output: [there.default] });
  const steps = Math.ceil((calm.machine.polls * POLL_STEPS) / STOPS) | 1;
  const wild = await disturbed(inGuest, steps);
  expect(wild).toMatchObject({ end: "exit", output: calm.output });
  expect(wild.moves).toBeGreaterThan(STOPS / 3);
});
