/** What the page promises to the author of a job. One tab: flights between tabs are tested elsewhere. */
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../relay/index.ts";
import { eventually, openTab, startChromium, startPageRelay } from "./harness.ts";

let browser: Browser;
let relay: Relay;

beforeAll(async () => {
  [browser, relay] = await Promise.all([startChromium(), startPageRelay()]);
});
afterAll(async () => {
  await browser?.close();
  await relay?.close();
});

async function runOwn(page: Page, source: string): Promise<void> {
  await page.getByTestId("example").selectOption("own");
  await page.getByTestId("source").fill(source);
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
  const first = page.getByTestId("process-1");
  expect(await first.getAttribute("data-state")).toBe("ended");
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

test("stderr is told apart, and control sequences do not show", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'console.log("\\x1b[32mgreen\\x1b[0m grass");\nconsole.error("a stone");\n');
  await status(page).toBe("exit 0");
  expect((await output(page)).split("\n")).toEqual(["green grass", expect.stringMatching(/^err\s*a stone$/)]);
  await page.context().close();
});

test("files given to the page reach the program, and what it writes can be saved", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("example").selectOption("own");
  await page
    .locator("input[type=file][multiple]")
    .first()
    .setInputFiles({ name: "words.txt", mimeType: "text/plain", buffer: Buffer.from("wren\nrook\n") });
  await eventually(() => page.getByTestId("files").innerText()).toContain("1 file of yours");
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

test("a program that asks is answered", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'import { readline } from "roost";\nconsole.log("hello " + readline());\n');
  await page.getByTestId("input").fill("heron");
  await page.keyboard.press("Enter");
  await status(page).toBe("exit 0");
  expect(await output(page)).toContain("hello heron");
  await page.context().close();
});

test("Cancel ends the job and everything it forked", async () => {
  const { page } = await openTab(browser, relay);
  await runOwn(page, 'import { fork } from "roost";\nfork();\nfor (;;);\n');
  await page.getByTestId("process-2").waitFor();
  await page.getByTestId("cancel").click();
  await status(page).toBe("ended by SIGKILL");
  for (const pid of [1, 2])
    expect(await page.getByTestId(`process-${pid}`).getAttribute("data-state")).toBe("ended");
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
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Kill it");
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
