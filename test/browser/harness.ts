/** A relay with the built page, and real Chromium tabs on it, for tests of the page. */
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright";
import { expect } from "vitest";
import { type Relay, startRelay } from "../../relay/index.ts";

/** From here, and from the built benchmark (dist/node). */
const PAGE_DIRECTORY = fileURLToPath(
  new URL(import.meta.url.includes("/dist/node/") ? "../web" : "../../dist/web", import.meta.url),
);

export const startPageRelay = (port = 0): Promise<Relay> =>
  startRelay({ port, pageDirectory: PAGE_DIRECTORY });

const LAUNCH = {
  executablePath: process.env.ROOST_CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Hosts give way when the machine is busy, and with tests it always is.
    "--disable-blink-features=ComputePressure",
  ],
};

export const startChromium = (...args: string[]): Promise<Browser> =>
  chromium.launch({ ...LAUNCH, args: [...LAUNCH.args, ...args] });

/** A browser that can be killed, or stopped, with everything in it, so that nothing can say goodbye. */
export async function startMortalChromium(): Promise<{
  browser: Browser;
  signal: (name: NodeJS.Signals) => void;
  kill: () => void;
}> {
  const server = await chromium.launchServer(LAUNCH);
  const browser = await chromium.connect(server.wsEndpoint());
  const signal = (name: NodeJS.Signals) => {
    const { pid, exitCode, signalCode } = server.process();
    const runs = pid !== undefined && exitCode === null && signalCode === null;
    if (runs) process.kill(-pid, name); // the group: renderers too
  };
  return { browser, signal, kill: () => signal("SIGKILL") };
}

/** A tab in a browser profile of its own; what it asked for, and what its console says went wrong. */
export async function openTab(
  browser: Browser,
  relay: Relay,
  options: BrowserContextOptions = {},
  /** Runs in the page before anything of it. */
  before: () => void = () => {},
  host = "localhost",
): Promise<{ page: Page; requests: string[]; errors: string[] }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.addInitScript(before);
  const requests: string[] = [];
  const errors: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") errors.push(line.text());
  });
  await page.goto(`http://${host}:${relay.port}/`);
  await page.getByTestId("relay").and(page.locator("[data-state=online]")).waitFor();
  return { page, requests, errors };
}

/** Writes a program as a person would: over the one that is there. */
export async function writeProgram(page: Page, source: string): Promise<void> {
  const editor = page.getByTestId("source");
  await editor.click();
  await editor.press("ControlOrMeta+A");
  await page.keyboard.insertText(source);
}

/** Polls until it holds; generous, for machines that are busy. */
export const eventually = <T>(get: () => T | Promise<T>) => expect.poll(get, { timeout: 30_000 });
