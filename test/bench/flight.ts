/**
 * What flying costs: between two real Chromium processes over real WebRTC on loopback, through the built page and relay,
 * as a person would use them. Read from the page's own user timings (web/timing.ts).
 */
import type { Page } from "playwright";
import { percentile } from "./statistics.ts";
import { launch, twoBrowsers } from "./two-browsers.ts";

const FORKS = 60;
const RECLAIMS = 12;

/** Forks to a remote tab one after the other; what each child does is end. */
const FORKING = `
  import { fork, wait, exit } from "roost";
  for (let n = 0; n < ${FORKS}; n++) {
    if (fork({ on: "remote" }) === 0) exit(0);
    wait();
  }`;

/** Keeps four processes busy on remote tabs, for as long as it is let. */
const BUSY = `
  import { fork, wait } from "roost";
  for (let n = 0; n < 4; n++)
    if (fork({ on: "remote" }) === 0) {
      const live = Array.from({ length: 8000 }, (_, i) => ({ i, text: "item " + i }));
      for (let i = 0; ; i++) live[i % live.length].i++;
    }
  wait();`;

interface Span {
  readonly duration: number;
  readonly detail: { readonly imageBytes?: number };
}

export async function flightSuite(): Promise<Record<string, number>> {
  await using scene = await twoBrowsers();
  const { launcher, donor } = scene;
  await launch(launcher, FORKING);
  await ended(launcher);
  const forks = await spans(launcher, "roost:fork");

  await launcher.getByTestId("example").selectOption("queens");
  await launcher.getByTestId("args").fill("8");
  await launcher.getByTestId("run").click();
  await ended(launcher);
  const queens = (await spans(launcher, "roost:fork")).slice(forks.length);
  const queensBytes = queens.map(({ detail }) => detail.imageBytes ?? 0).filter((bytes) => bytes > 0);

  await launch(launcher, BUSY);
  for (let n = 0; n < RECLAIMS; n++) {
    await donor.locator("[data-testid^=guest-]").nth(3).waitFor();
    await donor.getByTestId("reclaim").click();
    await donor.waitForFunction(
      (count) => performance.getEntriesByName("roost:reclaim.off-host").length > count,
      n,
    );
    await donor.getByTestId("donate").click();
  }
  const cpuBack = (await spans(donor, "roost:reclaim.cpu-back")).map((s) => s.duration);
  const offHost = (await spans(donor, "roost:reclaim.off-host")).map((s) => s.duration);
  const times = forks.map((s) => s.duration);
  return {
    "fork.remote_p50_ms": percentile(times, 50),
    "fork.remote_p99_ms": percentile(times, 99),
    "image.queens_first_fork_wire_bytes": Math.max(...queensBytes),
    "image.queens_later_fork_p50_wire_bytes": percentile(queensBytes, 50),
    "evict.cpu_back_p50_ms": percentile(cpuBack, 50),
    "evict.cpu_back_p99_ms": percentile(cpuBack, 99),
    "evict.off_host_p50_ms": percentile(offHost, 50),
  };
}

async function ended(page: Page): Promise<void> {
  const status = page.getByTestId("status");
  await status.and(page.locator("[data-running=true]")).waitFor();
  await status.and(page.locator("[data-running=false]")).waitFor({ timeout: 120_000 });
}

const spans = (page: Page, name: string): Promise<Span[]> =>
  page.evaluate(
    (name) =>
      performance.getEntriesByName(name).map((entry) => ({
        duration: entry.duration,
        detail: (entry as PerformanceMeasure).detail,
      })),
    name,
  );
