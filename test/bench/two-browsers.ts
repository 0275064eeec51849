/** The scene of what is measured between browsers: a launcher's page in one Chromium, a donor's in another, a relay on loopback. */
import type { Page } from "playwright";
import { openTab, startChromium, startPageRelay } from "../browser/harness.ts";

export interface Scene extends AsyncDisposable {
  readonly relayUrl: string;
  readonly launcher: Page;
  /** Takes work. */
  readonly donor: Page;
}

export async function twoBrowsers(): Promise<Scene> {
  const relay = await startPageRelay();
  const browsers = await Promise.all([startChromium(), startChromium()]);
  const close = async () => {
    await Promise.all(browsers.map((browser) => browser.close()));
    await relay.close();
  };
  try {
    const [near, far] = browsers;
    const launcher = (await openTab(near, relay)).page;
    const donor = (await openTab(far, relay)).page;
    await donor.getByTestId("donate").click();
    await launcher.locator("section[data-name]").nth(1).waitFor();
    return { relayUrl: relay.url, launcher, donor, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Launches a program of one's own, as the form does. */
export async function launch(page: Page, source: string): Promise<void> {
  await page.getByTestId("example").selectOption("own");
  await page.getByTestId("source").fill(source);
  await page.getByTestId("run").click();
}
