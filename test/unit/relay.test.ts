/** The relay over real sockets: what it serves, and what it does with those who misbehave. */
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { hostId } from "../../fabric/base/ids.ts";
import {
  DIRECTORY_VERSION,
  decodeFromRelay,
  encodeToRelay,
  type FromRelay,
  type ToRelay,
} from "../../fabric/wire/directory.ts";
import { type Identity, identityFrom, proveToRelay } from "../../fabric/wire/identity.ts";
import { Addresses, addressOf } from "../../relay/addresses.ts";
import { type Relay, startRelay } from "../../relay/index.ts";
import { RELAY_LIMITS } from "../../relay/limits.ts";

let relay: Relay;
let lines: string[];
const log = () => pino({ level: "info" }, { write: (line) => void lines.push(line) });
beforeEach(async () => {
  lines = [];
  relay = await startRelay({ port: 0, log: log() });
});
afterEach(() => relay.close());

const ANN = identityFrom(new Uint8Array(32).fill(1));
const BOB = identityFrom(new Uint8Array(32).fill(2));
const [A, B] = [ANN.id, BOB.id];
const hello = (host = A): ToRelay => ({ type: "hello", version: DIRECTORY_VERSION, host });

/** A WebSocket whose messages can be waited for one by one. */
async function connect(path: string, options?: { origin?: string; text?: boolean }) {
  const socket = new WebSocket(
    relay.url.replace("http", "ws") + path,
    options?.origin ? { origin: options.origin } : {},
  );
  const arrived: (FromRelay | string)[] = [];
  let wake = () => {};
  socket.on("message", (data: Buffer, binary) => {
    const message = binary ? decodeFromRelay(data) : data.toString();
    arrived.push(message as FromRelay | string);
    wake();
  });
  const closed = once(socket, "close").then(([code]) => code as number);
  await once(socket, "open");
  return {
    socket,
    closed,
    say: (message: ToRelay) => socket.send(encodeToRelay(message)),
    async next(): Promise<FromRelay | string> {
      while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return arrived.shift() as FromRelay | string;
    },
    async join(self: Identity): Promise<void> {
      this.say(hello(self.id));
      const { challenge } = await this.find("challenge");
      this.say({ type: "proof", ...(await proveToRelay(self, challenge)) });
    },
    /** The next message of that type. */
    async find<T extends FromRelay["type"]>(type: T): Promise<Extract<FromRelay, { type: T }>> {
      for (;;) {
        const message = await this.next();
        if (typeof message === "object" && message.type === type)
          return message as Extract<FromRelay, { type: T }>;
      }
    },
  };
}

const refusedUpgrade = async (path: string, origin?: string) => {
  const socket = new WebSocket(relay.url.replace("http", "ws") + path, origin ? { origin } : {});
  const [error] = (await once(socket, "error")) as [Error];
  return error.message;
};

const stillServes = async () => {
  const client = await connect("/directory");
  await client.join(BOB);
  expect(await client.find("welcome")).toBeDefined();
  client.socket.terminate();
};

test("names STUN and TURN servers to its hosts, before anything else; each has credentials of its own, for an hour", async () => {
  await relay.close();
  const ice = ["stun:127.0.0.1:3478", "turn:turn.example.org?transport=tcp"];
  relay = await startRelay({ port: 0, log: log(), ice, turnSecret: "hush" });
  const client = await connect("/directory");
  await client.join(ANN);
  const first = await client.next();
  expect(first).toEqual({
    type: "ice",
    servers: [
      { url: ice[0], username: "", credential: "" },
      {
        url: ice[1],
        username: expect.stringMatching(new RegExp(`^\\d+:${A}$`)),
        credential: expect.any(String),
      },
    ],
  });
  const { username = "", credential } = (first as Extract<FromRelay, { type: "ice" }>).servers[1] ?? {};
  expect(credential).toBe(createHmac("sha1", "hush").update(username).digest("base64"));
  const leftS = Number.parseInt(username, 10) - Date.now() / 1000;
  expect(leftS).toBeGreaterThan(3_500);
  expect(leftS).toBeLessThanOrEqual(3_600);
  client.socket.terminate();
});

test.each([
  [["turn:turn.example.org"], undefined, /ROOST_TURN_SECRET/],
  [["stun.example.org"], undefined, /"stun.example.org" is no STUN or TURN server; write stun:HOST/],
  [["stun:h?transport=udp"], undefined, /is no STUN or TURN server/],
  [["turn:h:65536"], "hush", /is no STUN or TURN server/],
  [["stun:h:0"], undefined, /is no STUN or TURN server/],
  [[`stun:${"h".repeat(252)}`], undefined, /is no STUN or TURN server/],
  [Array.from({ length: 9 }, (_, n) => `stun:h${n}`), undefined, /at most 8/],
])("does not start with %j", async (ice, turnSecret, reason) => {
  await expect(
    startRelay({ port: 0, log: log(), ice, ...(turnSecret ? { turnSecret } : {}) }),
  ).rejects.toThrow(reason);
});

test("hosts see each other come and go", async () => {
  const a = await connect("/directory");
  await a.join(ANN);
  a.say({ type: "announce", name: "ann", platform: "test", taking: true, group: "" });
  await a.find("welcome");
  const b = await connect("/directory");
  await b.join(BOB);
  // The announcement may have been here before, or be on its way.
  const { hosts } = await b.find("hosts");
  const entries = hosts.length > 0 ? hosts : (await b.find("changes")).entries;
  expect(entries).toEqual([{ host: A, name: "ann", platform: "test", taking: true, group: "" }]);
  expect(await (await fetch(`${relay.url}/health`)).json()).toMatchObject({
    ok: true,
    connections: 2,
    hosts: 1,
  });
  a.socket.terminate();
  for (;;) {
    const { left } = await b.find("changes");
    if (left.length === 0) continue; // the announcement once more
    expect(left).toEqual([A]);
    break;
  }
  b.socket.terminate();
});

test("another version is refused by name, whatever follows the version", async () => {
  const client = await connect("/directory");
  client.socket.send(Buffer.from([0, 77, 1, 2, 3, 4, 5]));
  expect(await client.next()).toMatchObject({ type: "refused", code: "EVERSION" });
  expect(await client.closed).toBe(1008);
});

test.each([
  ["noise", Buffer.from([250, 1, 2, 3])],
  ["nothing", Buffer.alloc(0)],
  ["half a hello", Buffer.from(encodeToRelay(hello())).subarray(0, 12)],
  ["a hello and more", Buffer.concat([encodeToRelay(hello()), Buffer.from([0])])],
  ["a host that is none", Buffer.from(encodeToRelay(hello(hostId("Not an id, but 26 letters."))))],
  ["text", "hello"],
])("%s is refused with a reason, and logged", async (_, data) => {
  const client = await connect("/directory");
  client.socket.send(data);
  expect(await client.next()).toMatchObject({ type: "refused", code: "EINVAL" });
  expect(await client.closed).toBe(1008);
  expect(lines.join("")).toContain("refused");
  await stillServes();
});

test("an oversize frame closes its connection only", async () => {
  const client = await connect("/directory");
  client.socket.on("error", () => {});
  client.socket.send(Buffer.alloc(1_000_000));
  expect([1006, 1009]).toContain(await client.closed);
  expect(lines.join("")).toContain("refused");
  await stillServes();
});

test("a flood is refused", async () => {
  const client = await connect("/directory");
  client.say(hello());
  for (let i = 0; i < 200; i++) client.say({ type: "alive" });
  expect(await client.find("refused")).toMatchObject({ code: "EAGAIN" });
  expect(await client.closed).toBe(1008);
  await stillServes();
});

test("nobody is another host: not by saying so, nor with a proof that was for another connection", async () => {
  const owner = await connect("/directory");
  await owner.join(ANN);
  await owner.find("welcome");
  for (const liar of [BOB, { ...BOB, id: A }, { ...BOB, id: A, key: ANN.key }]) {
    const client = await connect("/directory");
    client.say(hello(A));
    const { challenge } = await client.find("challenge");
    client.say({ type: "proof", ...(await proveToRelay(liar, challenge)) });
    expect(await client.find("refused")).toMatchObject({ code: "EPERM" });
    expect(await client.closed).toBe(1008);
  }
  const [first, second] = [await connect("/directory"), await connect("/directory")];
  first.say(hello(A));
  second.say(hello(A));
  const { challenge } = await first.find("challenge");
  await second.find("challenge");
  second.say({ type: "proof", ...(await proveToRelay(ANN, challenge)) });
  expect(await second.find("refused")).toMatchObject({ code: "EPERM" });
  first.say({ type: "proof", ...(await proveToRelay(ANN, challenge)) });
  await first.find("welcome");
  expect(await owner.find("refused")).toMatchObject({ code: "EEXIST" });
});

test("nobody signals without a ticket, with another's, or with one that has ended", async () => {
  const path = (id: string, token: string) => `/peerjs/peerjs?key=peerjs&id=${id}&token=${token}`;
  expect(await refusedUpgrade(path(A, "x"))).toContain("403");
  const a = await connect("/directory");
  await a.join(ANN);
  const { ticket } = await a.find("welcome");
  expect(await refusedUpgrade(path(B, ticket))).toContain("403");
  const signalling = await connect(path(A, ticket));
  expect(await signalling.next()).toBe('{"type":"OPEN"}');
  const b = await connect("/directory");
  await b.join(BOB);
  const { ticket: other } = await b.find("welcome");
  const twice = await connect(`${path(A, ticket)}&id=${B}&token=x`); // whichever of them PeerServer reads
  expect(await twice.next()).toBe('{"type":"OPEN"}');
  const bob = await connect(path(B, other));
  expect(await bob.next()).toBe('{"type":"OPEN"}');
  twice.socket.send(JSON.stringify({ type: "OFFER", dst: B, payload: 1 }));
  expect(JSON.parse(String(await bob.next()))).toMatchObject({ type: "OFFER", src: A });
  a.socket.close();
  await twice.closed; // ends with the ticket
  expect(await refusedUpgrade(path(A, ticket))).toContain("403");
});

/** A host with both its connections. */
async function host(self: Identity) {
  const directory = await connect("/directory");
  await directory.join(self);
  const { ticket } = await directory.find("welcome");
  const open = async () => {
    const signalling = await connect(`/peerjs/peerjs?key=peerjs&id=${self.id}&token=${ticket}`);
    expect(await signalling.next()).toBe('{"type":"OPEN"}');
    return signalling;
  };
  return { directory, signalling: await open(), open };
}

test("signalling forwards offers with their true sender, and knows at once who is not there", async () => {
  const a = await host(ANN);
  const b = await host(BOB);
  a.signalling.socket.send(
    JSON.stringify({ type: "OFFER", src: "somebody else", dst: B, payload: { x: 1 } }),
  );
  expect(JSON.parse(String(await b.signalling.next()))).toEqual({
    type: "OFFER",
    src: A,
    dst: B,
    payload: { x: 1 },
  });
  const nobody = "c".repeat(26);
  a.signalling.socket.send(JSON.stringify({ type: "OFFER", dst: nobody, payload: {} }));
  expect(JSON.parse(String(await a.signalling.next()))).toEqual({ type: "EXPIRE", src: nobody, dst: A });
});

test("a host that signals anew is greeted, though its older connection is half open", async () => {
  const a = await host(ANN);
  a.signalling.socket.pause(); // answers nothing any more, not even a close
  const anew = await a.open();
  const b = await host(BOB);
  b.signalling.socket.send(JSON.stringify({ type: "OFFER", dst: A, payload: 7 }));
  expect(JSON.parse(String(await anew.next()))).toMatchObject({ type: "OFFER", src: B, payload: 7 });
});

test.each(["{", "null", "[]", '"x"', '{"type":5}', '{"type":"OFFER","dst":{}}'])(
  "signalling refuses %s and goes on",
  async (text) => {
    const a = await host(ANN);
    a.signalling.socket.send(text);
    expect(await a.signalling.closed).toBe(1008);
    await host(BOB);
  },
);

test("signalling has a limit for a frame, and for many", async () => {
  const a = await host(ANN);
  a.signalling.socket.on("error", () => {});
  a.signalling.socket.send("x".repeat(100_000));
  expect([1006, 1009]).toContain(await a.signalling.closed);
  const b = await host(BOB);
  b.signalling.socket.on("error", () => {});
  for (let i = 0; i < 50; i++)
    b.signalling.socket.send(JSON.stringify({ type: "OFFER", dst: A, payload: "x".repeat(60_000) }));
  expect(await b.signalling.closed).toBe(1008);
  expect(lines.filter((line) => line.includes("too much signalling"))).toHaveLength(1);
  // The limit is the host's, and not the connection's.
  const anew = await b.open();
  for (let i = 0; i < 8; i++)
    anew.socket.send(JSON.stringify({ type: "OFFER", dst: A, payload: "x".repeat(60_000) }));
  expect(await anew.closed).toBe(1008);
});

test("a host that does not take its signalling is cut off, rather than kept for", async () => {
  const a = await host(ANN);
  (a.signalling.socket as unknown as { _socket: Socket })._socket.pause();
  const senders = Array.from({ length: 16 }, (_, n) => identityFrom(new Uint8Array(32).fill(10 + n)));
  for (const sender of senders) {
    const { signalling } = await host(sender);
    for (let i = 0; i < 16; i++)
      signalling.socket.send(JSON.stringify({ type: "OFFER", dst: A, payload: "x".repeat(60_000) }));
    signalling.socket.ping();
    await once(signalling.socket, "pong"); // all of it has arrived
  }
  expect(lines.join("")).toContain("takes its signalling too slowly");
  await a.open(); // and may come back
});

test("who is refused and does not hang up is hung up on, and keeps no relay from its end", async () => {
  const refused = async () => {
    const socket = createConnection({ port: relay.port, allowHalfOpen: true });
    socket.on("error", () => {}); // it is reset
    socket.write("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toContain("404");
    return socket;
  };
  const socket = await refused();
  const writing = setInterval(() => socket.write("still here"), 10);
  await new Promise((resolve) => socket.once("close", resolve));
  clearInterval(writing);
  await refused();
  await relay.close();
});

test("pages of other origins may not connect; the relay's own may", async () => {
  expect(await refusedUpgrade("/directory", "https://evil.example")).toContain("403");
  const own = await connect("/directory", { origin: relay.url });
  await own.join(ANN);
  expect(await own.find("welcome")).toBeDefined();
});

test("another origin may be allowed, written as people write it; what is none is refused at the start", async () => {
  await using open = await startRelay({ port: 0, origins: ["https://Roost.example/"], log: log() });
  const socket = new WebSocket(`${open.url.replace("http", "ws")}/directory`, {
    origin: "https://roost.example",
  });
  await once(socket, "open");
  socket.terminate();
  await expect(startRelay({ port: 0, origins: ["roost.example"], log: log() })).rejects.toThrow(
    "roost.example is no origin of a page; write it like https://example.org",
  );
});

test("behind a proxy, the page's own origin is the host that the proxy was asked for", async () => {
  const asked = { origin: "https://roost.example", headers: { "x-forwarded-host": "roost.example" } };
  const opens = async (url: string) => {
    const socket = new WebSocket(`${url.replace("http", "ws")}/directory`, asked);
    const [event] = await Promise.race([once(socket, "open").then(() => ["open"]), once(socket, "error")]);
    socket.terminate();
    return event instanceof Error ? event.message : event;
  };
  expect(await opens(relay.url)).toContain("403");
  expect(lines.join("")).toMatch(
    /it came from https:\/\/roost.example, and asks localhost:\d+; .*let the proxy/,
  );
  await using other = await startRelay({ port: 0, behindProxy: true, log: log() });
  expect(await opens(other.url)).toBe("open");
});

test("unknown paths are 404, for sockets too", async () => {
  expect((await fetch(`${relay.url}/nothing`)).status).toBe(404);
  expect(await refusedUpgrade("/nothing")).toContain("404");
});

test("a taken port is said in a sentence", async () => {
  await expect(startRelay({ port: relay.port, log: log() })).rejects.toThrow(
    `port ${relay.port} is in use: stop what uses it, or choose another with --port or PORT`,
  );
});

test("a page that was not built is said in a sentence", async () => {
  await expect(startRelay({ port: 0, pageDirectory: "/nowhere/at/all", log: log() })).rejects.toThrow(
    /npm run build/,
  );
});

test("the page is served so that nobody can embed it, and what has a hash in its name is kept", async () => {
  const directory = await mkdtemp(join(tmpdir(), "roost-page-"));
  try {
    await mkdir(join(directory, "assets"));
    await writeFile(join(directory, "index.html"), "<p>the page");
    await writeFile(join(directory, "assets", "engine-abc123.wasm"), "\0asm");
    await using other = await startRelay({ port: 0, pageDirectory: directory, log: log() });
    const page = await fetch(other.url);
    expect(await page.text()).toBe("<p>the page");
    expect(page.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(page.headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(page.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const engine = await fetch(`${other.url}/assets/engine-abc123.wasm`);
    expect(engine.headers.get("cache-control")).toContain("immutable");
    expect(engine.headers.get("content-type")).toBe("application/wasm");
    expect(engine.headers.get("content-encoding")).toBeNull();
    expect((await fetch(`${other.url}/%2e%2e/%2e%2e/etc/passwd`)).status).toBe(404);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a page that is built anew under its relay is served as it was, and what is gone ends nothing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "roost-page-"));
  try {
    await mkdir(join(directory, "assets"));
    await writeFile(join(directory, "index.html"), "<p>before");
    await writeFile(join(directory, "assets", "index-abc123.js"), "let before;");
    await using other = await startRelay({ port: 0, pageDirectory: directory, log: log() });
    await rm(join(directory, "assets"), { recursive: true });
    await writeFile(join(directory, "index.html"), "<p>after, and longer");
    expect(await (await fetch(other.url)).text()).toBe("<p>before");
    expect(await (await fetch(`${other.url}/assets/index-abc123.js`)).text()).toBe("let before;");
    const { etag } = Object.fromEntries((await fetch(other.url)).headers);
    const again = get(other.url, { headers: { "if-none-match": etag } });
    const [answer] = (await once(again, "response")) as [IncomingMessage];
    expect(answer.statusCode).toBe(304);
    answer.resume();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("of a file that the build has compressed, the smallest form is sent that the browser takes", async () => {
  const directory = await mkdtemp(join(tmpdir(), "roost-page-"));
  const name = "index-abc123.js";
  const text = "let page;".repeat(100);
  try {
    await mkdir(join(directory, "assets"));
    await writeFile(join(directory, "index.html"), "<p>the page");
    await writeFile(join(directory, "assets", name), text);
    await writeFile(join(directory, "assets", `${name}.br`), brotliCompressSync(text));
    await writeFile(join(directory, "assets", `${name}.gz`), gzipSync(text));
    await using other = await startRelay({ port: 0, pageDirectory: directory, log: log() });
    for (const [taken, sent] of [
      ["gzip, deflate, br, zstd", "br"],
      ["gzip, deflate", "gzip"],
      ["identity", null],
    ] as const) {
      const answer = await fetch(`${other.url}/assets/${name}`, { headers: { "accept-encoding": taken } });
      expect(answer.headers.get("content-encoding")).toBe(sent);
      expect(answer.headers.get("content-type")).toMatch(/javascript/);
      expect(answer.headers.get("cache-control")).toContain("immutable");
      expect(await answer.text()).toBe(text);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("closing frees the port and ends every connection", async () => {
  const a = await host(ANN);
  const { port } = relay;
  await relay.close();
  await Promise.all([a.directory.closed, a.signalling.closed]);
  relay = await startRelay({ port, log: log() });
  expect(relay.port).toBe(port);
});

test("figures are for the machine's keeper, and hold no names", async () => {
  const a = await host(ANN);
  const b = await host(BOB);
  a.signalling.socket.send(JSON.stringify({ type: "OFFER", dst: B, payload: { x: 1 } }));
  await b.signalling.next();
  await refusedUpgrade("/directory", "https://evil.example");
  const text = await (await fetch(`${relay.url}/metrics`)).text();
  expect(text).toContain("roost_relay_connections 2");
  expect(text).toContain('roost_relay_signals_total{type="OFFER"} 1');
  expect(text).toContain('roost_relay_refusals_total{where="upgrade",code="403"} 1');
  expect(text).not.toContain(A);
  const through = await fetch(`${relay.url}/metrics`, { headers: { "x-forwarded-for": "203.0.113.7" } });
  expect(through.status).toBe(404);
});

test("a relay that is drained takes nobody new, serves those it has, and tells them to come back", async () => {
  const a = await host(ANN);
  const b = await host(BOB);
  await relay.drain();
  expect((await fetch(`${relay.url}/health`)).status).toBe(503);
  expect(await refusedUpgrade("/directory")).toContain("503");
  a.signalling.socket.send(JSON.stringify({ type: "OFFER", dst: B, payload: 7 }));
  expect(JSON.parse(String(await b.signalling.next()))).toMatchObject({ type: "OFFER", src: A, payload: 7 });
  await relay.close();
  expect(await Promise.all([a.directory.closed, a.signalling.closed])).toEqual([1012, 1012]);
});

test("one address has so many connections, and others have theirs", async () => {
  const addresses = new Addresses();
  const { connectionsPerAddress, openingsPerSecond } = RELAY_LIMITS;
  for (let n = 0; n < connectionsPerAddress; n++) expect(addresses.admit("a", 0)).toBe(true);
  expect(addresses.admit("a", 60_000)).toBe(false);
  expect(addresses.admit("b", 0)).toBe(true);
  addresses.release("a");
  expect(addresses.admit("a", 60_000)).toBe(true);
  // Opening and closing as fast as it can, it gets so many a second.
  addresses.tidy(60_000);
  let admitted = 0;
  for (let ms = 60_000; ms < 70_000; ms++) {
    addresses.release("a");
    if (addresses.admit("a", ms)) admitted++;
  }
  expect(admitted).toBeLessThan(RELAY_LIMITS.openingsAtOnce + 10 * openingsPerSecond + 1);
});

test.each([
  ["192.0.2.1", undefined, "192.0.2.1"],
  ["::ffff:192.0.2.1", undefined, "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", undefined, "2001:db8:1:2"],
  ["2001:db8::7", undefined, "2001:db8:0:0"],
  ["127.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"],
])("%s, forwarded for %s, counts as %s", (remoteAddress, forwarded, address) => {
  const request = { socket: { remoteAddress }, headers: forwarded ? { "x-forwarded-for": forwarded } : {} };
  expect(addressOf(request as unknown as IncomingMessage, true)).toBe(address);
  expect(addressOf(request as unknown as IncomingMessage, false)).toBe(forwarded ? remoteAddress : address);
});
