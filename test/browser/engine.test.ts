/** One program, one state: its memory at the same poll is the same in any process, and in Chromium. test/unit/engine.test.ts moves it. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { startChromium } from "./harness.ts";
import { states } from "./pages/engine/states.ts";

const ENGINE_FILE = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));

async function asModule(): Promise<string> {
  const input = fileURLToPath(new URL("pages/engine/states.ts", import.meta.url));
  const bundle = await rolldown({ input, platform: "neutral", logLevel: "warn" });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  return output[0].code;
}

test("the same programs have the same memory at the same polls everywhere", async () => {
  await ensureEngine(ENGINE_FILE);
  const engine = await readFile(ENGINE_FILE);
  const here = await states(engine);

  const code = await asModule();
  const script = `
    import { readFile } from "node:fs/promises";
    const { states } = await import("data:text/javascript;base64,${Buffer.from(code).toString("base64")}");
    process.stdout.write(JSON.stringify(await states(await readFile(${JSON.stringify(ENGINE_FILE)}))));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, TZ: "America/Lima", LANG: "tr_TR.UTF-8" },
  });
  expect(JSON.parse(stdout)).toEqual(here);

  const browser = await startChromium();
  try {
    const page = await browser.newPage();
    await page.route("**/*", (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname === "/engine.wasm") return route.fulfill({ body: engine });
      if (pathname === "/states.js") return route.fulfill({ body: code, contentType: "text/javascript" });
      return route.fulfill({ body: "<title>states</title>", contentType: "text/html" });
    });
    await page.goto("http://localhost/");
    // As text, because the test's own compiler would rewrite the import.
    const there = await page.evaluate(`(async () => {
      const { states } = await import("/states.js");
      return states(new Uint8Array(await (await fetch("/engine.wasm")).arrayBuffer()));
    })()`);
    expect(there).toEqual(here);
  } finally {
    await browser.close();
  }
});
