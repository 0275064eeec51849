/**
 * The programs of test/programs, launched in a tab with two more tabs donating, one of them in another Chromium process;
 * every 50 ms a process, chosen by a seed, is sent to another tab. The outputs are those of one host that never moves.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { type Relay, startRelay } from "../../relay/index.ts";
import { JOBS, load } from "../programs/jobs.ts";
import { startChromium } from "./harness.ts";
import type {} from "./pages/programs/main.ts";

const MOVE_EVERY_MS = 50;
const ROOT = resolve(import.meta.dirname, "../..");

let pageDirectory: string;
let relay: Relay;
let near: Browser;
let far: Browser;
let launcher: Page;
let moves = 0;

beforeAll(async () => {
  pageDirectory = await mkdtemp(join(tmpdir(), "roost-programs-"));
  await ensureEngine(join(ROOT, "dist/engine/engine.wasm"));
  await build({
    configFile: join(ROOT, "vite.config.ts"),
    root: resolve(import.meta.dirname, "pages/programs"),
    publicDir: false,
    logLevel: "warn",
    environments: { client: { build: { outDir: pageDirectory, emptyOutDir: true } } },
  });
  relay = await startRelay({ port: 0, pageDirectory });
  [near, far] = await Promise.all([startChromium(), startChromium()]);
  const open = async (browser: Browser, name: string) => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${relay.url}?name=${name}`);
    return page;
  };
  launcher = await open(near, "launcher");
  const donors = await Promise.all([open(near, "near"), open(far, "far")]);
  await Promise.all(donors.map((page) => page.evaluate(() => window.participant.donate())));
  await launcher.evaluate(() => window.participant.hosts(2));
});
afterAll(async () => {
  await Promise.all([near?.close(), far?.close()]);
  await relay?.close();
  await rm(pageDirectory, { recursive: true });
});

test.for(JOBS.map((job, n) => ({ ...job, seed: n + 1 })))("$name", async ({ seed, ...job }) => {
  const { program, expected, files } = await load(job);
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  const order = {
    ...program,
    args: job.args,
    files: Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, base64(bytes)])),
    seed,
    moveEveryMs: MOVE_EVERY_MS,
  };
  const outcome = await launcher.evaluate((order) => window.participant.run(order), order);
  const { stdout, stderr, status, transcript } = outcome;
  const story = `what happened:\n${transcript.slice(-60).join("\n")}`;
  expect({ stdout, stderr, status }, story).toEqual({ stdout: expected.stdout, stderr: "", status: 0 });
  for (const [path, bytes] of Object.entries(expected.files))
    expect(outcome.files[path] === base64(bytes), `${path} is as it should be`).toBe(true);
  moves += outcome.moves;
});

test("and they did move", () => {
  console.info(`processes arrived on another host ${moves} times`);
  expect(moves).toBeGreaterThan(JOBS.length);
});
