/** Depth does not depend on the host: the same in a worker of Chromium as in Node, and a process moves between them in its depth. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import type { BaseImage } from "../../fabric/engine/index.ts";
import { startChromium } from "./harness.ts";
import { allDepths, ascend, boot, descend } from "./pages/engine/deep.ts";

const ENGINE_FILE = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));

let base: BaseImage;
let browser: Awaited<ReturnType<typeof startChromium>>;
/** Runs `code`, which has the module's exports as `deep` and the booted base as `base`, in a worker. */
let inWorker: (code: string) => Promise<unknown>;

beforeAll(async () => {
  await ensureEngine(ENGINE_FILE);
  const engine = await readFile(ENGINE_FILE);
  base = await boot(engine);
  const input = fileURLToPath(new URL("pages/engine/deep.ts", import.meta.url));
  const bundle = await rolldown({ input, platform: "neutral", logLevel: "warn" });
  const module = (await bundle.generate({ format: "es" })).output[0].code;
  await bundle.close();

  browser = await startChromium();
  const page = await browser.newPage();
  let work = "";
  await page.route("**/*", (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/engine.wasm") return route.fulfill({ body: engine });
    if (pathname === "/deep.js") return route.fulfill({ body: module, contentType: "text/javascript" });
    if (pathname === "/work.js") return route.fulfill({ body: work, contentType: "text/javascript" });
    return route.fulfill({ body: "<title>deep</title>", contentType: "text/html" });
  });
  await page.goto("http://localhost/");
  inWorker = (code) => {
    work = `import * as deep from "/deep.js";
      const base = await deep.boot(new Uint8Array(await (await fetch("/engine.wasm")).arrayBuffer()));
      postMessage(await (async () => { ${code} })());`;
    return page.evaluate(
      `new Promise((resolve, reject) => {
        const worker = new Worker("/work.js", { type: "module" });
        worker.onmessage = ({ data }) => (worker.terminate(), resolve(data));
        worker.onerror = (event) => reject(new Error(event.message));
      })`,
    );
  };
}, 300_000);
afterAll(() => browser?.close());

const asText = (bytes: Uint8Array) => JSON.stringify(Array.from(bytes));

test("every way to recurse is as deep in a worker of Chromium as in Node", async () => {
  const inChromium = inWorker("return deep.allDepths(base)");
  const here = await allDepths(base, () => new Promise(setImmediate)); // while Chromium is at it
  expect(await inChromium).toEqual(here);
});

test("a process goes on in Chromium, 20,000 calls deep, where it was stopped in Node", async () => {
  const said = await ascend(base, await descend(base));
  expect(said).toMatch(/^print \d+$/);
  const bytes = asText(await descend(base));
  expect(await inWorker(`return deep.ascend(base, new Uint8Array(${bytes}))`)).toBe(said);
});

test("and in Node where it was stopped in Chromium", async () => {
  const bytes = Uint8Array.from((await inWorker("return [...(await deep.descend(base))]")) as number[]);
  expect(await ascend(base, bytes)).toBe(await ascend(base, await descend(base)));
});
