/** What the page promises to the author of a job. One tab: flights between tabs are tested elsewhere. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../relay/index.ts";
import { eventually, openTab as open, startChromium, startPageRelay, writeProgram } from "./harness.ts";

let browser: Browser;
let relay: Relay;

beforeAll(async () => {
  [browser, relay] = await Promise.all([startChromium(), startPageRelay()]);
});
afterAll(async () => {
  await browser?.close();
  await relay?.close();
});

/** Nothing of what follows is to trouble a browser: not the page's policy, not the editor. */
const troubles: string[][] = [];
const openTab: typeof open = async (...how) => {
  const tab = await open(...how);
  troubles.push(tab.errors);
  return tab;
};
afterEach(() => expect(troubles.splice(0).flat()).toEqual([]));

async function runOwn(page: Page, source: string): Promise<void> {
  await page.getByTestId("example").selectOption("own");
  await writeProgram(page, source);
  await page.getByTestId("run").click();
}

const status = (page: Page) => eventually(() => page.getByTestId("status").innerText());
const output = (page: Page) => page.getByTestId("output").innerText();

test("the first example runs by keyboard alone", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("args").focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("6");
  await page.keyboard.press("Enter");
  await status(page).toBe("exit 0");
  expect(await output(page)).toContain("6 queens: 4 solutions");
  // The table of processes is drawn a few rows a frame.
  await eventually(() => page.getByTestId("process-1").getAttribute("data-state")).toBe("ended");
  expect(await page.getByTestId("process-2").getAttribute("data-parent")).toBe("1");
  await page.context().close();
});

test("a program that does not parse says where, and exits with 1", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, "const a = 1;\nconst = 2;\n");
  await status(page).toBe("exit 1");
  expect(await output(page)).toMatch(/SyntaxError[\s\S]*program\.js:2/);
  await page.context().close();
});

test("the line where a program went wrong is marked in the editor", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'const a = 1;\nfunction f() {\n  throw new TypeError("bad seed");\n}\nf();\n');
  await status(page).toBe("exit 1");
  const mark = page.locator(".cm-lintRange-error");
  await mark.waitFor();
  expect(await mark.innerText()).toContain('throw new TypeError("bad seed")');
  await page.locator(".cm-lint-marker-error").hover();
  await eventually(() => page.locator(".cm-tooltip-lint").innerText()).toContain("TypeError: bad seed");
  await page.context().close();
});

test("a line that is scrolled sideways passes behind its number, not through it", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("example").selectOption("own");
  await writeProgram(page, `// ${"long ".repeat(100)}\n`);
  const paint = (selector: string) =>
    page.locator(selector).evaluate((element) => getComputedStyle(element).backgroundColor);
  expect(await paint(".cm-gutters")).toBe(await paint(".cm-editor"));
  await page.context().close();
});

test("the editor knows the module's names, and imports what it completes", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("example").selectOption("own");
  // What comes first can be taken away altogether.
  await page.getByTestId("source").press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  await page.keyboard.type("1");
  await eventually(() => page.getByTestId("source").innerText()).toBe("1");
  await writeProgram(page, 'import { fork } from "roost";\n');
  await page.getByTestId("source").press("Control+End");
  await page.keyboard.type("getp");
  const selected = page.locator(".cm-tooltip-autocomplete [aria-selected=true]");
  await eventually(() => selected.innerText()).toMatch(/^getpid/);
  await selected.click(); // Enter breaks the line where it comes within 75 ms, lest one takes what one has not seen
  await eventually(() => page.getByTestId("source").innerText()).toBe(
    'import { fork, getpid } from "roost";\ngetpid',
  );
  await page
    .locator(".cm-line")
    .nth(1)
    .hover({ position: { x: 25, y: 8 } });
  await eventually(() => page.locator(".cm-tooltip-hover").innerText()).toContain("getpid(): number");
  await page.context().close();
});

/** One pixel. */
const DOT_PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

test("an exit value is shown as what it is: a picture, a table, data", async () => {
  const { page } = await openTab(browser, relay);
  const kind = () => page.getByTestId("result").getAttribute("data-kind");
  await runOwn(
    page,
    'import { exit } from "roost";\nexit(0, { width: 2, height: 1, data: new Uint8Array([255, 0, 0, 0, 0, 255]) });\n',
  );
  await eventually(kind).toBe("picture");
  const pixels = await page
    .getByTestId("result")
    .locator("canvas")
    .evaluate((canvas) => [
      ...((canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, 2, 1).data ?? []),
    ]);
  expect(pixels).toEqual([255, 0, 0, 255, 0, 0, 255, 255]);
  await runOwn(
    page,
    'console.log(JSON.stringify([{ bird: "wren", grams: 9 }, { bird: "rook", grams: 400 }]));\n',
  );
  await eventually(kind).toBe("table");
  expect(await page.getByTestId("result").locator("tbody tr").allInnerTexts()).toEqual([
    "wren\t9",
    "rook\t400",
  ]);
  await runOwn(page, 'import { exit } from "roost";\nexit(0, { nested: { deep: 7n } });\n');
  await eventually(kind).toBe("data");
  expect(await page.getByTestId("result").innerText()).toContain('"7n"');
  await runOwn(page, 'import { exit } from "roost";\nexit(0, "two\\nlines");\n');
  await eventually(kind).toBe("text");
  expect(await page.getByTestId("result").locator("pre").innerText()).toBe("two\nlines");
  await runOwn(
    page,
    `import { exit } from "roost";\nexit(0, Uint8Array.from(atob("${DOT_PNG}"), (c) => c.charCodeAt(0)));\n`,
  );
  await eventually(kind).toBe("image");
  const image = page.getByTestId("result").locator("img");
  await eventually(() => image.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(1);
  await page.context().close();
});

test("a picture that a job writes is seen", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(
    page,
    `import { fs } from "roost";\nfs.writeFileSync("dot.png", Uint8Array.from(atob("${DOT_PNG}"), (c) => c.charCodeAt(0)));\n`,
  );
  await status(page).toBe("exit 0");
  const image = page.getByTestId("picture-dot.png").locator("img");
  await eventually(() => image.evaluate((img) => (img as HTMLImageElement).naturalWidth)).toBe(1);
  await page.context().close();
});

test("jobs survive a reload: program, output, result", async () => {
  const { page } = await openTab(browser, relay);
  page.on("dialog", (dialog) => dialog.accept());
  await runOwn(
    page,
    'import { exit } from "roost";\nconsole.log("first light");\nexit(3, { answer: 42 });\n',
  );
  await status(page).toBe("exit 3");
  await eventually(() => storedRecords(page)).toBe(1);
  await page.reload();
  await page
    .getByTestId("jobs")
    .getByRole("button", { name: /program/ })
    .click();
  await status(page).toBe("exit 3");
  expect(await output(page)).toBe("first light");
  expect(await page.getByTestId("result").innerText()).toContain("42");
  await eventually(() => page.getByTestId("process-1").getAttribute("data-state")).toBe("ended");

  await page.getByTestId("forget").click();
  await eventually(() => storedRecords(page)).toBe(0);
  await page.context().close();
});

test("a job that runs goes on after a reload, where it was: processes, messages, output, files", async () => {
  const { page } = await openTab(browser, relay);
  page.on("dialog", (dialog) => dialog.accept());
  await runOwn(
    page,
    `import { fork, fs, getppid, recv, send, wait } from "roost";
    const child = fork();
    if (child === 0) for (;;) { const { from, value } = recv(); if (value === "end") process.exit(5); send(from, "next", value + 1); }
    let n = 0;
    const step = () => { send(child, "n", n); n = recv().value; fs.appendFileSync("steps", n + " "); console.log("step", n); };
    while (n < 3) step();
    for (const until = Date.now() + 4000; Date.now() < until; );
    while (n < 6) step();
    send(child, "end", "end");
    console.log(fs.readFileSync("steps", "utf8"), wait().status);\n`,
  );
  await eventually(() => output(page)).toContain("step 3");
  await eventually(() => keptJobs(page)).toBe(1);
  await page.reload();
  await status(page).toBe("exit 0");
  expect(await output(page)).toBe("step 1\nstep 2\nstep 3\nstep 4\nstep 5\nstep 6\n1 2 3 4 5 6  5");
  expect(await page.locator(".progress").innerText()).not.toMatch(/\d{3,} moves/);
  await eventually(() => keptJobs(page)).toBe(0);
  await page.context().close();
});

test("a job of a tab that is open is said to run there, in the next tab, and runs once", async () => {
  const { page } = await openTab(browser, relay);
  page.on("dialog", (dialog) => dialog.accept());
  await runOwn(
    page,
    'import { readline } from "roost";\nconsole.log("asks");\nconsole.log("got", readline());\n',
  );
  await eventually(() => output(page)).toContain("asks");
  await eventually(() => storedRecords(page)).toBe(1);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByTestId("jobs").getByRole("button").click();
  await eventually(() => other.getByTestId("status").innerText()).toBe("runs in another tab");
  await page.getByTestId("input").fill("a line");
  await page.getByTestId("input").press("Enter");
  await status(page).toBe("exit 0");
  expect(await output(page)).toContain("got a line");
  expect(await output(other)).toBe("asks");
  await page.context().close();
});

test("a job keeps its address over a reload, and who watches it from elsewhere finds it again", async () => {
  const { page } = await openTab(browser, relay);
  page.on("dialog", (dialog) => dialog.accept());
  await runOwn(
    page,
    'import { readline } from "roost";\nconsole.log("asks");\nconsole.log("got", readline());\n',
  );
  await eventually(() => output(page)).toContain("asks");
  await eventually(() => keptJobs(page)).toBe(1);
  const address = async () => (await page.getByTestId("steer-command").textContent())?.split(" ")[3];
  const before = await address();
  const watcher = await openTab(browser, relay);
  await watcher.page.goto(`http://localhost:${relay.port}/#job=${before}`);
  await eventually(() => output(watcher.page)).toContain("asks");
  await page.reload();
  await eventually(() => watcher.page.getByTestId("status").innerText()).toBe("its home is out of sight");
  await page.getByTestId("input").waitFor();
  expect(await address()).toBe(before);
  await eventually(() => watcher.page.getByTestId("status").innerText()).toBe("running");
  await page.getByTestId("input").fill("a line");
  await page.getByTestId("input").press("Enter");
  await status(page).toBe("exit 0");
  await eventually(() => output(watcher.page)).toContain("got a line");
  await Promise.all([page.context().close(), watcher.page.context().close()]);
});

test("a job that cannot go on after a reload is not lost: it is said, and it goes on after another", async () => {
  const { page, errors } = await openTab(browser, relay, { serviceWorkers: "block" });
  page.on("dialog", (dialog) => dialog.accept());
  await runOwn(
    page,
    `import { readline } from "roost";
    console.log("asks");
    console.log("got", readline());\n`,
  );
  await eventually(() => output(page)).toContain("asks");
  await eventually(() => keptJobs(page)).toBe(1);
  await eventually(() => storedRecords(page)).toBe(1);
  const engine = /engine.*\.wasm/;
  await page.route(engine, (route) => route.abort());
  await page.reload();
  await eventually(() => page.getByTestId("trouble").innerText()).toMatch(
    /could not go on: the engine cannot be fetched.*It is kept: reload the page to try again, or forget it\./,
  );
  expect(await keptJobs(page)).toBe(1);
  await page.unroute(engine);
  await page.reload();
  await page.getByTestId("input").fill("a line");
  await page.getByTestId("input").press("Enter");
  await status(page).toBe("exit 0");
  expect(await output(page)).toMatch(/^asks\n.*\ngot a line$/);
  errors.length = 0; // what the browser says of what it was kept from
  await page.context().close();
});

const keptJobs = async (page: Page) =>
  (await storedKeys(page)).filter((key) => /^job\/.*body$/.test(key)).length;
const storedRecords = async (page: Page) =>
  (await storedKeys(page)).filter((key) => key.startsWith("record ")).length;

const storedKeys = (page: Page): Promise<string[]> =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("roost");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const reading = opening.result.transaction("values").objectStore("values").getAllKeys();
          reading.onsuccess = () => {
            opening.result.close();
            resolve(reading.result.map(String));
          };
        };
      }),
  );

test("stderr is told apart, and control sequences do not show", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'console.log("\\x1b[32mgreen\\x1b[0m grass");\nconsole.error("a stone");\n');
  await status(page).toBe("exit 0");
  expect((await output(page)).split("\n")).toEqual(["green grass", expect.stringMatching(/^err\s*a stone$/)]);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByTestId("save-output").click(),
  ]);
  expect(await readFile(await download.path(), "utf8")).toBe("green grass\na stone\n");
  await page.context().close();
});

test("files given to the page reach the program, and what it writes can be saved", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("example").selectOption("own");
  await page
    .locator("input[type=file][multiple]")
    .first()
    .setInputFiles(
      ["words.txt", "others.txt"].map((name) => ({
        name,
        mimeType: "text/plain",
        buffer: Buffer.from("wren\nrook\n"),
      })),
    );
  await eventually(() => page.getByTestId("files").innerText()).toContain("2 files of yours");
  await runOwn(
    page,
    'import { fs } from "roost";\nfs.writeFileSync("upper.txt", fs.readFileSync("words.txt", "utf8").toUpperCase());\n',
  );
  await status(page).toBe("exit 0");
  await page.getByTestId("written").locator("summary").click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByTestId("file-upper.txt").click(),
  ]);
  expect(await readFile(await download.path(), "utf8")).toBe("WREN\nROOK\n");
  await page.context().close();
});

test("files dropped anywhere are taken: a program opens in the editor, the rest is given to it", async () => {
  const { page } = await openTab(browser, relay);
  const directory = await mkdtemp(join(tmpdir(), "roost-drop-"));
  const write = async (name: string, content: string) => {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  };
  const cdp = await page.context().newCDPSession(page);
  const drop = async (target: Locator, path: string) => {
    const box = await target.boundingBox();
    const [x, y] = [(box?.x ?? 0) + 30, (box?.y ?? 0) + 10];
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    await cdp.send("Input.dispatchDragEvent", { type: "dragEnter", x, y, data });
    await cdp.send("Input.dispatchDragEvent", { type: "dragOver", x, y, data });
    await page.locator(".launch-card[data-dragged=true]").waitFor();
    await cdp.send("Input.dispatchDragEvent", { type: "drop", x, y, data });
    await page.locator(".launch-card[data-dragged=false]").waitFor();
  };
  const source = 'import { fs } from "roost";\nconsole.log(fs.readFileSync("birds.txt", "utf8").length);\n';
  await drop(page.getByRole("heading", { name: "The fabric" }), await write("count.js", source));
  await eventually(() => page.getByTestId("source").innerText()).toContain("birds.txt");
  const shown = await page.getByTestId("source").innerText();
  await drop(page.getByTestId("source"), await write("birds.txt", "wren"));
  await eventually(() => page.getByTestId("files").innerText()).toContain("1 file of yours");
  expect(await page.getByTestId("source").innerText()).toBe(shown);
  await drop(page.getByTestId("source"), await write("picture.js", "\u0089PNG\u0000"));
  await eventually(() => page.getByTestId("trouble").innerText()).toContain("picture.js is no text in UTF-8");
  expect(await page.getByTestId("source").innerText()).toBe(shown);
  await page.getByTestId("run").click();
  await status(page).toBe("exit 0");
  expect(await output(page)).toBe("4");
  await rm(directory, { recursive: true });
  await page.context().close();
});

test("a program that asks is answered", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'import { readline } from "roost";\nconsole.log("hello " + readline());\n');
  await page.getByTestId("input").fill("heron");
  await page.keyboard.press("Enter");
  await status(page).toBe("exit 0");
  expect(await output(page)).toContain("hello heron");
  await page.context().close();
});

test("a process's line says in words where it was, and what it sent and received", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(
    page,
    'import { fork, recv, send } from "roost";\nif (fork() === 0) { send(1, "x", 1); send(1, "x", 2); process.exit(0); }\nrecv(); recv();\n',
  );
  await status(page).toBe("exit 0");
  const life = (pid: number) =>
    page.getByTestId(`process-${pid}`).getByRole("img").getAttribute("aria-label");
  const name = await page.getByTestId("tab-name").innerText();
  await eventually(() => life(2)).toMatch(
    new RegExp(`^on ${name}: forked, .*; 2 messages sent, 0 received$`),
  );
  expect(await life(1)).toMatch(/0 messages sent, 2 received$/);
  await page.context().close();
});

test("Cancel ends the job and everything it forked", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'import { fork } from "roost";\nfork();\nfor (;;);\n');
  await page.getByTestId("process-2").waitFor();
  await page.getByTestId("cancel").click();
  await status(page).toBe("ended by SIGKILL");
  for (const pid of [1, 2])
    await eventually(() => page.getByTestId(`process-${pid}`).getAttribute("data-state")).toBe("ended");
  await page.context().close();
});

test("one process is killed from its menu, by keyboard; the rest goes on", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(
    page,
    'import { fork, wait } from "roost";\nif (fork() === 0) for (;;);\nconsole.log("ended by", wait().signal);\n',
  );
  const process = page.getByTestId("process-2");
  await process.getByRole("button").focus();
  await page.keyboard.press("Enter");
  const menu = page.getByTestId("process-menu");
  await eventually(() => menu.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press("Enter"); // by mistake: does nothing
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Stop it for now");
  await page.keyboard.press("Enter");
  await eventually(() => process.getAttribute("data-state")).toBe("stopped");
  await eventually(() => page.getByTestId("why-job").innerText()).toContain("stopped by a signal");
  await process.getByRole("button").focus();
  await page.keyboard.press("Enter");
  await page.getByTestId("continue").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await eventually(() => process.getAttribute("data-state")).toBe("running");
  await process.getByRole("button").focus();
  await page.keyboard.press("Enter");
  await page.getByTestId("stop").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Kill it");
  await page.keyboard.press("Enter");
  await status(page).toBe("exit 0");
  expect(await process.getAttribute("data-signal")).toBe("SIGKILL");
  expect(await output(page)).toBe("ended by SIGKILL");
  await page.context().close();
});

test("nothing is wider than a phone", async () => {
  const { page } = await openTab(browser, relay, { viewport: { width: 360, height: 740 } });
  await page.getByTestId("run").click();
  await status(page).toBe("exit 0");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await page.context().close();
});

test("the table of processes: at any width nothing in it is cut off, and lines of time are long enough to be read", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(
    page,
    'import { fork, recv, wait } from "roost";\nif (fork() === 0) process.exit(3);\nif (fork() === 0) recv();\nwait();\nwait();\n',
  );
  await eventually(() => page.getByTestId("process-1").innerText()).toContain("waits for a child to end");
  await eventually(() => page.getByTestId("process-3").innerText()).toContain("waits for a message");
  await eventually(() => page.getByTestId("process-2").innerText()).toContain("exit 3");
  const cells = (selector: string) => page.locator(`.processes ${selector}`);
  for (const width of [1280, 1000, 880, 390]) {
    await page.setViewportSize({ width, height: 900 });
    await eventually(() =>
      cells("tbody td").evaluateAll((all) =>
        all.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent),
      ),
    ).toEqual([]);
    const lines = await cells("canvas").evaluateAll((all) => all.map((line) => line.clientWidth));
    expect(Math.min(...lines), `${width} pixels wide`).toBeGreaterThan(140);
  }
  await page.context().close();
});

test("the chart over time is drawn, and its library loaded, once somebody opens it", async () => {
  const { page, requests } = await openTab(browser, relay);
  await runOwn(page, 'import { fork } from "roost";\nif (fork() === 0) for (;;);\nfor (;;);\n');
  await page.getByTestId("chart").waitFor();
  const isLoaded = () => requests.some((url) => /uPlot/.test(url));
  expect(isLoaded()).toBe(false);
  await page.getByTestId("chart").locator("summary").click();
  await page.getByTestId("chart").locator("canvas").waitFor();
  expect(isLoaded()).toBe(true);
  await page.context().close();
});
