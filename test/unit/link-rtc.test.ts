/** The rendezvous and its links in Node, through a real relay and real WebRTC. */

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { must } from "../../fabric/base/errors.ts";
import type { Link, Rendezvous } from "../../fabric/base/ports.ts";
import { bindingOf, whenDescribed } from "../../fabric/io/binding.ts";
import { systemClock } from "../../fabric/io/clock.ts";
import { alive, ask, framesOf, took, Unfinished } from "../../fabric/io/framing.ts";
import { installNodeRtc } from "../../fabric/io/node-rtc.ts";
import { systemRandom } from "../../fabric/io/random.ts";
import { connectRelay } from "../../fabric/io/rendezvous.ts";
import { rtcLink } from "../../fabric/io/rtc-link.ts";
import { identityFrom } from "../../fabric/wire/identity.ts";
import { type Relay, startRelay } from "../../relay/index.ts";

const log = pino({ level: "silent" });
let cleanup = () => {};
beforeAll(async () => {
  cleanup = await installNodeRtc();
});
afterAll(() => cleanup());

let relay: Relay;
let here: Rendezvous[];
beforeEach(async () => {
  relay = await startRelay({ port: 0, log });
  here = [];
});
afterEach(async () => {
  vi.unstubAllGlobals();
  for (const rendezvous of here) rendezvous.close();
  await relay.close();
});

const newIdentity = () => identityFrom(systemRandom.bytes(32));

function join(self = newIdentity(), log: (sentence: string) => void = () => {}) {
  const rendezvous = connectRelay({ url: new URL(relay.url), self, log });
  here.push(rendezvous);
  const waiting = new Set<() => void>();
  rendezvous.onChange = () => {
    for (const look of waiting) look();
  };
  /** Resolves as soon as `condition` holds. */
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!condition()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  const links: Link[] = [];
  let arrived = () => {};
  rendezvous.onLink = (link) => {
    links.push(link);
    arrived();
  };
  const nextLink = async () => {
    while (links.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
    return links.shift() as Link;
  };
  return {
    id: self.id,
    rendezvous,
    until,
    online: () => until(() => rendezvous.relay.state === "online"),
    nextLink,
  };
}

async function linked() {
  const a = join();
  const b = join();
  await Promise.all([a.online(), b.online()]);
  const [ours, theirs] = await Promise.all([a.rendezvous.connect(b.id), b.nextLink()]);
  return { a, b, ours, theirs };
}

const received = (link: Link) => new Promise<Uint8Array>((resolve) => (link.onMessage = resolve));
const ended = (link: Link) =>
  new Promise<string>((resolve) => (link.onEnd = ({ reason }) => resolve(reason)));

test("hosts find each other in the directory and link up", async () => {
  const { a, b, ours, theirs } = await linked();
  b.rendezvous.announce({ host: b.id, name: "bee", platform: "Node", taking: true, group: "" });
  await a.until(() => a.rendezvous.hosts.some(({ name }) => name === "bee"));
  expect(a.rendezvous.hosts).toEqual([
    { host: b.id, name: "bee", platform: "Node", taking: true, group: "" },
  ]);
  const message = received(theirs);
  ours.send(new TextEncoder().encode("hello"));
  expect(new TextDecoder().decode(await message)).toBe("hello");
});

test("both ends of a link name the same two certificates, which are new for each", async () => {
  const { a, b, ours, theirs } = await linked();
  expect(ours.binding?.ours).toMatch(/^sha-256 ([0-9a-f]{2}:){31}[0-9a-f]{2}$/);
  expect(theirs.binding).toEqual({ ours: ours.binding?.theirs, theirs: ours.binding?.ours });
  const [again] = await Promise.all([a.rendezvous.connect(b.id), b.nextLink()]);
  expect(again.binding?.ours).not.toBe(ours.binding?.ours);
});

test("a description that names no certificate, or leaves a choice of two, binds nothing", () => {
  const of = (...lines: string[]) => ({ sdp: ["v=0", ...lines, ""].join("\r\n") });
  const one = "a=fingerprint:sha-256 AA:BB";
  const bind = (ours: { sdp: string }, theirs: { sdp: string }) =>
    bindingOf({ localDescription: ours, remoteDescription: theirs } as RTCPeerConnection);
  expect(bind(of(one), of(one, one))).toEqual({ ours: "sha-256 aa:bb", theirs: "sha-256 aa:bb" });
  expect(bind(of(one), of(one, "a=fingerprint:sha-256 CC:DD"))).toBeUndefined();
  expect(bind(of(one), of())).toBeUndefined();
});

test("a channel that is open before the answer is said to be accepted waits for that, and is bound once", () => {
  const sdp = "a=fingerprint:sha-256 AA:BB\r\n";
  const parts = { localDescription: { sdp }, remoteDescription: null as { sdp: string } | null };
  const connection = Object.assign(new EventTarget(), parts) as EventTarget & typeof parts;
  const bound: unknown[] = [];
  const rtc = connection as unknown as RTCPeerConnection;
  whenDescribed(rtc, () => bound.push(bindingOf(rtc)));
  connection.dispatchEvent(new Event("signalingstatechange"));
  expect(bound).toEqual([]);
  connection.remoteDescription = { sdp };
  for (let i = 0; i < 2; i++) connection.dispatchEvent(new Event("signalingstatechange"));
  expect(bound).toEqual([{ ours: "sha-256 aa:bb", theirs: "sha-256 aa:bb" }]);
});

test("a goodbye ends both ends at once, with the reason, once", async () => {
  const { ours, theirs } = await linked();
  let ends = 0;
  const own = new Promise<string>((resolve) => {
    ours.onEnd = ({ reason }) => {
      ends++;
      resolve(reason);
    };
  });
  const other = ended(theirs);
  ours.close("its owner is back");
  ours.close("again");
  ours.send(new Uint8Array(10));
  expect(await own).toBe("its owner is back");
  expect(await other).toBe("its owner is back");
  expect(ends).toBe(1);
  expect(ours.queuedBytes).toBe(0);
});

test("a large message that gives way is overtaken by all that is sent after it, and arrives whole", async () => {
  const { ours, theirs } = await linked();
  const large = new Uint8Array(6 << 20).map((_, i) => i >> 7);
  const arrived: Uint8Array[] = [];
  const all = new Promise<void>((resolve) => {
    theirs.onMessage = (message) => {
      if (arrived.push(message) === 5) resolve();
    };
  });
  ours.send(new Uint8Array(2));
  ours.send(large, true);
  for (const n of [1, 2]) ours.send(new Uint8Array([n]));
  ours.send(large.subarray(0, 100_000));
  await all;
  expect(arrived.map(({ length }) => length)).toEqual([2, 1, 1, 100_000, large.length]);
  expect(Buffer.compare(arrived[4] as Uint8Array, large)).toBe(0);
});

test("when one participant of a program is done with WebRTC, the others go on", async () => {
  const { ours, theirs } = await linked();
  const done = await installNodeRtc();
  done();
  done();
  const message = received(theirs);
  ours.send(new TextEncoder().encode("still here"));
  expect(new TextDecoder().decode(await message)).toBe("still here");
});

test("a host that leaves says goodbye on its links and vanishes from the directory", async () => {
  const { a, b, ours } = await linked();
  b.rendezvous.announce({ host: b.id, name: "bee", platform: "Node", taking: true, group: "" });
  await a.until(() => a.rendezvous.hosts.length === 1);
  const reason = ended(ours);
  b.rendezvous.close();
  expect(await reason).toBe("it left");
  await a.until(() => a.rendezvous.hosts.length === 0);
});

test("a host that is not there is said to be so", async () => {
  const a = join();
  await a.online();
  await expect(a.rendezvous.connect(newIdentity().id)).rejects.toThrow(
    /ENOHOST: .* is not at this relay any more/,
  );
});

test("a relay out of reach: connecting, with a reason; new links fail with a sentence", async () => {
  await relay.close();
  const a = join();
  await a.until(
    () => a.rendezvous.relay.state === "connecting" && /does not answer/.test(a.rendezvous.relay.reason),
  );
  await expect(a.rendezvous.connect(newIdentity().id)).rejects.toThrow(/ENOHOST: the relay is out of reach/);
});

async function relayNames(...ice: string[]) {
  await relay.close();
  relay = await startRelay({ port: 0, log, ice });
}

test("a STUN server at an IPv6 address keeps nobody from linking up", async () => {
  await relayNames("stun:[::1]:3478", "stun:[2001:db8::1]");
  const { ours, theirs } = await linked();
  const message = received(theirs);
  ours.send(new TextEncoder().encode("hello"));
  expect(new TextDecoder().decode(await message)).toBe("hello");
});

const addresses = Object.values(networkInterfaces()).flatMap((of = []) => of.map(({ address }) => address));
test.runIf(addresses.includes("::1"))("a STUN server at an IPv6 address is asked", async () => {
  const server = createSocket("udp6").bind(0, "::1");
  await once(server, "listening");
  const asked = once(server, "message");
  await relayNames(`stun:[::1]:${server.address().port}`);
  await linked();
  await asked;
  server.close();
});

test("an offer for which no connection can be made costs that link only", async () => {
  let sayFailed = (_sentence: string) => {};
  const failed = new Promise<string>((resolve) => (sayFailed = resolve));
  const [a, b] = [join(), join(newIdentity(), (sentence) => sayFailed(sentence))];
  await Promise.all([a.online(), b.online()]);
  let made = 0;
  class FewConnections extends RTCPeerConnection {
    constructor(config?: RTCConfiguration) {
      if (made++ > 0) throw new Error("Cannot create so many PeerConnections");
      super(config);
    }
  }
  vi.stubGlobal("RTCPeerConnection", FewConnections);
  const first = a.rendezvous.connect(b.id).catch(String);
  expect(await failed).toMatch(/Cannot create so many PeerConnections/);
  await expect(a.rendezvous.connect(b.id)).rejects.toThrow(/ENOHOST: .*Cannot create so many/);
  vi.unstubAllGlobals();
  await Promise.all([a.rendezvous.connect(b.id), b.nextLink()]);
  a.rendezvous.close();
  expect(await first).toMatch(/this host has left/);
});

/** A link whose other end is a bare data channel in the hands of the test; `calls`: the link's side made the channel. */
async function linkToStranger(calls = true, early: readonly ArrayBuffer[] = [], unfinished?: Unfinished) {
  const [a, b] = [new RTCPeerConnection({ iceServers: [] }), new RTCPeerConnection({ iceServers: [] })];
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate);
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate);
  const channel = a.createDataChannel("test");
  const opened = new Promise((resolve) => channel.addEventListener("open", resolve));
  const stranger = new Promise<RTCDataChannel>((resolve) => {
    b.ondatachannel = ({ channel }) => resolve(channel);
  });
  await a.setLocalDescription(await a.createOffer());
  await b.setRemoteDescription(a.localDescription as RTCSessionDescription);
  await b.setLocalDescription(await b.createAnswer());
  await a.setRemoteDescription(b.localDescription as RTCSessionDescription);
  await opened;
  let letGo = () => {};
  const released = new Promise<void>((resolve) => (letGo = resolve));
  const theirs = await stranger;
  const heard: Link[] = [];
  const link: Link = rtcLink({
    channel: calls ? channel : theirs,
    connection: calls ? a : b,
    binding: { ours: "", theirs: "" },
    calls,
    early,
    unfinished,
    clock: systemClock,
    onHeard: () => heard.push(link),
    release: () => {
      a.close();
      b.close();
      letGo();
    },
  });
  return { link, stranger: calls ? theirs : channel, heard, released };
}

test("what the other side has said before the channel was open is heard when its maker has the link", async () => {
  const [message] = framesOf(new TextEncoder().encode("hello"));
  const early = [ask(), must(message, "frame")].map((frame) => Uint8Array.from(frame).buffer);
  const { link, heard, stranger, released } = await linkToStranger(false, early);
  expect(new TextDecoder().decode(await received(link))).toBe("hello");
  expect(heard).toEqual([link]);
  link.close("enough");
  stranger.close();
  await released;
});

test.each([
  ["a frame of no kind", new Uint8Array([99]), /it sent a frame of kind 99/],
  ["the middle of nothing", new Uint8Array([2, 1]), /it sent the middle of no message/],
  ["text", "hello", /it sent text/],
])("%s ends the link, and the connection is let go", async (_, data, reason) => {
  const { link, stranger, released } = await linkToStranger();
  const end = ended(link);
  stranger.send(data as string);
  expect(await end).toMatch(reason);
  await released;
});

test("a peer that answers nothing is taken for dead", async () => {
  const { link, stranger, released } = await linkToStranger();
  const asked = new Promise<Uint8Array>((resolve) => {
    stranger.binaryType = "arraybuffer";
    stranger.onmessage = ({ data }) => resolve(new Uint8Array(data as ArrayBuffer));
  });
  expect(await ended(link)).toBe("no sign of life for 1.6 s");
  expect(await asked).toEqual(ask());
  await released;
});

test("a channel that closes without a word ends the link", async () => {
  const { link, stranger, released } = await linkToStranger();
  const end = ended(link);
  stranger.close();
  expect(await end).toBe("the connection closed without a goodbye");
  await released;
});

test("a called side says nothing before it has heard the caller: its channel may not be open yet", async () => {
  const { link, stranger, released } = await linkToStranger(false);
  const [message] = framesOf(new TextEncoder().encode("hello"));
  const frames: Uint8Array[] = [];
  const two = new Promise<void>((resolve) => {
    stranger.binaryType = "arraybuffer";
    stranger.onmessage = ({ data }) => {
      if (frames.push(new Uint8Array(data as ArrayBuffer)) === 2) resolve();
    };
  });
  link.send(new TextEncoder().encode("hello"));
  stranger.send(ask());
  await two;
  expect(frames).toEqual([alive(), message]);
  link.close("done");
  stranger.close();
  await released;
});

test("who leaves a message unfinished is cut off when others' would be too much, and those arrive", async () => {
  const unfinished = new Unfinished(300_000);
  const [idle, busy] = await Promise.all([
    linkToStranger(true, [], unfinished),
    linkToStranger(true, [], unfinished),
  ]);
  const large = new Uint8Array(250_000).fill(7);
  const begin = async ({ link, stranger }: typeof idle, frames: Iterable<Uint8Array<ArrayBuffer>>) => {
    const greeting = received(link);
    for (const frame of framesOf(new Uint8Array(1))) stranger.send(frame);
    await greeting;
    for (const frame of frames) stranger.send(frame);
  };
  const end = ended(idle.link);
  const part = [...framesOf(large, true)].slice(0, 12);
  let left = part.length;
  const taken = new Promise<void>((resolve) => {
    idle.stranger.binaryType = "arraybuffer";
    idle.stranger.onmessage = ({ data }) => {
      if (new Uint8Array(data as ArrayBuffer)[0] === took()[0] && --left === 0) resolve();
    };
  });
  await begin(idle, part);
  await taken;
  await begin(busy, [...framesOf(large)].slice(0, -1));
  expect(await end).toMatch(/unfinished/);
  const message = received(busy.link);
  for (const frame of [...framesOf(large)].slice(-1)) busy.stranger.send(frame);
  expect((await message).length).toBe(large.length);
  busy.link.close("enough");
  for (const { stranger, released } of [idle, busy]) {
    stranger.close();
    await released;
  }
});
