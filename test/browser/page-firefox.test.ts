/** One process, in the middle of what it computes: from Chromium to Firefox and back. Only where there is a Firefox. */
import { expect, test } from "vitest";
import { findBrowser } from "../bench/browsers.ts";
import { Firefox } from "./firefox.ts";
import { eventually, openTab, startChromium, startPageRelay } from "./harness.ts";

const executable = findBrowser("firefox");

const PROGRAM = `
import { exit, fork, hostname, hosts, sleep, wait } from "roost";
let other;
while (!(other = hosts().find((host) => !host.here && host.free))) sleep(50);
const rounds = 24, steps = 300_000;
if (fork({ on: other.id }) === 0) {
  const places = [hostname()];
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    for (let n = 0; n < steps; n++) sum = (sum * 31 + n) | 0;
    if (places.at(-1) !== hostname()) places.push(hostname());
    if (round === 3) console.log("well under way");
  }
  exit(0, { sum, places });
}
const { value } = wait();
console.log(JSON.stringify(value));
`;

function expectedSum(): number {
  let sum = 0;
  for (let round = 0; round < 24; round++) for (let n = 0; n < 300_000; n++) sum = (sum * 31 + n) | 0;
  return sum;
}

test.skipIf(executable === undefined)(
  "a process computes in Firefox, its owner takes it back, and it ends in Chromium with the right sum",
  async () => {
    await using relay = await startPageRelay();
    const [chromium, firefox] = await Promise.all([startChromium(), Firefox.start(executable ?? "")]);
    try {
      await firefox.goto(`http://localhost:${relay.port}/`);
      await firefox.text("relay").toBe("relay: online");
      await firefox.press("donate");
      await firefox.text("donor-state").toBe("Donating: nothing is here");

      const { page } = await openTab(chromium, relay);
      await page.locator("section[data-here=false]").waitFor();
      expect(await page.locator("section[data-here=false]").innerText()).toContain("Firefox on");
      await page.getByTestId("example").selectOption("own");
      await page.getByTestId("source").fill(PROGRAM);
      await page.getByTestId("run").click();
      await eventually(() => page.getByTestId("output").innerText()).toContain("well under way");
      await firefox.press("reclaim");
      await firefox.text("receipt").toMatch(/Stopped in .*1 process left/s);

      await eventually(() => page.getByTestId("status").innerText()).toBe("exit 0");
      const lines = (await page.getByTestId("output").innerText()).split("\n");
      const { sum, places } = JSON.parse(lines.at(-1) ?? "") as { sum: number; places: string[] };
      expect(sum).toBe(expectedSum());
      expect(places).toHaveLength(2);
      const moves = () => page.getByTestId("process-2").getAttribute("data-moves").then(Number);
      await eventually(moves).toBeGreaterThan(0);
    } finally {
      await Promise.all([chromium.close(), firefox.close()]);
    }
  },
);

test.skipIf(executable === undefined)(
  "a tab of Firefox is the same participant when its page is opened again",
  async () => {
    await using relay = await startPageRelay();
    const firefox = await Firefox.start(executable ?? "");
    try {
      const id = () => firefox.evaluate("document.querySelector('[data-testid=own-id]')?.textContent");
      await firefox.goto(`http://localhost:${relay.port}/`);
      await firefox.text("relay").toBe("relay: online");
      const before = await id();
      expect(before).toMatch(/^[a-z2-7]{26}$/);
      await firefox.goto(`http://localhost:${relay.port}/`);
      await firefox.text("relay").toBe("relay: online");
      expect(await id()).toBe(before);
    } finally {
      await firefox.close();
    }
  },
);
