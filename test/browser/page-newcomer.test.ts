/** A newcomer's path with two tabs, by keyboard alone; and whether everybody can read and reach what is on the page. */
import type { Browser, Locator, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../relay/index.ts";
import { barriers } from "./barriers.ts";
import { eventually, openTab, startChromium, startPageRelay, writeProgram } from "./harness.ts";

let browser: Browser;
let relay: Relay;

beforeAll(async () => {
  [browser, relay] = await Promise.all([startChromium(), startPageRelay()]);
});
afterAll(async () => {
  await browser?.close();
  await relay?.close();
});

/** Presses Tab until it is there: what cannot be reached so fails. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  const element = await target.elementHandle();
  for (let n = 0; n < 80; n++) {
    if (await page.evaluate((wanted) => document.activeElement === wanted, element)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("the keyboard does not reach it");
}

const SLOW =
  'import { fork, wait } from "roost";\nif (fork({ on: "local" }) === 0) for (;;);\nconsole.log("it ended by", wait().signal);\n';

test("donate, run in another tab, see it fly, move it, reclaim, read the receipt: by keyboard alone", async () => {
  const tabs = [await openTab(browser, relay), await openTab(browser, relay)] as const;
  const [donor, author] = [tabs[0].page, tabs[1].page];
  await tabTo(donor, donor.getByTestId("donate"));
  await donor.keyboard.press("Enter");
  await eventually(() => donor.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");
  const place = author.locator("section[data-here=false]");
  await place.waitFor();

  await tabTo(author, author.getByTestId("example"));
  await author.keyboard.press("m"); // my own…
  await writeProgram(author, SLOW);
  await author.getByTestId("source").press("Control+Enter");
  const process = author.getByTestId("process-2");
  await process.waitFor();
  const launcher = (await process.getAttribute("data-host")) ?? "";
  await tabTo(author, process.getByRole("button"));
  await author.keyboard.press("Enter");
  await tabTo(author, author.getByRole("button", { name: /^Move to/ }));
  await author.keyboard.press("Enter");
  await eventually(() => process.getAttribute("data-host")).not.toBe(launcher);
  await eventually(() => place.getAttribute("data-count")).toBe("1");
  await donor.getByTestId("guest-2").waitFor();
  await eventually(() => donor.title()).toBe("● 1 guest – Roost");

  await donor.keyboard.press("Escape");
  await donor.keyboard.press("Escape");
  const name = await author.getByTestId("tab-name").innerText();
  await eventually(() => donor.getByTestId("receipt").innerText()).toMatch(
    new RegExp(`1 process left in .*program 2 → ${name}`, "s"),
  );
  await eventually(() => process.getAttribute("data-host")).toBe(launcher);
  expect(Number(await process.getAttribute("data-moves"))).toBe(2);
  await tabTo(author, author.getByTestId("cancel"));
  await author.keyboard.press("Enter");
  await eventually(() => author.getByTestId("status").innerText()).toBe("ended by SIGKILL");
  expect(tabs.flatMap(({ errors }) => errors)).toEqual([]);
  await Promise.all([donor.context().close(), author.context().close()]);
});

test.each([
  ["light", 1280],
  ["dark", 390],
] as const)("no serious barrier: %s, %i pixels wide", async (colorScheme, width) => {
  const { page } = await openTab(browser, relay, { colorScheme, viewport: { width, height: 800 } });
  expect(await barriers(page)).toEqual([]);
  await page.getByTestId("limits").locator("summary").click();
  await page.getByTestId("donate").click();
  await eventually(() => page.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");
  expect(await barriers(page)).toEqual([]);
  await page.getByTestId("example").selectOption("own");
  await page.getByTestId("snippet").selectOption("a list in parallel");
  await page.getByTestId("run").click();
  await eventually(() => page.getByTestId("status").innerText()).toBe("exit 0");
  await page.getByTestId("result").waitFor();
  await page.getByTestId("process-1").getByRole("button").click();
  await page.getByTestId("process-menu").waitFor();
  expect(await barriers(page)).toEqual([]);
  await page.context().close();
});

test.each([
  ["dark", 1280],
  ["light", 390],
] as const)("no serious barrier in what is not daily: %s, %i pixels wide", async (colorScheme, width) => {
  const { page } = await openTab(browser, relay, { colorScheme, viewport: { width, height: 800 } });
  const status = () => page.getByTestId("status").innerText();
  const runs = async (source: string) => {
    await writeProgram(page, source);
    await page.getByTestId("run").click();
  };
  await page.getByTestId("invite").click();
  await page.getByAltText("The address as a QR code").waitFor();
  expect(await barriers(page), "the invitation").toEqual([]);
  await page.keyboard.press("Escape");
  await page.getByTestId("donate").click();
  await eventually(() => page.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");
  await page.getByTestId("pause").click();
  await eventually(() => page.getByTestId("donor-state").innerText()).toBe("Paused");
  expect(await barriers(page), "paused").toEqual([]);
  await page.getByTestId("reclaim").click();
  await page.getByTestId("receipt").waitFor();
  await page.getByTestId("example").selectOption("own");
  await runs('import { fork, wait } from "roost";\nif (fork({ on: "remote" }) === 0) for (;;);\nwait();\n');
  await page.getByTestId("why-job").waitFor();
  await page.getByTestId("waiting").waitFor();
  expect(await barriers(page), "a receipt, and a job that waits for a host").toEqual([]);
  await page.getByTestId("cancel").click();
  await eventually(status).toBe("ended by SIGKILL");
  await runs('throw new TypeError("bad seed");\n');
  await page.locator(".cm-lintRange-error").waitFor();
  expect(await barriers(page), "an error, marked").toEqual([]);
  const ends = {
    picture: "{ width: 1, height: 1, data: [1, 2, 3] }",
    data: "{ nested: [1] }",
    text: '"words"',
  };
  for (const [kind, value] of Object.entries(ends)) {
    await runs(`import { exit } from "roost";\nexit(0, ${value});\n`);
    await page
      .getByTestId("result")
      .and(page.locator(`[data-kind=${kind}]`))
      .waitFor();
    expect(await barriers(page), `a result: ${kind}`).toEqual([]);
  }
  await page.context().close();
});

test.each([
  ["light", 1280],
  ["dark", 390],
] as const)(
  "no serious barrier with guests here, and a process that can be moved: %s, %i pixels wide",
  async (colorScheme, width) => {
    const options = { colorScheme, viewport: { width, height: 800 } };
    const [{ page: donor }, { page: author }] = [
      await openTab(browser, relay, options),
      await openTab(browser, relay, options),
    ];
    await donor.getByTestId("donate").click();
    await author.locator("section[data-here=false]").waitFor();
    await author.getByTestId("example").selectOption("own");
    await writeProgram(author, SLOW.replace("local", "remote"));
    await author.getByTestId("run").click();
    await donor.getByTestId("guest-2").waitFor();
    expect(await barriers(donor), "a guest").toEqual([]);
    await author.getByTestId("process-2").getByRole("button").click();
    await author
      .getByTestId("process-menu")
      .getByRole("button", { name: /^Move to/ })
      .waitFor();
    expect(await barriers(author), "the menu of a process that runs").toEqual([]);
    await author.keyboard.press("Escape");

    await donor.getByRole("button", { name: /^Block / }).click();
    await donor.getByTestId("limits").locator("summary").click();
    await donor.getByTestId("served").fill("nobody");
    await donor.getByTestId("served").press("Enter");
    await donor.getByTestId("blocked-list").waitFor();
    expect(await barriers(donor), "people on lists").toEqual([]);
    await donor.getByTestId("snooze").click();
    await eventually(() => donor.getByTestId("donor-state").innerText()).toBe("Snoozed");
    expect(await barriers(donor), "snoozed").toEqual([]);
    await Promise.all([donor.context().close(), author.context().close()]);
  },
);

test("an invitation: the address, and a code to photograph", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("invite").click();
  expect(await page.getByTestId("invite-address").innerText()).toBe(page.url());
  const code = page.getByAltText("The address as a QR code");
  await eventually(() => code.evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(
    0,
  );
  await page.context().close();
});

test("a group is made by a press: its address brings others in, and without it nobody is met", async () => {
  const { page: outside } = await openTab(browser, relay);
  const { page } = await openTab(browser, relay);
  await page.getByTestId("invite").click();
  await page.getByTestId("make-group").click();
  await page.waitForURL(/#group=[0-9a-f]{32}$/);
  await eventually(() => page.getByTestId("invite").innerText()).toBe("Invite to this group…");
  await page.getByTestId("relay").and(page.locator("[data-state=online]")).waitFor();
  await page.getByTestId("invite").click();
  const address = await page.getByTestId("invite-address").innerText();
  expect(address).toBe(page.url());

  const member = await browser.newPage();
  await member.goto(address);
  await outside.getByTestId("donate").click();
  await eventually(() => outside.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");
  await page.keyboard.press("Escape");
  await page.getByTestId("example").selectOption("own");
  await writeProgram(
    page,
    'import { fork, wait } from "roost";\nif (fork({ on: "remote" }) === 0) process.exit(7);\nconsole.log(wait().status);\n',
  );
  await page.getByTestId("run").click();
  await eventually(() => page.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");
  await member.getByTestId("donate").click();
  await eventually(() => page.getByTestId("status").innerText()).toBe("exit 0");
  const name = await member.getByTestId("tab-name").innerText();
  await eventually(() => page.getByTestId("process-2").innerText()).toContain(name);
  expect(await page.getByTestId("process-2").getAttribute("data-moves")).toBe("0");

  await page.getByTestId("invite").click();
  await page.getByTestId("leave-group").click();
  await eventually(() => page.getByTestId("invite").innerText()).toBe("Invite…");
  await Promise.all([page, outside, member].map((tab) => tab.context().close()));
});

test("an address whose group's secret was cut off says so, and how to go on", async () => {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${relay.port}/#group=short`);
  await eventually(() => page.getByRole("alert").innerText()).toMatch(/secret has at least 20 characters/);
  expect(await barriers(page)).toEqual([]);
  await page.getByRole("link").click();
  await page.getByTestId("donate").waitFor();
  await page.close();
});
