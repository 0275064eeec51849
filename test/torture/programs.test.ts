/**
 * Programs that nobody wrote for Roost, from npm: stopped at every poll, and at many times more than there would be, each time to go
 * on in another instance. They must say what they say undisturbed, and what they say in Node.
 */
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { disturbed, undisturbed } from "./torture.kit.ts";

/** Steps between stops: few enough that every part of the program is stopped in, and so odd that it is never the same. */
const STEPS: Record<string, number> = {
  acorn: 97,
  sucrase: 61,
  marked: 97,
  fflate: 997,
  decimal: 211,
  kernels: 211,
};

async function bundled(name: string): Promise<string> {
  const input = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  const bundle = await rolldown({ input, platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "es", exports: "named" });
  await bundle.close();
  return output[0].code;
}

test.each(Object.entries(STEPS))("%s", async (name, steps) => {
  const module = await bundled(name);
  const there = await import(`data:text/javascript;base64,${Buffer.from(module).toString("base64")}`);
  const inGuest = `${module.replace(/export \{ (\S+) as default \};?/, "globalThis.result = $1;")}\nprint(globalThis.result);`;
  const calm = await undisturbed(inGuest);
  expect(calm.end).toBe("exit");
  expect(calm.output).toEqual([there.default]);
  const wild = await disturbed(inGuest, steps);
  expect(wild.output).toEqual(calm.output);
  expect(wild.moves).toBeGreaterThan(500);
});
