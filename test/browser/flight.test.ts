/**
 * The main job, for real: several tabs in two Chromium processes, WebRTC between them, real programs. A launches,
 * B (same browser) and C (another browser process) donate.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { COMPILERS, outputPath } from "../../examples/pmake/compile.js";
import type { Relay } from "../../relay/index.ts";
import { openTab, startChromium, startMortalChromium, startPageRelay } from "./harness.ts";

const ROOT = resolve(import.meta.dirname, "../..");

let relay: Relay;
let near: Browser;
let far: Browser;
let kill: () => void;
let a: Page;
let b: Page;
let c: Page;

beforeAll(async () => {
  relay = await startPageRelay();
});
afterAll(async () => {
  await relay?.close();
});
beforeEach(async () => {
  const [first, second] = await Promise.all([startChromium(), startMortalChromium()]);
  near = first;
  far = second.browser;
  kill = second.kill;
  [a, b, c] = await Promise.all([named(near, "tab A"), named(near, "tab B"), named(far, "tab C")]);
});
afterEach(async () => {
  await Promise.all([near?.close(), far?.close()]);
});

async function named(browser: Browser, name: string): Promise<Page> {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("tab-name").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type(name);
  await page.keyboard.press("Enter");
  await page.getByTestId("relay").and(page.locator("[data-state=online]")).waitFor();
  return page;
}

async function donate(...pages: Page[]): Promise<void> {
  await Promise.all(pages.map((page) => page.getByTestId("donate").click()));
  await Promise.all(pages.map((page) => page.getByTestId("reclaim").waitFor()));
  // A knows of them when its fabric panel shows them as places.
  for (const page of pages) await a.locator(`section[data-name="${await nameOf(page)}"]`).waitFor();
}

const nameOf = async (page: Page) => (await page.getByTestId("tab-name").innerText()).trim();

async function launch(example: string, args?: string): Promise<void> {
  await a.getByTestId("example").selectOption(example);
  if (args !== undefined) await a.getByTestId("args").fill(args);
  await a.getByTestId("run").click();
}

const ended = (status: string) =>
  expect.poll(() => a.getByTestId("status").innerText(), { timeout: 90_000, interval: 100 }).toBe(status);

/** Where each process was last, by A's table. */
async function whereabouts(): Promise<Map<string, number>> {
  const places = await a.locator("[data-testid^=process-] .where").allInnerTexts();
  const counts = new Map<string, number>();
  for (const place of places.map((text) => text.trim().replace(/^[A-Z]\s+/, "")))
    counts.set(place, (counts.get(place) ?? 0) + 1);
  return counts;
}

test("pmake in tab A forks onto tabs B and C, and every output is what Node's compiler gives", async () => {
  await donate(b, c);
  await a.evaluate(() => {
    const made: Blob[] = [];
    Object.assign(window, { made });
    const original = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob: Blob | MediaSource) => {
      if (blob instanceof Blob) made.push(blob);
      return original(blob);
    };
  });
  await launch("pmake");
  await ended("exit 0");

  const places = await whereabouts();
  expect([...places.keys()].toSorted()).toEqual(["tab A", "tab B", "tab C"]);

  await a.getByTestId("written").locator("summary").click();
  const paths = await a.locator("[data-testid=written] li button").allInnerTexts();
  expect(paths.length).toBeGreaterThan(60);
  const texts = await a.evaluate(async () => {
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-testid=written] li button"))
      button.click();
    return Promise.all((window as unknown as { made: Blob[] }).made.map((blob) => blob.text()));
  });
  const sources = sourcesByOutput();
  for (const [i, path] of paths.entries()) {
    const source = sources.get(path.replace(/^out\//, ""));
    if (source === undefined) throw new Error(`${path} comes from no source`);
    expect(
      texts[i] === COMPILERS.sucrase?.compile(source, readFileSync(resolve(ROOT, source), "utf8")),
      path,
    ).toBe(true);
  }
  // The command's summary agrees with what was written.
  expect(await a.getByTestId("output").innerText()).toContain(`${paths.length} files: `);
});

/** Some seconds of a process's computing. */
const LOOPS = 2e7;

test("Reclaim on C stops its processes at once, they go on elsewhere, and the result is the same", async () => {
  await donate(b, c);
  // Each process computes for longer than a click takes, on any machine: none may end by itself as it is sent away.
  await a.getByTestId("example").selectOption("own");
  await a.getByTestId("source").fill(`
    import { fork, wait, exit } from "roost";
    for (let child = 0; child < 6; child++) {
      if (fork() !== 0) continue;
      let sum = child;
      for (let i = 0; i < ${LOOPS}; i++) sum = (sum * 31 + i) % 1000003;
      exit(0, { child, sum });
    }
    const ends = [];
    for (let n = 0; n < 6; n++) ends.push(wait().value);
    console.log(ends.sort((x, y) => x.child - y.child).map(({ sum }) => sum).join(" "));
  `);
  await a.getByTestId("run").click();
  await c.locator("[data-testid=guests] [data-testid^=guest-]").first().waitFor();
  await c.getByTestId("reclaim").click();
  const receipt = c.getByTestId("receipt");
  await receipt.waitFor();
  expect(await receipt.innerText()).toMatch(/Stopped in .*ms[\s\S]*process(es)? left in[\s\S]*→ tab [AB]/);
  expect(await c.locator("[data-testid^=guest-]").count()).toBe(0);
  // From here on nothing is placed on C.
  await ended("exit 0");
  const sums = [0, 1, 2, 3, 4, 5].map((child) => {
    let sum = child;
    for (let i = 0; i < LOOPS; i++) sum = (sum * 31 + i) % 1000003;
    return sum;
  });
  expect((await a.getByTestId("output").innerText()).split("\n").map((line) => line.trim())).toContain(
    sums.join(" "),
  );
  expect(await c.locator("[data-testid^=guest-]").count()).toBe(0);
});

test("a browser that is killed without warning costs time, not results", async () => {
  await donate(b, c);
  // Every line must come once, though the processes that print them run again from where they were sent.
  await a.getByTestId("example").selectOption("own");
  await a.getByTestId("source").fill(`
    import { fork, wait, exit, getpid } from "roost";
    for (let child = 0; child < 6; child++) {
      if (fork() !== 0) continue;
      const began = Date.now();
      let sum = Math.floor(Math.random() * 1e9);
      for (let step = 0; step < 5; step++) {
        console.log("child", child, "step", step, sum, began);
        for (let i = 0; i < 2e6; i++) sum = (sum * 31 + i) % 1000003;
      }
      exit(0, { child, sum, began });
    }
    const ends = [];
    for (let n = 0; n < 6; n++) ends.push(wait().value);
    for (const { child, sum, began } of ends.sort((x, y) => x.child - y.child)) console.log("result", child, sum, began);
  `);
  await a.getByTestId("run").click();
  await c.locator("[data-testid=guests] [data-testid^=guest-]").first().waitFor();
  // At least one line from a process on C is out: it must not come again.
  await expect.poll(() => a.getByTestId("output").innerText(), { timeout: 30_000 }).toMatch(/step 1/);
  kill();
  await ended("exit 0");

  const lines = (await a.getByTestId("output").innerText()).split("\n").map((line) => line.trim());
  const steps = lines.filter((line) => line.startsWith("child"));
  const results = lines.filter((line) => line.startsWith("result"));
  expect(steps.length).toBe(30);
  expect(new Set(steps.map((line) => line.split(" ").slice(0, 4).join(" "))).size).toBe(30);
  expect(results.length).toBe(6);
  for (const result of results) {
    const [, child, , began] = result.split(" ");
    const own = steps.filter((line) => line.startsWith(`child ${child} `)).map((line) => line.split(" "));
    expect(own.map(([, , , step]) => step)).toEqual(["0", "1", "2", "3", "4"]);
    expect(new Set(own.map((words) => words[5]))).toEqual(new Set([began]));
    // The random start and the way from there are the same in the run that was lost and the one that ended.
    let sum = Number(own[0]?.[4]);
    for (const words of own) {
      expect(Number(words[4])).toBe(sum);
      for (let i = 0; i < 2e6; i++) sum = (sum * 31 + i) % 1000003;
    }
    expect(Number(result.split(" ")[2])).toBe(sum);
  }
  expect(await a.locator("section[data-name='tab C']").count()).toBe(0);
});

test("the relay may go while a job runs: its links go on, the page says so, and reconnects", async () => {
  await donate(b);
  await launch("queens", "9");
  await b.locator("[data-testid=guests] [data-testid^=guest-]").first().waitFor();
  const { port } = relay;
  await relay.close();
  await a.getByTestId("relay").and(a.locator("[data-state=lost]")).waitFor();
  await ended("exit 0");
  expect(await a.getByTestId("output").innerText()).toContain("9 queens: 352 solutions");
  relay = await startPageRelay(port);
  await a.getByTestId("relay").and(a.locator("[data-state=online]")).waitFor({ timeout: 30_000 });
  await a.locator("section[data-name='tab B']").waitFor({ timeout: 30_000 });
});

/** The path of each source that comes with the page, by the path of its output. */
function sourcesByOutput(): Map<string, string> {
  const found = Object.keys(import.meta.glob("../../{fabric,relay,web}/**/*.{ts,tsx}", { query: "?raw" }));
  const sources = found.map((path) => path.replace("../../", ""));
  const beside = (path: string) =>
    sources.filter((other) => dirname(other) === dirname(path)).map((other) => basename(other));
  return new Map(sources.map((path) => [outputPath(path, beside(path), ".js"), path]));
}
