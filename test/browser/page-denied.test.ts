/** What the page says, and does, where the browser withholds something. */
import type { Browser, BrowserContextOptions, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../relay/index.ts";
import { barriers } from "./barriers.ts";
import { openTab, startChromium, startPageRelay, writeProgram } from "./harness.ts";

let browser: Browser;
let relay: Relay;

beforeAll(async () => {
  [browser, relay] = await Promise.all([startChromium(), startPageRelay()]);
});
afterAll(async () => {
  await browser?.close();
  await relay?.close();
});

const DARK_PHONE: BrowserContextOptions = { colorScheme: "dark", viewport: { width: 390, height: 800 } };

/** A page in a browser in which `take` has been done before anything else. */
async function openWithout(take: () => void, options: BrowserContextOptions = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.addInitScript(take);
  await page.goto(`http://localhost:${relay.port}/`);
  return page;
}

/** Everybody can read it, on a dark phone as on a bright desk, and a program runs. */
async function worksHere(page: Page): Promise<void> {
  expect(await barriers(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 800 });
  expect(await barriers(page)).toEqual([]);
  await page.getByTestId("args").fill("5");
  await page.getByTestId("run").click();
  await expect
    .poll(() => page.getByTestId("output").textContent(), { timeout: 30_000 })
    .toContain("10 solutions");
}

test("storage denied: the page works, forgets, and says what would keep it", async () => {
  const page = await openWithout(() => {
    const denied = () => {
      throw new DOMException("denied", "SecurityError");
    };
    Object.defineProperty(window, "indexedDB", { get: denied });
    Object.defineProperty(window, "sessionStorage", { get: denied });
  }, DARK_PHONE);
  await expect
    .poll(() => page.getByTestId("trouble").innerText())
    .toMatch(/keeps nothing.*allow this site to store data/);
  await worksHere(page);
  await page.context().close();
});

test("a job that there is no room to keep: the page says so, asks before it goes, and keeps it when there is", async () => {
  const page = await openWithout(() => {
    const { put } = IDBObjectStore.prototype;
    Object.assign(window, { isFull: true });
    IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...what: Parameters<typeof put>) {
      if ("isFull" in window && window.isFull && String(what[1]).startsWith("job/"))
        throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
      return put.apply(this, what);
    };
  });
  await page.getByTestId("example").selectOption("own");
  await writeProgram(page, 'import { readline } from "roost";\nwhile (readline()) console.log("and?");\n');
  await page.getByTestId("run").click();
  const notKept = page.getByTestId("not-kept");
  await expect
    .poll(() => notKept.innerText())
    .toMatch(/does not keep the job \(The quota has been exceeded\):/);
  expect(await barriers(page)).toEqual([]);
  const asks = page.waitForEvent("dialog");
  await page.evaluate(() => setTimeout(() => location.reload()));
  const dialog = await asks;
  expect(dialog.type()).toBe("beforeunload");
  await dialog.dismiss();
  await page.evaluate(() => Object.assign(window, { isFull: false }));
  await page.getByTestId("input").fill("go on");
  await page.getByTestId("input").press("Enter");
  await expect.poll(() => notKept.count(), { timeout: 30_000 }).toBe(0);
  await page.reload();
  await expect.poll(() => page.getByTestId("output").innerText()).toContain("and?");
  await page.context().close();
});

test("without WebRTC a program runs here, and the page says what is missing", async () => {
  const page = await openWithout(() => {
    Object.assign(window, { RTCPeerConnection: undefined, webkitRTCPeerConnection: undefined });
  }, DARK_PHONE);
  await page.getByTestId("donate").waitFor();
  await worksHere(page);
  await expect.poll(() => page.locator("body").textContent()).toMatch(/switch it on, or use another browser/);
  expect(await page.getByTestId("donate").isDisabled()).toBe(true);
  expect(await page.getByTestId("why").innerText()).toBe("Nobody can send work here without WebRTC.");
  await page.context().close();
});

test("over plain HTTP from another machine: no cryptography of the browser's, no locks, no clipboard; all goes", async () => {
  await using elsewhere = await startChromium("--host-resolver-rules=MAP roost.test 127.0.0.1");
  const open = () => openTab(elsewhere, relay, {}, undefined, "roost.test");
  const [donor, author] = [await open(), await open()] as const;
  expect(await author.page.evaluate(() => isSecureContext)).toBe(false);
  await donor.page.getByTestId("donate").click();
  await author.page.locator("section[data-here=false]").waitFor();
  await author.page.getByTestId("example").selectOption("own");
  await writeProgram(
    author.page,
    'import { fork, wait } from "roost";\nconst words = Array.from({ length: 20_000 }, (_, n) => "word " + n);\n' +
      'if (fork({ on: "remote" }) === 0) process.exit(words.length / 1000);\nconsole.log(wait().status);\n',
  );
  await author.page.getByTestId("run").click();
  await expect.poll(() => author.page.getByTestId("status").innerText()).toBe("exit 0");
  expect(await author.page.getByTestId("output").textContent()).toContain("20");
  await author.page.getByTestId("invite").click();
  expect(await author.page.getByTestId("invite-address").innerText()).toBe(author.page.url());
  const isolated = /^The Cross-Origin-Opener-Policy header has been ignored/;
  expect([...donor.errors, ...author.errors].filter((error) => !isolated.test(error))).toEqual([]);
});
