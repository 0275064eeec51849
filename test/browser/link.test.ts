/**
 * Links between pages in two Chromium processes, through a real relay and real WebRTC; and between a page and Node.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pino } from "pino";
import type { Browser, Page } from "playwright";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { installNodeRtc } from "../../fabric/io/node-rtc.ts";
import { systemRandom } from "../../fabric/io/random.ts";
import { connectRelay } from "../../fabric/io/rendezvous.ts";
import { identityFrom } from "../../fabric/wire/identity.ts";
import { type Relay, type RelayOptions, startRelay } from "../../relay/index.ts";
import { EXCHANGED, EXCHANGED_MANY, exchange, MANY, Mailbox } from "./exchange.ts";
import { startChromium, startMortalChromium } from "./harness.ts";
import type {} from "./pages/link/main.ts";
import { startTurn } from "./turn.ts";

const NO_PATH =
  "WebRTC found no path between two browsers on this machine. It needs a network interface besides loopback (a veth pair with a default route will do).";

let pageDirectory: string;
let relay: Relay;
let near: Browser;
let far: Browser;
let kill: () => void;

const serve = (port = 0, more: Partial<RelayOptions> = {}) =>
  startRelay({ port, pageDirectory, log: pino({ level: "silent" }), ...more });

beforeAll(async () => {
  pageDirectory = await mkdtemp(join(tmpdir(), "roost-links-"));
  await build({
    configFile: false,
    root: resolve(import.meta.dirname, "pages/link"),
    logLevel: "warn",
    build: { outDir: pageDirectory, emptyOutDir: true, target: "es2023" },
  });
});
afterAll(() => rm(pageDirectory, { recursive: true }));
beforeEach(async () => {
  const [first, second] = await Promise.all([startChromium(), startMortalChromium()]);
  near = first;
  far = second.browser;
  kill = second.kill;
  relay = await serve();
});
afterEach(async () => {
  await Promise.all([near.close(), far.close()]);
  await relay.close();
});

async function open(browser: Browser, before: () => void = () => {}): Promise<Page> {
  const page = await browser.newPage();
  await page.addInitScript(before);
  await page.goto(relay.url);
  await page.evaluate(() => window.links.relay("online"));
  return page;
}

/** Both pages' number of the new link. */
async function connect(from: Page, to: Page): Promise<number> {
  const host = await to.evaluate(() => window.links.host);
  return from
    .evaluate((host) => window.links.connect(host), host)
    .catch((error: Error) => {
      throw new Error(/no network path/.test(error.message) ? NO_PATH : error.message);
    });
}

const exchanged = (page: Page, link: number, seed: number, messages?: number) =>
  page.evaluate(([link, seed, messages]) => window.links.exchange(link, seed, messages), [
    link,
    seed,
    messages,
  ] as const);

/**
 * As `exchanged`, of the newest link. An attempt of Node's may break off when the other end has its link already, and
 * be repeated.
 */
const exchangedLast = async (page: Page, seed: number, messages?: number) =>
  exchanged(page, (await page.evaluate(() => window.links.count)) - 1, seed, messages);

test("two browsers find each other and exchange 20 MiB and 1,000 short messages both ways, in order", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  await b.evaluate(() => window.links.meet("bee"));
  const found = await a.evaluate(() => window.links.find("bee"));
  expect(found).toBe(await b.evaluate(() => window.links.host));
  const link = await connect(a, b);
  const [ours, theirs] = await Promise.all([exchanged(a, link, 1, MANY), exchanged(b, link, 2, MANY)]);
  expect([ours, theirs]).toMatchObject([EXCHANGED_MANY, EXCHANGED_MANY]);
  expect(ours.bytes).toBeGreaterThan(20 * 1024 * 1024);
  console.info(`both ways at once: ${Math.round((2 * ours.bytes) / 1024 / 1024 / (ours.ms / 1000))} MiB/s`);
});

test("what a called page says first always arrives, though Chromium calls its channel open too early", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  const host = await b.evaluate(() => {
    window.links.answer();
    return window.links.host;
  });
  const first = await a.evaluate((host) => window.links.callOften(host, 400), host);
  expect(first).toEqual(Array(400).fill("first of the called"));
});

test("a page that is busy for seconds is not taken for dead", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  const link = await connect(a, b);
  await b.evaluate(() => window.links.hold(6_000));
  expect(await Promise.all([exchanged(a, link, 1), exchanged(b, link, 2)])).toMatchObject([
    EXCHANGED,
    EXCHANGED,
  ]);
});

test("a browser that is killed is noticed by its silence", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  const link = await connect(a, b);
  const end = a.evaluate((link) => window.links.ended(link), link);
  kill();
  expect(await end).toBe("no sign of life for 1.6 s");
});

/** Whether a closing tab's goodbye gets out is a race that Chromium decides; that the link ends at once is not. */
const LEFT = /^it left$|^the connection closed without a goodbye$/;

test("a tab that is closed ends its links at once", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  const link = await connect(a, b);
  const end = a.evaluate((link) => window.links.ended(link), link);
  await b.close();
  expect(await end).toMatch(LEFT);
});

test("links survive the relay, and when it is back new ones can be made", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  const link = await connect(a, b);
  const { port } = relay;
  await relay.close();
  await Promise.all([a, b].map((page) => page.evaluate(() => window.links.relay("connecting"))));
  const [ours, theirs] = await Promise.all([exchanged(a, link, 1), exchanged(b, link, 2)]);
  expect([ours, theirs]).toMatchObject([EXCHANGED, EXCHANGED]);
  await expect(connect(a, b)).rejects.toThrow(/the relay is out of reach/);

  relay = await serve(port);
  await Promise.all([a, b].map((page) => page.evaluate(() => window.links.relay("online"))));
  await b.evaluate(() => window.links.meet("bee"));
  await a.evaluate(() => window.links.find("bee"));
  const another = await connect(a, b);
  expect(another).toBe(link + 1);
  const again = await Promise.all([exchanged(a, another, 1), exchanged(b, another, 2)]);
  expect(again).toMatchObject([EXCHANGED, EXCHANGED]);
  const old = await Promise.all([exchanged(a, link, 1), exchanged(b, link, 2)]);
  expect(old).toMatchObject([EXCHANGED, EXCHANGED]);
});

test("two hosts that call each other at once get two links", async () => {
  const [a, b] = await Promise.all([open(near), open(far)]);
  await Promise.all([connect(a, b), connect(b, a)]);
  const ends = [0, 1].map((link) => a.evaluate((link) => window.links.ended(link), link));
  await b.close();
  for (const end of ends) expect(await end).toMatch(LEFT);
});

test("a page and a Node process link up, whoever calls", async () => {
  const cleanup = await installNodeRtc();
  const self = identityFrom(systemRandom.bytes(32));
  const rendezvous = connectRelay({ url: new URL(relay.url), self });
  try {
    let calling: Mailbox | undefined;
    rendezvous.onLink = (link) => {
      calling = new Mailbox(link);
    };
    await new Promise<void>((resolve) => {
      rendezvous.onChange = () => rendezvous.relay.state === "online" && resolve();
    });
    const page = await open(near);
    const called = new Mailbox(await rendezvous.connect(await page.evaluate(() => window.links.host)));
    expect(await Promise.all([exchange(called, 1, MANY), exchangedLast(page, 2, MANY)])).toMatchObject([
      EXCHANGED_MANY,
      EXCHANGED_MANY,
    ]);
    await page.evaluate((host) => window.links.connect(host), self.id);
    if (!calling) throw new Error("Node has not heard of the link that the page has to it");
    expect(await Promise.all([exchange(calling, 1), exchangedLast(page, 2)])).toMatchObject([
      EXCHANGED,
      EXCHANGED,
    ]);
  } finally {
    rendezvous.close();
    cleanup();
  }
});

/** As between two strict routers: no way but by a TURN server. */
function onlyRelayed(): void {
  const { RTCPeerConnection: Plain } = globalThis;
  globalThis.RTCPeerConnection = class extends Plain {
    constructor(config: RTCConfiguration = {}) {
      super({ ...config, iceTransportPolicy: "relay" });
    }
  } as typeof Plain;
}

test("where nothing else gets through, by the TURN server that the relay names: pages, and a page and Node", async () => {
  const turn = await startTurn("hush");
  await relay.close();
  relay = await serve(0, { ice: [turn.url], turnSecret: "hush" });
  const cleanup = await installNodeRtc();
  onlyRelayed();
  const rendezvous = connectRelay({
    url: new URL(relay.url),
    self: identityFrom(systemRandom.bytes(32)),
  });
  try {
    const [a, b] = await Promise.all([open(near, onlyRelayed), open(far, onlyRelayed)]);
    const link = await connect(a, b);
    expect(await Promise.all([exchanged(a, link, 1), exchanged(b, link, 2)])).toMatchObject([
      EXCHANGED,
      EXCHANGED,
    ]);
    expect(turn.hosts).toBe(2);
    while (rendezvous.relay.state !== "online")
      await new Promise<void>((resolve) => (rendezvous.onChange = resolve));
    const ours = new Mailbox(await rendezvous.connect(await a.evaluate(() => window.links.host)));
    expect(await Promise.all([exchange(ours, 1), exchangedLast(a, 2)])).toMatchObject([EXCHANGED, EXCHANGED]);
    expect(turn.hosts).toBe(3);
  } finally {
    rendezvous.close();
    cleanup();
    turn.close();
  }
});
