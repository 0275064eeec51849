/** Chromium processes with steered participants in their tabs (pages/participant), for the chaos test and benchmarks. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser, Page, Request } from "playwright";
import { build } from "vite";
import { type Relay, startRelay } from "../../relay/index.ts";
import { startMortalChromium } from "./harness.ts";
import type {} from "./pages/participant/main.ts";

/** From here, and from the built benchmark (dist/node): both are two below the root. */
const ROOT = resolve(import.meta.dirname, "../..");

export interface ParticipantPage extends Disposable {
  readonly directory: string;
}

/** Builds the page. The engine must have been built. */
export async function buildParticipantPage(): Promise<ParticipantPage> {
  const directory = mkdtempSync(join(tmpdir(), "roost-participant-"));
  await build({
    configFile: join(ROOT, "vite.config.ts"),
    root: join(ROOT, "test/browser/pages/participant"),
    publicDir: false,
    logLevel: "warn",
    environments: { client: { build: { outDir: directory, emptyOutDir: true } } },
  });
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

export const relayOf = (page: ParticipantPage, port = 0): Promise<Relay> =>
  startRelay({ port, pageDirectory: page.directory });

/** Loads a participant's page. Throws ERR_CONNECTION where a part of it did not come: the relay was away just then. */
export async function loaded(page: Page, load: () => Promise<unknown>): Promise<void> {
  let missing = "";
  const onFailed = (request: Request) => {
    missing = request.url();
  };
  page.on("requestfailed", onFailed);
  await load(); // until its scripts have come, or have not
  page.off("requestfailed", onFailed);
  if (missing) throw new Error(`ERR_CONNECTION: ${missing} did not come`);
  await page.waitForFunction(() => "steered" in window);
}

/** A Chromium process of its own, which can be killed, or stopped and continued, with everything in it. */
export class Participants {
  readonly browser: Browser;
  readonly signal: (name: NodeJS.Signals) => void;

  private constructor(browser: Browser, signal: (name: NodeJS.Signals) => void) {
    this.browser = browser;
    this.signal = signal;
  }

  static async start(): Promise<Participants> {
    const { browser, signal } = await startMortalChromium();
    return new Participants(browser, signal);
  }

  async open(relay: Relay, name: string): Promise<Page> {
    const page = await (await this.browser.newContext()).newPage();
    await loaded(page, () => page.goto(`${relay.url}?name=${name}`));
    return page;
  }

  /** A tab that takes work. */
  async donor(relay: Relay, name: string): Promise<Page> {
    const page = await this.open(relay, name);
    await page.evaluate(() => window.steered.donate());
    return page;
  }

  async close(): Promise<void> {
    this.signal("SIGCONT"); // should it be stopped
    await this.browser.close();
  }
}
