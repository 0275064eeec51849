/**
 * How soon a home goes on without a host that died: Chromium killed with SIGKILL, where nothing was said over the link for a while.
 * From the kill until the home gives the host's process up there, to place it again, by the clock that both read.
 */
import type { Page } from "playwright";
import { join } from "../../fabric/edge/index.ts";
import type { Roost } from "../../fabric/index.ts";
import type { Relay } from "../../relay/index.ts";
import { openTab, startChromium, startMortalChromium, startPageRelay } from "../browser/harness.ts";
import { percentile } from "./statistics.ts";
import { childOf, launched } from "./steered.ts";

const DEATHS = 5;
/** Of the link, before its host dies. */
const QUIET_MS = 1_000;

/** A child that waits for a letter which does not come. */
const WAITING = `
import { fork, recv, wait } from "roost";
if (fork({ on: "remote" }) > 0) wait();
console.log("full");
recv();`;

export async function deathSuite(): Promise<Record<string, number>> {
  const relay = await startPageRelay();
  const browser = await startChromium();
  try {
    const launcher = (await openTab(browser, relay)).page;
    await using roost = await join(relay.url);
    const noticed: number[] = [];
    for (let n = 0; n < DEATHS; n++) noticed.push(await deathNoticedMs(relay, launcher, roost));
    return {
      "host.death_noticed_p50_ms": percentile(noticed, 50),
      "host.death_noticed_ms": Math.max(...noticed), // the worst
    };
  } finally {
    await browser.close();
    await relay.close();
  }
}

async function deathNoticedMs(relay: Relay, launcher: Page, roost: Roost): Promise<number> {
  const { browser, kill } = await startMortalChromium();
  try {
    const donor = (await openTab(browser, relay)).page;
    await donor.getByTestId("donate").click();
    await launcher.locator("section[data-name]").nth(1).waitFor();
    const job = await launched(launcher, roost, WAITING);
    await after(QUIET_MS);
    const killedMs = Date.now();
    kill();
    for (;;) {
      const leftMs = (await childOf(job)).stays.at(-1)?.leftMs;
      if (leftMs !== undefined) {
        await job.end();
        return leftMs - killedMs;
      }
      await after(50);
    }
  } finally {
    kill();
  }
}

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
