/** Who a tab is, from one visit to the next, and whom its owner serves: by identity, whatever anybody calls himself. */
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Relay } from "../../relay/index.ts";
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

const idOf = (page: Page) => page.getByTestId("own-id").textContent();
const nameOf = (page: Page) => page.getByTestId("tab-name").innerText();
const online = (page: Page) => page.getByTestId("relay").and(page.locator("[data-state=online]")).waitFor();
const state = (page: Page) => eventually(() => page.getByTestId("donor-state").innerText());

async function rename(page: Page, name: string): Promise<void> {
  await eventually(() => page.getByTestId("tab-name").isEnabled()).toBe(true);
  await page.getByTestId("tab-name").click();
  await eventually(() => page.evaluate(() => document.activeElement?.tagName)).toBe("INPUT");
  await page.keyboard.insertText(name);
  await page.keyboard.press("Enter");
  await eventually(() => nameOf(page)).toBe(name);
  await online(page);
}

/** A process of `author` that is to run elsewhere, for ever. */
async function runElsewhere(author: Page): Promise<void> {
  await author.getByTestId("example").selectOption("own");
  await writeProgram(
    author,
    'import { fork, wait } from "roost";\nif (fork({ on: "remote" }) === 0) for (;;);\nwait();\n',
  );
  await author.getByTestId("run").click();
  await author.getByTestId("process-2").waitFor();
}

/** Ends the job that is looked at, so that the tab can be renamed. */
async function cancel(author: Page): Promise<void> {
  await author.getByTestId("cancel").click();
  await eventually(() => author.getByTestId("status").innerText()).toBe("ended by SIGKILL");
}

const isRefused = (author: Page) =>
  eventually(() => author.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");

test("a tab is the same participant after a reload, and in the next visit; tabs that are open at once differ", async () => {
  const { page: first } = await openTab(browser, relay);
  const context = first.context();
  const [id, name] = [await idOf(first), await nameOf(first)];
  expect(id).toMatch(/^[a-z2-7]{26}$/);
  const second = await context.newPage();
  await second.goto(first.url());
  await online(second);
  const other = await idOf(second);
  expect(other).not.toBe(id);

  await Promise.all([first.reload(), second.reload()]);
  await Promise.all([online(first), online(second)]);
  expect([await idOf(first), await idOf(second)]).toEqual([id, other]);
  expect(await nameOf(first)).toBe(name);

  await first.close();
  await second.reload();
  expect(await idOf(second)).toBe(other); // its own, though another is free
  const held = () =>
    second.evaluate(async () => (await navigator.locks.query()).held?.map((lock) => lock.name));
  await eventually(held).not.toContain("roost-identity-0");
  const third = await context.newPage();
  await third.goto(second.url());
  await online(third);
  expect([await idOf(third), await nameOf(third)]).toEqual([id, name]);
  await context.close();
});

test("no program of the page can read the key that is kept", async () => {
  const { page } = await openTab(browser, relay);
  const told = await page.evaluate(
    () =>
      new Promise<string>((resolve) => {
        const opening = indexedDB.open("roost");
        opening.onsuccess = () => {
          const reading = opening.result.transaction("values").objectStore("values").get("identity 0");
          reading.onsuccess = () =>
            crypto.subtle.exportKey("pkcs8", reading.result.privateKey).then(
              () => resolve("it is told"),
              (error) => resolve(error.name),
            );
        };
      }),
  );
  expect(told).toBe("InvalidAccessError");
  await page.context().close();
});

test("a blocked author who calls himself something else is still blocked, until he is taken off the list", async () => {
  const donor = (await openTab(browser, relay)).page;
  await donor.getByTestId("limits").locator("summary").click();
  await donor.getByTestId("donate").click();
  const author = (await openTab(browser, relay)).page;
  const name = await nameOf(author);
  await author.locator("[data-here=false]").first().waitFor();
  await runElsewhere(author);
  await donor.getByTestId("guest-2").waitFor();
  await donor.getByRole("button", { name: `Block ${name}` }).click();
  await state(donor).toBe("Donating: nothing is here");
  await isRefused(author);
  await cancel(author);

  await rename(author, "somebody else");
  await runElsewhere(author);
  await isRefused(author);
  await author.reload(); // the job goes on in it
  await eventually(() => author.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");
  expect(await donor.getByTestId("donor-state").innerText()).toBe("Donating: nothing is here");

  await donor.getByTestId("blocked-list").getByRole("button").click();
  await state(donor).toBe("Donating: 1 guest here");
  await Promise.all([donor.context().close(), author.context().close()]);
});

test("who is to be served alone is picked by name and known by id: an impostor of that name is not served", async () => {
  const [donor, friend, impostor] = await Promise.all(
    [1, 2, 3].map(async () => (await openTab(browser, relay)).page),
  );
  if (!donor || !friend || !impostor) throw new Error("no tabs");
  await rename(friend, "ann");
  await friend.getByTestId("donate").click(); // from now on everybody knows that she is there
  await state(friend).toBe("Donating: nothing is here");
  await friend.getByTestId("reclaim").click();
  await friend.getByTestId("receipt").waitFor();
  await donor.getByTestId("limits").locator("summary").click();
  await donor.locator("[data-name=ann]").waitFor();
  await donor.getByTestId("served").fill("nobody who is here");
  await donor.getByTestId("served").press("Enter");
  await eventually(() => donor.getByTestId("limits").innerText()).toMatch(/give the id/);
  await donor.getByTestId("served").fill("ann");
  await donor.getByTestId("served").press("Enter");
  const list = () => donor.getByTestId("served-list").innerText();
  await eventually(list).toContain(((await idOf(friend)) ?? "").slice(0, 6));
  await rename(friend, "ann from work");
  await rename(impostor, "ann");
  await donor.getByTestId("donate").click();
  await state(donor).toBe("Donating: nothing is here");

  await runElsewhere(impostor);
  await isRefused(impostor);
  await runElsewhere(friend);
  await state(donor).toBe("Donating: 1 guest here");
  expect(await donor.getByTestId("guest-2").innerText()).toContain("for ann from work");
  expect(await impostor.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");
  await Promise.all([donor, friend, impostor].map((page) => page.context().close()));
});

test("in a group its members are places, and nobody else is: strangers are told of in words, on both sides", async () => {
  const { page: stranger } = await openTab(browser, relay);
  await stranger.getByTestId("donate").click();
  await state(stranger).toBe("Donating: nothing is here");
  const places = (page: Page) => page.locator("section[data-here=false]");
  const openMember = async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`http://localhost:${relay.port}/#group=${"5e".repeat(16)}`);
    await online(page);
    return page;
  };
  const author = await openMember();
  await eventually(() => author.getByTestId("strangers").innerText()).toMatch(
    /^1 other host on this relay is not in this group: nothing goes there/,
  );
  expect(await places(author).count()).toBe(0);

  const member = await openMember();
  await member.getByTestId("donate").click();
  await state(member).toBe("Donating: nothing is here");
  await places(author).waitFor();
  expect(await places(author).getAttribute("data-name")).toBe(await nameOf(member));
  await eventually(() => stranger.getByTestId("strangers").innerText()).toMatch(
    /keeps? to (its|their) group/,
  );
  expect(await places(stranger).count()).toBe(0);

  await author.getByTestId("example").selectOption("own");
  await writeProgram(author, "for (;;);\n");
  await author.getByTestId("run").click();
  await author.getByTestId("process-1").getByRole("button").click();
  const moves = author.getByTestId("process-menu").getByRole("button", { name: /^Move to/ });
  await eventually(() => moves.count()).toBe(1);
  expect(await moves.innerText()).toContain(await nameOf(member));
  await Promise.all([author, member, stranger].map((page) => page.context().close()));
});
