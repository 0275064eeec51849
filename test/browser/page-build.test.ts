/** What the built page weighs, that it opens without its relay, and that guests never hold it up. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually, openTab, startChromium, startPageRelay } from "./harness.ts";

const BUILT = resolve(import.meta.dirname, "../../dist/web");
const FIRST_LOAD_BYTES = 200 * 1000;

let browser: Browser;

beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser?.close());

test("the first load is small, and the editor and the engine are not in it", () => {
  const { shell, all } = JSON.parse(readFileSync(resolve(BUILT, "files.json"), "utf8")) as Record<
    string,
    string[]
  >;
  const sizeOf = (path: string) =>
    gzipSync(readFileSync(resolve(BUILT, path === "/" ? "index.html" : path.slice(1)))).length;
  for (const path of all ?? []) expect(sizeOf(path), path).toBeGreaterThan(0); // one that is not there keeps the rest from offline use
  const bytes = (shell ?? []).reduce((sum, path) => sum + sizeOf(path), 0);
  if (process.env.ROOST_FACTS) console.log(`first load: ${bytes} bytes, compressed`);
  expect(bytes).toBeLessThanOrEqual(FIRST_LOAD_BYTES);
  for (const late of [/\/engine-/, /\/editor-/, /\/sample-sources-/, /\/uPlot/]) {
    expect((all ?? []).some((path) => late.test(path))).toBe(true);
    expect((shell ?? []).some((path) => late.test(path))).toBe(false);
  }
});

test("what a browser really loads to open the page is as small as the list says", async () => {
  const relay = await startPageRelay();
  const { page } = await openTab(browser, relay, { serviceWorkers: "block" });
  const loaded = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce(
      (sum, entry) => sum + (entry as PerformanceResourceTiming).transferSize,
      0,
    ),
  );
  expect(loaded).toBeGreaterThan(20_000); // sizes are told
  expect(loaded).toBeLessThanOrEqual(FIRST_LOAD_BYTES);
  await page.context().close();
  await relay.close();
});

test("what was used once works again without the relay", async () => {
  const relay = await startPageRelay();
  const { page } = await openTab(browser, relay);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.reload(); // from now on by way of the service worker
  const solve = async (n: string) => {
    await page.getByTestId("args").fill(n);
    await page.getByTestId("run").click();
    await eventually(() => page.getByTestId("status").innerText()).toBe("exit 0");
  };
  await solve("4");
  await eventually(() =>
    page.evaluate(async () => (await (await caches.open("roost")).keys()).length),
  ).toBeGreaterThan(4);
  await eventually(() => page.evaluate(async () => (await caches.match("/"))?.status)).toBe(200);
  await relay.close();
  await page.reload();
  await eventually(() => page.getByTestId("relay").innerText()).toBe("relay: connecting…");
  await eventually(() => page.getByTestId("relay").innerText()).toMatch(/^No relay answers at localhost/);
  await solve("5");
  expect(await page.getByTestId("output").innerText()).toContain("10 solutions");
  await page.context().close();
});

test("an installed app opens without a network what was never opened before: the editor, the engine", async () => {
  const relay = await startPageRelay();
  const { page } = await openTab(browser, relay, {}, () => {
    const ask = window.matchMedia.bind(window);
    window.matchMedia = (query) => ask(query === "(display-mode: standalone)" ? "all" : query);
  });
  const { all = [] } = JSON.parse(readFileSync(resolve(BUILT, "files.json"), "utf8")) as Record<
    string,
    string[]
  >;
  await eventually(() =>
    page.evaluate(async (paths) => {
      const kept = await Promise.all(paths.map((path) => caches.match(path, { ignoreVary: true })));
      return paths.filter((_, n) => !kept[n]);
    }, all),
  ).toEqual([]);
  await relay.close();
  await page.reload();
  await page.getByTestId("example").selectOption("own");
  await page.getByTestId("snippet").selectOption("fork and wait");
  await page.getByTestId("source").waitFor();
  await page.getByTestId("run").click();
  await eventually(() => page.getByTestId("status").innerText()).toBe("exit 0");
  await page.context().close();
});

test("while four guests compute, the page answers", async () => {
  const relay = await startPageRelay();
  const { page } = await openTab(browser, relay, {}, () => {
    Object.defineProperty(navigator, "hardwareConcurrency", { value: 8 });
  });
  await page.getByTestId("example").selectOption("own");
  await page
    .getByTestId("source")
    .fill(
      'import { fork, wait } from "roost";\nfor (let n = 0; n < 4; n++) if (fork() === 0) for (;;);\nwait();\n',
    );
  await page.getByTestId("run").click();
  await eventually(() => page.getByTestId("process-5").getAttribute("data-state")).toBe("running");
  const facts = await taskFacts(page);
  const told = `${facts.cpuMs.toFixed(0)} ms of CPU in 4 s, where the known work took ${facts.knownMs.toFixed(0)}; the longest task ${facts.longestMs.toFixed(1)} ms`;
  if (process.env.ROOST_FACTS) console.log(told);
  expect(facts.tasks, told).toBeGreaterThan(20); // it is this page's thread that was looked at
  expect(facts.longestMs, told).toBeLessThanOrEqual(50);
  expect(facts.cpuMs, told).toBeLessThan(12 * facts.knownMs); // its thread has time to spare, however fast it is
  await page.getByTestId("cancel").click();
  await page.context().close();
  await relay.close();
});

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly tid: number;
  readonly pid: number;
  /** Of the thread's own processor time, in microseconds. */
  readonly tdur?: number;
  readonly args: { readonly name?: string; readonly data?: { readonly functionName?: string } };
}

/**
 * The tasks of the page's own thread in four seconds, by the processor time that they took: where tests share processors
 * with others, a task that waits for one lasts long and holds nobody up. `knownMs`: what work that is always the same took
 * on that thread meanwhile, which is not counted with the rest.
 */
async function taskFacts(
  page: Page,
): Promise<{ tasks: number; cpuMs: number; longestMs: number; knownMs: number }> {
  await browser.startTracing(page, {
    categories: ["devtools.timeline", "disabled-by-default-devtools.timeline"],
  });
  await page.evaluate(
    () =>
      new Promise<void>((done) => {
        let left = 40;
        const text = JSON.stringify(Array.from({ length: 2_000 }, (_, n) => ({ n, name: `name ${n}` })));
        function knownWork() {
          for (let n = 0; n < 4; n++) JSON.stringify(JSON.parse(text));
          if (--left > 0) setTimeout(knownWork, 100);
          else done();
        }
        knownWork();
      }),
  );
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: TraceEvent[];
  };
  const sum = (events: readonly TraceEvent[]) => events.reduce((ms, { tdur = 0 }) => ms + tdur / 1000, 0);
  const threads = traceEvents
    .filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain")
    .map(({ pid, tid }) => {
      const here = traceEvents.filter((event) => event.pid === pid && event.tid === tid);
      return {
        tasks: here.filter(({ name }) => /RunTask$/.test(name)),
        known: here.filter(
          ({ name, args }) => name === "FunctionCall" && args.data?.functionName === "knownWork",
        ),
      };
    });
  const { tasks, known } = threads.toSorted((a, b) => b.tasks.length - a.tasks.length)[0] ?? {
    tasks: [],
    known: [],
  };
  const knownMs = sum(known);
  return {
    tasks: tasks.length,
    cpuMs: sum(tasks) - knownMs,
    longestMs: Math.max(0, ...tasks.map(({ tdur = 0 }) => tdur / 1000)),
    knownMs,
  };
}
