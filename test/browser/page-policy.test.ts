/** A tab that looks after its owner by itself, with sensors that the tests hold in their hands. */
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

interface Fakes {
  user(state: "active" | "idle", screen?: "locked" | "unlocked"): void;
  pressure(state: string): void;
  battery(charging: boolean, level: number): void;
  saveData(on: boolean): void;
  line(type: "wifi" | "cellular"): void;
  hidden(on: boolean): void;
}
declare global {
  var fakes: Fakes;
}

/** Replaces everything optional that browsers tell; in the page. */
function fakeSensors(): void {
  class Idle extends EventTarget {
    static requestPermission = async () => "granted";
    userState = "idle";
    screenState = "locked";
    async start() {
      idle = this;
    }
  }
  let idle = new Idle();
  let onPressure: (records: { state: string }[]) => void = () => {};
  const battery = Object.assign(new EventTarget(), { charging: true, level: 1 });
  const connection = Object.assign(new EventTarget(), { saveData: false, type: "wifi" });
  const query = navigator.permissions.query.bind(navigator.permissions);
  navigator.permissions.query = async (wanted) =>
    (wanted.name as string) === "idle-detection" ? ({ state: "granted" } as PermissionStatus) : query(wanted);
  class Pressure {
    constructor(callback: typeof onPressure) {
      onPressure = callback;
    }
    async observe() {}
    disconnect() {}
  }
  Object.assign(globalThis, { IdleDetector: Idle, PressureObserver: Pressure });
  Object.defineProperty(navigator, "getBattery", { value: async () => battery });
  Object.defineProperty(navigator, "connection", { value: connection });
  let hidden = false;
  Object.defineProperty(document, "visibilityState", { get: () => (hidden ? "hidden" : "visible") });
  globalThis.fakes = {
    hidden(on) {
      hidden = on;
      document.dispatchEvent(new Event("visibilitychange"));
    },
    user(state, screen = "unlocked") {
      Object.assign(idle, { userState: state, screenState: screen });
      idle.dispatchEvent(new Event("change"));
    },
    pressure: (state) => onPressure([{ state }]),
    battery(charging, level) {
      Object.assign(battery, { charging, level });
      battery.dispatchEvent(new Event("levelchange"));
    },
    line(type) {
      connection.type = type;
      connection.dispatchEvent(new Event("change"));
    },
    saveData(on) {
      connection.saveData = on;
      connection.dispatchEvent(new Event("change"));
    },
  };
}

const why = (page: Page) => eventually(() => page.getByTestId("why").innerText());
const state = (page: Page) => eventually(() => page.getByTestId("donor-state").innerText());

async function openDonor(): Promise<Page> {
  const { page } = await openTab(browser, relay, {}, fakeSensors);
  await page.getByTestId("limits").locator("summary").click();
  return page;
}

test("an owner who returns gets the CPU back without a click, and a receipt says why", async () => {
  const donor = await openDonor();
  await donor.getByTestId("workers-here").press("Home"); // nothing while somebody is here
  await donor.evaluate(() => fakes.user("idle", "locked"));
  await donor.getByTestId("donate").click();
  await state(donor).toBe("Donating: nothing is here");
  await why(donor).toMatch(/^You are away: /);

  const author = (await openTab(browser, relay)).page;
  await author
    .locator("section[data-name]:not([data-here])")
    .or(author.locator("[data-here=false]"))
    .first()
    .waitFor();
  await author.getByTestId("example").selectOption("own");
  await author
    .getByTestId("source")
    .fill('import { fork, wait } from "roost";\nif (fork({ on: "remote" }) === 0) for (;;);\nwait();\n');
  await author.getByTestId("run").click();
  await state(donor).toBe("Donating: 1 guest here");

  await donor.evaluate(() => fakes.user("active"));
  await eventually(() => donor.getByTestId("receipt").innerText()).toMatch(
    /you are here; work starts after 60 s without input\. 1 process left/,
  );
  await state(donor).toBe("Waiting: nothing is here");
  await eventually(() => author.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");
  await eventually(() => donor.title()).toBe("◌ waiting – Roost");
  await Promise.all([donor.context().close(), author.context().close()]);
});

test("a tab that becomes hidden sends home what was computed there: it may be ended without a word", async () => {
  const donor = await openDonor();
  await donor.getByTestId("donate").click();
  const author = (await openTab(browser, relay)).page;
  // Less than what is written down in any case, and then nothing more.
  await sendGuest(
    author,
    `const began = Date.now(); while (Date.now() - began < 600); console.log("computed"); recv();`,
  );
  await author.getByTestId("output").getByText("computed").waitFor();
  const story = () => author.getByTestId("process-2").locator(".timeline").getAttribute("aria-label");
  expect(await story()).not.toMatch(/saved/);
  const hide = (on: boolean) => donor.evaluate((on) => fakes.hidden(on), on);
  await hide(true);
  await eventually(story).toMatch(/saved 1 time on the way/);
  await hide(false);
  await hide(true); // nothing has been computed since
  await donor.context().close();
  await eventually(() => author.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");
  expect(await story()).toMatch(/saved 1 time on the way/);
  await author.context().close();
});

test("battery and data-saver: each stops it at once, and says so", async () => {
  const page = await openDonor();
  await page.getByTestId("donate").click();
  await state(page).toBe("Donating: nothing is here");
  await page.evaluate(() => fakes.battery(false, 0.2));
  await why(page).toBe("Nothing runs here: the battery is at 20%; work starts again at 50% or on the mains.");
  await page.evaluate(() => fakes.saveData(true));
  await page.evaluate(() => fakes.battery(true, 0.2));
  await why(page).toBe("Nothing runs here: data is being saved on this connection.");
  await page.evaluate(() => fakes.saveData(false));
  await why(page).toMatch(/^Nothing runs here: all is quiet; work starts in \d+ s if it stays so\.$/);
  await page.context().close();
});

test("a dwell, pressure and hours, with the clock moved on", async () => {
  const { page } = await openTab(browser, relay, {}, fakeSensors);
  await page.clock.install();
  await page.reload();
  await page.getByTestId("limits").locator("summary").click();
  await page.getByTestId("donate").click();
  await state(page).toBe("Donating: nothing is here");
  await page.evaluate(() => fakes.user("active"));
  await page.evaluate(() => fakes.pressure("critical"));
  await page.clock.runFor(25_000);
  await why(page).toMatch(/^This machine is busy: 1 worker at half speed\./);
  await page.evaluate(() => fakes.pressure("nominal"));
  await page.clock.runFor(61_000);
  await why(page).toMatch(/^You are here: 1 worker\./);

  const now = await page.evaluate(() => new Date().getHours());
  const two = (hour: number) => `${String((hour + 24) % 24).padStart(2, "0")}:00`;
  await page.getByTestId("fromMinute").fill(two(now + 2));
  await page.getByTestId("toMinute").fill(two(now + 4));
  await why(page).toBe(`Nothing runs here: outside your hours (${two(now + 2)}–${two(now + 4)}).`);
  await page.context().close();
});

test("two tabs of one browser share the workers that its owner allows", async () => {
  const first = await openDonor();
  const second = await first.context().newPage();
  await second.addInitScript(fakeSensors);
  await second.goto(first.url());
  const bothWorkers = async (page: Page) => {
    await page.evaluate(() => fakes.user("active"));
    await page.getByTestId("donate").click();
  };
  await first.getByTestId("workers-here").press("Home");
  await first.getByTestId("workers-here").press("ArrowRight"); // one
  await second.reload();
  await bothWorkers(first);
  await state(first).toBe("Donating: nothing is here");
  await bothWorkers(second);
  await why(second).toBe("Nothing runs here: other tabs of this browser use all the workers you allow.");
  await first.close();
  await state(second).toMatch(/^(Waiting|Donating): nothing is here$/);
  await why(second).toMatch(/all is quiet|You are here/);
  await second.context().close();
});

test("where a browser tells nothing, it is said, and what is left still works", async () => {
  const { page } = await openTab(browser, relay, {}, () => {
    Object.assign(globalThis, { IdleDetector: undefined, PressureObserver: undefined });
    Object.defineProperty(navigator, "getBattery", { value: undefined });
    Object.defineProperty(navigator, "connection", { value: undefined });
    Object.defineProperty(navigator, "locks", { value: undefined });
  });
  await page.getByTestId("limits").locator("summary").click();
  const text = await page.getByTestId("limits").innerText();
  for (const lack of ["other programs", "how busy", "on battery", "data is to be saved"])
    expect(text).toContain(lack);
  await page.getByTestId("donate").click();
  await state(page).toBe("Donating: nothing is here");
  await page.context().close();
});

test("a blocked author is served no more, and what was here waits for another host", async () => {
  const donor = await openDonor();
  await donor.getByTestId("donate").click();
  const author = (await openTab(browser, relay)).page;
  await author.locator("[data-here=false]").first().waitFor();
  await author.getByTestId("example").selectOption("own");
  await author
    .getByTestId("source")
    .fill('import { fork, wait } from "roost";\nif (fork({ on: "remote" }) === 0) for (;;);\nwait();\n');
  await author.getByTestId("run").click();
  await donor.getByTestId("guest-2").waitFor();
  await donor.getByRole("button", { name: /^Block / }).click();
  await state(donor).toBe("Donating: nothing is here");
  await eventually(() => author.getByTestId("process-2").getAttribute("data-state")).toBe("unplaced");
  await Promise.all([donor.context().close(), author.context().close()]);
});

/** A process of `author` that comes to the donor and does this there. */
async function sendGuest(author: Page, program: string): Promise<void> {
  await author.locator("[data-here=false]").first().waitFor();
  await author.getByTestId("example").selectOption("own");
  await writeProgram(
    author,
    `import { fork, recv, send, wait } from "roost";\nif (fork({ on: "remote" }) === 0) { ${program} for (;;); }\nwait();\n`,
  );
  await author.getByTestId("run").click();
}

test("with a guest here: pause holds it still, resuming goes on, finishing waits for its end and is over", async () => {
  const donor = await openDonor();
  await donor.getByTestId("donate").click();
  const author = (await openTab(browser, relay)).page;
  await sendGuest(author, "");
  await state(donor).toBe("Donating: 1 guest here");
  await donor.getByTestId("pause").click();
  await state(donor).toBe("Paused: 1 guest stands still");
  await why(donor).toMatch(/^Paused by its owner; what is here moves on in \d+ s\.$/);
  await donor.getByTestId("donate").click();
  await state(donor).toBe("Donating: 1 guest here");
  await donor.getByTestId("finish").click();
  await state(donor).toBe("Finishing: 1 guest here");
  await author.getByTestId("cancel").click();
  await why(donor).toBe("Nothing runs here: finished, as you asked.");
  await eventually(() => donor.title()).toBe("Roost");
  await Promise.all([donor.context().close(), author.context().close()]);
});

test("only in the background: this page in front stops it", async () => {
  const donor = await openDonor();
  await donor.getByLabel("Only while this tab is in the background").check();
  await donor.evaluate(() => fakes.hidden(true));
  await donor.getByTestId("donate").click();
  await state(donor).toBe("Donating: nothing is here");
  await donor.evaluate(() => fakes.hidden(false));
  await why(donor).toBe("Nothing runs here: this page is in front.");
  await donor.context().close();
});

test("traffic that is used up takes nothing more, after a reload too; what was given stays written down", async () => {
  const donor = await openDonor();
  await donor.getByTestId("traffic").fill("1");
  await donor.getByTestId("traffic").press("Tab");
  await donor.getByTestId("donate").click();
  const author = (await openTab(browser, relay)).page;
  await sendGuest(
    author,
    'const bytes = new Uint8Array(2 ** 21); for (let n = 0; n < bytes.length; n++) bytes[n] = Math.random() * 256; send(1, "much", bytes);',
  );
  await why(donor).toBe("Today’s traffic of 1 MiB is used up.");
  await author.getByTestId("cancel").click();
  await why(donor).toBe("Nothing runs here: today’s traffic of 1 MiB is used up.");
  const given = () => donor.getByTestId("history").innerText();
  await donor.getByTestId("history").locator("summary").click();
  await eventually(given).toMatch(/to 1 process.*\d MiB/s); // it is written down by then
  await donor.reload();
  await donor.getByTestId("history").locator("summary").click();
  await eventually(given).toMatch(/to 1 process.*\d MiB/s);
  await donor.getByTestId("donate").click();
  await why(donor).toBe("Nothing runs here: today’s traffic of 1 MiB is used up.");
  await Promise.all([donor.context().close(), author.context().close()]);
});

test("on battery if never allowed, over a line that is paid by use, and while nobody is here if that is to be rest", async () => {
  const page = await openDonor();
  await page.getByTestId("battery").selectOption("never");
  await page.getByTestId("donate").click();
  await state(page).toBe("Donating: nothing is here");
  await page.evaluate(() => fakes.battery(false, 0.9));
  await why(page).toBe("Nothing runs here: on battery.");
  await page.evaluate(() => fakes.battery(true, 0.9));
  await page.evaluate(() => fakes.line("cellular"));
  await why(page).toBe("Nothing runs here: data is being saved on this connection.");
  await page.getByLabel("Also when data is to be saved").check();
  await why(page).toMatch(/^Nothing runs here: all is quiet; /);
  await page.getByTestId("workers-away").press("Home");
  await page.evaluate(() => fakes.user("idle", "locked"));
  await why(page).toBe("Nothing runs here: nobody is here, and then it is to rest.");
  await page.context().close();
});

/** A tab whose clock the test moves on. */
async function openWithClock(before: () => void): Promise<Page> {
  const { page } = await openTab(browser, relay, {}, before);
  await page.clock.install();
  await page.reload();
  await page.getByTestId("relay").and(page.locator("[data-state=online]")).waitFor();
  await page.getByTestId("limits").locator("summary").click();
  return page;
}

/** Lets time pass until the page says so. */
const whyInTime = (page: Page) =>
  eventually(async () => {
    await page.clock.fastForward(2_000);
    return page.getByTestId("why").innerText();
  });

test("where the browser tells nothing of other programs: without input for a while, its owner counts as away", async () => {
  const page = await openWithClock(() => {
    Object.assign(globalThis, { IdleDetector: undefined });
    Object.defineProperty(navigator, "hardwareConcurrency", { value: 8 });
  });
  await page.getByTestId("donate").click();
  await why(page).toMatch(/^You are here: 4 workers\./);
  await whyInTime(page).toMatch(/^4 workers now, more in \d+ s if all stays quiet\./);
  await whyInTime(page).toMatch(/^You are away: 8 workers\./);
  await page.mouse.move(300, 300);
  await why(page).toMatch(/^You are here: 4 workers\./);
  await page.context().close();
});

test("a busy machine loses a worker at a time, and gets them back once it is not", async () => {
  const page = await openWithClock(() => {
    Object.defineProperty(navigator, "hardwareConcurrency", { value: 8 });
    class Pressure {
      constructor(tell: (records: { state: string }[]) => void) {
        Object.assign(globalThis, { press: (state: string) => tell([{ state }]) });
      }
      async observe() {}
      disconnect() {}
    }
    Object.assign(globalThis, { IdleDetector: undefined, PressureObserver: Pressure });
  });
  const press = (state: string) =>
    page.evaluate((state) => (globalThis as unknown as { press(state: string): void }).press(state), state);
  await page.getByTestId("away-after").fill("600");
  await page.getByTestId("away-after").press("Tab");
  await page.getByTestId("donate").click();
  await why(page).toMatch(/^You are here: 4 workers\./);
  await press("critical");
  await whyInTime(page).toMatch(/^This machine is busy: only 3 workers\./);
  await whyInTime(page).toMatch(/^This machine is busy: only 2 workers\./);
  await press("nominal");
  await whyInTime(page).toMatch(/^You are here: 4 workers\./);
  await page.context().close();
});

test("a snooze ends by itself: work is taken again, once all has been quiet for a while", async () => {
  const page = await openWithClock(() => {});
  await page.getByTestId("donate").click();
  await state(page).toBe("Donating: nothing is here");
  await page.getByTestId("snooze").click();
  await why(page).toMatch(/^Nothing runs here: snoozed by its owner for \d+ min more\.$/);
  await page.clock.fastForward("59:00");
  await state(page).toBe("Snoozed");
  await page.clock.fastForward("01:01");
  await why(page).toMatch(/^Nothing runs here: all is quiet; work starts in \d+ s if it stays so\.$/);
  await state(page).toBe("Waiting: nothing is here");
  await eventually(() => page.title()).toBe("◌ waiting – Roost");
  await page.clock.fastForward(31_000);
  await state(page).toBe("Donating: nothing is here");
  await page.context().close();
});

test("what is paused stands still for a minute and then moves on, with a receipt that says why", async () => {
  const donor = await openWithClock(() => {});
  await donor.getByTestId("donate").click();
  const author = (await openTab(browser, relay)).page;
  await sendGuest(author, "");
  await state(donor).toBe("Donating: 1 guest here");
  await donor.getByTestId("pause").click();
  await state(donor).toBe("Paused: 1 guest stands still");
  await donor.clock.fastForward(61_000);
  await eventually(() => donor.getByTestId("receipt").innerText()).toMatch(
    /paused by its owner\. 1 process left/,
  );
  await state(donor).toBe("Paused");
  await Promise.all([donor.context().close(), author.context().close()]);
});

test("workers that another tab has are said to be there", async () => {
  const before = () => {
    Object.defineProperty(navigator, "hardwareConcurrency", { value: 4 });
  };
  const { page: first } = await openTab(browser, relay, {}, fakeSensors);
  await first.context().addInitScript(before);
  const second = await first.context().newPage();
  await second.addInitScript(fakeSensors);
  await second.goto(first.url());
  await first.reload();
  await first.getByTestId("donate").click();
  await eventually(async () => {
    await first.evaluate(() => fakes.user("active"));
    return first.getByTestId("why").innerText();
  }).toMatch(/^You are here: 2 workers\./);
  await second.getByTestId("donate").click();
  await why(second).toMatch(/^2 workers; other tabs of this browser use the rest\./);
  await first.context().close();
});

test("a browser that could tell more is asked on request, and what it lacks is said no more", async () => {
  const { page } = await openTab(browser, relay, {}, () => {
    let permission = "prompt";
    class Idle extends EventTarget {
      static async requestPermission() {
        permission = "granted";
        return permission;
      }
      userState = "active";
      screenState = "unlocked";
      async start() {}
    }
    Object.assign(globalThis, { IdleDetector: Idle });
    navigator.permissions.query = async () => ({ state: permission }) as PermissionStatus;
  });
  await page.getByTestId("limits").locator("summary").click();
  const text = () => page.getByTestId("limits").innerText();
  expect(await text()).toContain("whether you use other programs");
  await page.getByTestId("ask-idle").click();
  await page.getByTestId("ask-idle").waitFor({ state: "detached" });
  await eventually(text).not.toContain("whether you use other programs");
  await page.context().close();
});

test("an engine that does not come is said, nothing is given, and the next press tries again", async () => {
  const { page } = await openTab(browser, relay, { serviceWorkers: "block" });
  await page.route("**/engine-*.wasm", (route) => route.abort());
  await page.getByTestId("donate").click();
  await eventually(() => page.getByTestId("trouble").innerText()).toMatch(/^This tab cannot take work: ./);
  await why(page).toBe("Nothing runs here: the engine did not start.");
  await page.unroute("**/engine-*.wasm");
  await page.getByTestId("donate").click();
  await state(page).toBe("Donating: nothing is here");
  await page.context().close();
});

test("a guest that takes more memory than is given leaves, and its author reads what it lacks", async () => {
  const donor = await openDonor();
  await donor.getByTestId("memory").fill("16");
  await donor.getByTestId("memory").press("Tab");
  await donor.getByTestId("donate").click();
  await state(donor).toBe("Donating: nothing is here");
  const author = (await openTab(browser, relay)).page;
  await sendGuest(
    author,
    "const rows = []; while (rows.length < 24) rows.push(new Uint8Array(2 ** 20).fill(7));",
  );
  await eventually(() => author.getByTestId("why-job").innerText()).toMatch(
    /has \d+ MiB of memory, and no host that takes something gives so much: 16 MiB/,
  );
  await state(donor).toBe("Donating: nothing is here");
  await Promise.all([donor.context().close(), author.context().close()]);
});
