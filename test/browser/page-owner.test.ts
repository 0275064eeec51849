/** What the page promises to the owner of a tab. */
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

/** What the page keeps in this browser under a key. */
const kept = (page: Page, key: string): Promise<unknown> =>
  page.evaluate(
    (key) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("roost");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const reading = opening.result.transaction("values").objectStore("values").get(key);
          reading.onerror = () => reject(reading.error);
          reading.onsuccess = () => {
            opening.result.close();
            resolve(reading.result);
          };
        };
      }),
    key,
  );

test("a newcomer reads what will run, in what cage and how to stop, and nothing runs or loads before", async () => {
  const { page, requests, errors } = await openTab(browser, relay);
  const consent = await page.getByTestId("consent").innerText();
  expect(consent).toContain("What will run");
  expect(consent).toContain("no network, no files");
  expect(consent).toContain("Esc Esc");
  await eventually(() => page.getByTestId("why").innerText()).toBe("Nothing runs here before you press it.");

  expect(page.workers()).toEqual([]);
  expect(requests.filter((url) => url.endsWith(".wasm"))).toEqual([]);
  expect(requests.filter((url) => new URL(url).hostname !== "localhost")).toEqual([]);
  expect(errors).toEqual([]);

  await page.getByTestId("donate").click();
  await eventually(() => page.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");
  expect(page.workers().length).toBeGreaterThan(0);
  await page.context().close();
});

test("Escape twice takes the tab back, wherever the keyboard is, and there is a receipt", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("donate").click();
  await eventually(() => page.getByTestId("donor-state").innerText()).toContain("Donating");
  await eventually(() => page.title()).toBe("○ donating – Roost");

  await page.getByTestId("args").focus();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await eventually(() => page.getByTestId("receipt").innerText()).toMatch(
    /Stopped in .* ms: its owner is back\. Nothing was here\./,
  );
  expect(await page.getByTestId("why").innerText()).toBe("Nothing runs here: its owner is back.");
  await eventually(() => page.title()).toBe("Roost");
  await page.context().close();
});

test("pause, snooze, finish: each says what it does, and can be undone", async () => {
  const { page } = await openTab(browser, relay);
  const state = () => page.getByTestId("donor-state").innerText();
  const why = () => page.getByTestId("why").innerText();
  await page.getByTestId("donate").click();
  await eventually(state).toBe("Donating: nothing is here");
  await page.getByTestId("pause").click();
  await eventually(state).toBe("Paused");
  expect(await why()).toBe("Nothing runs here: paused by its owner.");
  await eventually(() => page.title()).toBe("❚❚ paused – Roost");
  await page.getByTestId("donate").click();
  await eventually(state).toBe("Donating: nothing is here");
  await page.getByTestId("snooze").click();
  await eventually(state).toBe("Snoozed");
  expect(await why()).toBe("Nothing runs here: snoozed by its owner for 60 min more.");
  await page.getByTestId("donate").click();
  await eventually(state).toBe("Donating: nothing is here");
  await page.getByTestId("finish").click();
  await eventually(why).toBe("Nothing runs here: finished, as you asked.");
  await page.context().close();
});

test("other tabs see a donating tab come and go", async () => {
  const [donor, watcher] = await Promise.all([openTab(browser, relay), openTab(browser, relay)]);
  await donor.page.getByTestId("tab-name").click();
  await donor.page.keyboard.type("the quiet one");
  await donor.page.keyboard.press("Enter");
  await donor.page.getByTestId("relay").and(donor.page.locator("[data-state=online]")).waitFor();
  await donor.page.getByTestId("donate").click();

  const place = watcher.page.locator("section[data-name='the quiet one']");
  await place.waitFor();
  expect(await place.innerText()).toContain("takes work");
  await donor.page.close();
  await place.waitFor({ state: "detached" });
  await Promise.all([donor.page.context().close(), watcher.page.context().close()]);
});

test("a change of the limits holds at once in every tab of the browser, and is not undone by another", async () => {
  const { page: first } = await openTab(browser, relay);
  const second = await first.context().newPage();
  await second.goto(first.url());
  for (const page of [first, second]) await page.getByTestId("limits").locator("summary").click();
  await first.getByTestId("workers-here").press("Home");
  await eventually(() => second.getByTestId("limits").innerText()).toContain("only while you are away");
  await second.getByTestId("donate").click();
  await eventually(() => second.getByTestId("why").innerText()).toMatch(/^Nothing runs here: you are here; /);
  await second.getByTestId("battery").selectOption("never");
  await eventually(() => first.getByTestId("battery").inputValue()).toBe("never");
  await eventually(() => kept(first, "owner")).toMatchObject({ here: { workers: 0 }, onBattery: "never" });
  await first.context().close();
});

test("the tab's icon says what the tab does, with a sign for each; after a reload nothing is given", async () => {
  const { page } = await openTab(browser, relay);
  const icon = () => page.locator("link[rel=icon]").getAttribute("href");
  const state = () => page.getByTestId("donor-state").innerText();
  const signs: (string | null)[] = [];
  const seen = async () => {
    await eventually(async () => signs.includes(await icon())).toBe(false);
    signs.push(await icon());
  };
  await eventually(icon).toContain("data:image/svg+xml");
  await seen();
  await page.getByTestId("donate").click();
  await eventually(state).toBe("Donating: nothing is here");
  await seen();
  await page.getByTestId("pause").click();
  await eventually(state).toBe("Paused");
  await seen();
  await page.getByTestId("reclaim").click();
  await page.getByTestId("receipt").waitFor();
  await seen();
  /** Not told apart by their colours alone. */
  const shapes = signs.map((sign) => decodeURIComponent(sign ?? "").replace(/color="#\w+"/, ""));
  expect(new Set(shapes).size).toBe(4);

  await page.getByTestId("donate").click();
  await eventually(state).toBe("Donating: nothing is here");
  await page.reload();
  await eventually(() => page.getByTestId("why").innerText()).toBe("Nothing runs here before you press it.");
  expect(page.workers()).toEqual([]);
  await page.context().close();
});

test("settings survive a reload", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("example").selectOption("pmake");
  await page.getByTestId("args").fill("fabric out/elsewhere");
  await page.getByTestId("limits").locator("summary").click();
  await page.getByTestId("workers-here").press("Home");
  await page.getByTestId("battery").selectOption("never");
  const name = await page.getByTestId("tab-name").innerText();
  // A reload may cut off what is just being written.
  await eventually(() => kept(page, "owner")).toMatchObject({ here: { workers: 0 }, onBattery: "never" });
  await page.reload();
  await eventually(() => page.getByTestId("example").inputValue()).toBe("pmake");
  expect(await page.getByTestId("args").inputValue()).toBe("fabric out/elsewhere");
  expect(await page.getByTestId("limits").innerText()).toMatch(/only while you are away/);
  expect(await page.getByTestId("battery").inputValue()).toBe("never");
  expect(await page.getByTestId("tab-name").innerText()).toBe(name);
  await page.context().close();
});

test("a lost relay is said in a sentence, and found again", async () => {
  let own = await startPageRelay();
  const { port } = own;
  const { page } = await openTab(browser, own);
  await page.getByTestId("donate").click();
  await eventually(() => page.getByTestId("why").innerText()).toMatch(
    /No program on this relay wants a host/,
  );
  await eventually(() => page.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");
  await own.close();
  await eventually(() => page.getByTestId("why").innerText()).toMatch(
    /New work comes once the relay can be reached\.$/,
  );
  await eventually(() => page.getByTestId("relay").innerText()).toMatch(
    /^Relay lost – links that exist keep working; reconnecting\s\(for .*\)$/,
  );
  own = await startPageRelay(port);
  await eventually(() => page.getByTestId("relay").innerText()).toBe("relay: online");
  await page.context().close();
  await own.close();
});
