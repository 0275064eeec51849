/** Frames: what was sent comes out, whatever its size; what nobody of ours would send is refused. */
import { describe, expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import {
  alive,
  ask,
  BURST_BYTES,
  FRAME_BYTES,
  framesOf,
  goodbye,
  isYielding,
  payloadBytes,
  Reassembler,
  took,
  Unfinished,
  YIELDING_BYTES,
} from "../../fabric/io/framing.ts";

/** Bytes that differ everywhere, so that a part in the wrong place shows. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16)) & 255;
  return bytes;
}

/** Vitest's own comparison takes seconds for a megabyte. */
const same = (received: unknown, message: Uint8Array) =>
  Buffer.compare((received as { bytes: Uint8Array }).bytes, message) === 0;

/** Of a link on which a first message has come. */
function greeted(unfinished = new Unfinished(), onGivenUp = () => {}): Reassembler {
  const incoming = new Reassembler(unfinished, onGivenUp);
  for (const frame of framesOf(pattern(10))) incoming.take(frame);
  return incoming;
}

const reasonOf = (result: unknown) => (result instanceof Invalid ? result.reason : result);

test.each([
  0,
  1,
  BURST_BYTES - 2,
  BURST_BYTES - 1,
  BURST_BYTES,
  2 * BURST_BYTES - 6,
  2 * BURST_BYTES - 5,
  FRAME_BYTES - 2,
  FRAME_BYTES - 1,
  FRAME_BYTES,
  FRAME_BYTES + 1,
  2 * FRAME_BYTES - 6,
  2 * FRAME_BYTES - 5,
  1_000_003,
])("a message of %i bytes comes out as it went in", (length) => {
  const message = pattern(length);
  const frames = [...framesOf(message)];
  expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThanOrEqual(FRAME_BYTES);
  expect(frames.reduce((sum, frame) => sum + payloadBytes(frame), 0)).toBe(length);
  const incoming = greeted();
  const received = frames.map((frame) => incoming.take(frame));
  expect(received.slice(0, -1).every((r) => !(r instanceof Invalid) && r.type === "part")).toBe(true);
  expect(same(received.at(-1), message)).toBe(true);
});

test("a message of up to 64 KiB goes in frames that each leave at once, a longer one in few", () => {
  const largest = (length: number) =>
    Math.max(...[...framesOf(pattern(length))].map((frame) => frame.length));
  expect(largest(17_000)).toBe(4 * 1152);
  expect(largest(FRAME_BYTES)).toBe(4 * 1152);
  expect(largest(FRAME_BYTES + 1)).toBe(FRAME_BYTES);
});

test("messages of random sizes come out in order, with signs of life in between", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % below;
  };
  const incoming = greeted();
  for (let i = 0; i < 100; i++) {
    const message = pattern(random(i % 2 ? 300 : 5 * FRAME_BYTES));
    const out: unknown[] = [];
    for (const frame of framesOf(message)) {
      if (random(2)) expect(incoming.take(alive())).toEqual({ type: "alive" });
      if (random(2)) expect(incoming.take(ask())).toEqual({ type: "ask" });
      const received = incoming.take(frame);
      if (!(received instanceof Invalid) && received.type === "message") out.push(received);
      else expect(received).toEqual({ type: "part" });
    }
    expect(out.length).toBe(1);
    expect(same(out[0], message)).toBe(true);
  }
});

test("what gives way lets whole messages, and others in parts, pass between its frames", () => {
  const [large, other, small] = [pattern(300_001), pattern(200_000), pattern(100)];
  const yielding = [...framesOf(large, true)];
  expect(Math.max(...yielding.map((frame) => frame.length))).toBeLessThanOrEqual(YIELDING_BYTES);
  expect(yielding.reduce((sum, frame) => sum + payloadBytes(frame), 0)).toBe(large.length);
  expect(yielding.every(isYielding)).toBe(true);
  const overtaking = [...framesOf(other), ...framesOf(small)];
  expect(overtaking.some(isYielding)).toBe(false);
  const incoming = greeted();
  const out: unknown[] = [];
  for (const frame of yielding.flatMap((frame, n) => [overtaking[n] ?? took(), frame])) {
    const received = incoming.take(frame);
    if (!(received instanceof Invalid) && received.type === "message") out.push(received);
  }
  expect([other, small, large].map((message, n) => same(out[n], message))).toEqual([true, true, true]);
});

test("a goodbye carries its reason, in the middle of a message too", () => {
  const incoming = greeted();
  const [first] = framesOf(pattern(200_000));
  incoming.take(first ?? alive());
  expect(incoming.take(goodbye("the tab was closed"))).toEqual({
    type: "goodbye",
    reason: "the tab was closed",
  });
  const long = incoming.take(goodbye("x".repeat(100_000)));
  expect(long).toEqual({ type: "goodbye", reason: "x".repeat(1024) });
});

test("a message over the limit is neither sent nor begun to be received", () => {
  const first = new Uint8Array(FRAME_BYTES);
  first[0] = 1;
  new DataView(first.buffer).setUint32(1, LIMITS.messageBytes + 1, true);
  expect(reasonOf(greeted().take(first))).toMatch(/where 201326592 are allowed/);
  new DataView(first.buffer).setUint32(1, 0xffffffff, true);
  expect(reasonOf(greeted().take(first))).toMatch(/where 201326592 are allowed/);
});

test("hostile frames are refused", () => {
  const frames = [...framesOf(pattern(3 * FRAME_BYTES))];
  const [first, more, another, last] = frames;
  const fresh = (...before: (Uint8Array | undefined)[]) => {
    const incoming = greeted();
    for (const frame of before) if (frame) expect(incoming.take(frame)).toEqual({ type: "part" });
    return (frame: Uint8Array = new Uint8Array()) => reasonOf(incoming.take(frame));
  };
  expect(fresh()()).toMatch(/kind nothing/);
  expect(fresh()(new Uint8Array([9]))).toMatch(/kind 9/);
  expect(fresh()(new Uint8Array(FRAME_BYTES + 1))).toMatch(/a frame of 65537/);
  expect(fresh()(new Uint8Array([1]))).toMatch(/cut short/);
  expect(fresh()(new Uint8Array([1, 9, 0, 0, 0]))).toMatch(/needs none/);
  expect(fresh()(new Uint8Array([1, 0, 0, 1, 0]))).toMatch(/not full/);
  const [burst, middle] = framesOf(pattern(3 * BURST_BYTES));
  expect(fresh(burst)(middle?.subarray(0, 100))).toMatch(/99 bytes of a message that lacks/);
  expect(fresh(first)(middle)).toMatch(/bytes of a message that lacks/);
  expect(fresh()(new Uint8Array([3, 0]))).toMatch(/something in it/);
  expect(fresh()(more)).toMatch(/middle of no message/);
  expect(fresh(first)(first)).toMatch(/inside another/);
  expect(fresh(first)(new Uint8Array([0, 1, 2]))).toMatch(/inside another/);
  expect(fresh(first)(more?.subarray(0, 100))).toMatch(/99 bytes of a message that lacks/);
  expect(fresh(first)(new Uint8Array([2]))).toMatch(/0 bytes of a message/);
  expect(fresh(first, more, another)(more)).toMatch(/65535 bytes of a message that lacks/);
  const [gives, way] = framesOf(pattern(3 * FRAME_BYTES), true);
  expect(fresh(gives)(gives)).toMatch(/inside another/);
  expect(fresh()(way)).toMatch(/middle of no message/);
  expect(fresh(first)(way)).toMatch(/middle of no message/);
  expect(fresh(gives)(way?.subarray(0, 100))).toMatch(/99 bytes of a message that lacks/);
  expect(fresh()(new Uint8Array([6, 0, 0, 1, 0]))).toMatch(/needs none/);
  expect(fresh()(new Uint8Array([6, 1, 0, 1, 0]))).toMatch(/not full/);
  expect(fresh()(new Uint8Array([8, 0]))).toMatch(/something in it/);
  const small = new Uint8Array(FRAME_BYTES);
  small[0] = 1;
  small[1] = 10;
  expect(fresh()(small)).toMatch(/needs none/);
  expect(last).toBeDefined();
});

test("a link's first message is short: nothing long is begun before it", () => {
  const long = pattern(LIMITS.firstMessageBytes + 1);
  for (const givesWay of [false, true]) {
    const [first = alive()] = framesOf(long, givesWay);
    expect(reasonOf(new Reassembler().take(first))).toMatch(/a first message of 65537 bytes/);
    expect(greeted().take(first)).toEqual({ type: "part" });
  }
  const incoming = new Reassembler();
  const received = [...framesOf(pattern(LIMITS.firstMessageBytes))].map((frame) => incoming.take(frame));
  expect(same(received.at(-1), pattern(LIMITS.firstMessageBytes))).toBe(true);
});

describe("what all links hold of unfinished messages", () => {
  /** Three links, to each of which 300 KB are sent; `givenUp` says whose were, in this order. */
  function three(bytesMax: number) {
    const unfinished = new Unfinished(bytesMax);
    const givenUp: string[] = [];
    const link = (name: string, givesWay = false) => {
      const frames = framesOf(pattern(300_000), givesWay);
      const incoming = greeted(unfinished, () => givenUp.push(name));
      /** Takes so many frames of it. */
      const take = (count: number) => {
        const received = Array.from({ length: count }, () => incoming.take(frames.next().value ?? alive()));
        return received.at(-1);
      };
      return { incoming, take };
    };
    return { a: link("a"), b: link("b", true), c: link("c"), givenUp };
  }

  test("over the limit, that is given up of which nothing has come for longest", () => {
    const { a, b, c, givenUp } = three(5 * FRAME_BYTES);
    a.take(1);
    b.take(4);
    a.take(1);
    c.take(2);
    expect(givenUp).toEqual([]);
    c.take(1);
    expect(givenUp).toEqual(["b"]);
    c.take(1);
    expect(givenUp).toEqual(["b", "a"]);
    expect(same(c.take(1), pattern(300_000))).toBe(true);
    expect(reasonOf(a.take(1))).toMatch(/middle of no message/);
  });

  test("what has become whole, or was ended, counts no more", () => {
    const { a, b, c, givenUp } = three(5 * FRAME_BYTES);
    for (let n = 0; n < 20; n++)
      for (const frame of framesOf(pattern(300_000), n % 2 === 0)) c.incoming.take(frame);
    a.take(4);
    a.incoming.clear();
    b.take(19);
    expect(givenUp).toEqual([]);
  });
});
