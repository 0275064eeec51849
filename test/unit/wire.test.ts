/**
 * The bytes on a link, held: hosts of the same protocol version must understand each other whichever build they are of.
 * Where this fails on purpose, raise PROTOCOL_VERSION, then put in the new bytes.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { baseId, cachedId, callNumber, epoch, hostId, imageId, jobId, pid } from "../../fabric/base/ids.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  NOTHING_LEARNED,
  PROTOCOL_VERSION,
  type Snapshot,
} from "../../fabric/wire/messages.ts";

const stay = { job: jobId("job"), pid: pid(7), epoch: epoch(300) };
const snapshot: Snapshot = {
  chain: [imageId("a"), imageId("b")],
  calls: callNumber(5),
  waiting: true,
  moment: 1000,
  clockMs: 1.5,
};
const images = [{ id: imageId("b"), bytes: new Uint8Array([1, 2, 3]) }];
const learned = {
  answers: [{ call: callNumber(4), answer: new Uint8Array([0, 9]) }],
  cached: [{ call: callNumber(5), id: cachedId(7) }],
  letters: [{ call: callNumber(6), from: pid(8), sent: callNumber(9) }],
  clock: [{ moment: 200, now: 2.5 }],
};

/** Every message once, those with optional parts with and without them. */
const GOLDEN: [Message, string][] = [
  [
    {
      type: "hello",
      protocol: 10,
      base: baseId("base"),
      host: hostId("host"),
      name: "Zoë",
      platform: "Node",
    },
    "010a046261736504686f7374045a6fc3ab044e6f64650000",
  ],
  [
    {
      type: "hello",
      protocol: 10,
      base: baseId("base"),
      host: hostId("host"),
      name: "",
      platform: "",
      proof: { key: new Uint8Array(32).fill(2), signature: new Uint8Array(64).fill(3) },
      member: new Uint8Array(32).fill(4),
    },
    `010a046261736504686f7374000001${"02".repeat(32)}${"03".repeat(64)}01${"04".repeat(32)}`,
  ],
  [
    {
      type: "place",
      ...stay,
      program: { source: "x=1", fileName: "f.js" },
      snapshot: undefined,
      images: [],
      seed: new Uint8Array(8).fill(1),
      learned: NOTHING_LEARNED,
      jobName: "n",
      zone: "UTC",
      now: 3.5,
      memoryBytesMax: 134217728,
      preemptEvery: 0,
      paused: false,
    },
    "0a036a6f6207ac020103783d3104662e6a7300000108010101010101010100000000016e035554430000000000000c40808080400000",
  ],
  [
    {
      type: "place",
      ...stay,
      program: undefined,
      snapshot,
      images,
      seed: undefined,
      learned,
      jobName: "n",
      zone: "UTC",
      now: 3.5,
      memoryBytesMax: 134217728,
      preemptEvery: 1,
      paused: true,
    },
    "0a036a6f6207ac02000102016101620501e807000000000000f83f010162030102030001040200090105070106080901c8010000000000000440016e035554430000000000000c40808080400101",
  ],
  [
    {
      type: "reply",
      ...stay,
      call: callNumber(4),
      answer: new Uint8Array([0]),
      now: 3.5,
      cached: cachedId(300),
      noMail: true,
    },
    "0b036a6f6207ac020401000000000000000c4001ac0201",
  ],
  [{ type: "save", ...stay }, "0c036a6f6207ac02"],
  [{ type: "recall", ...stay }, "0d036a6f6207ac02"],
  [{ type: "got", ...stay, image: imageId("b") }, "13036a6f6207ac020162"],
  [{ type: "release", ...stay, to: "far" }, "0e036a6f6207ac0203666172"],
  [{ type: "pause", ...stay, paused: true }, "0f036a6f6207ac0201"],
  [{ type: "interrupt", ...stay }, "10036a6f6207ac02"],
  [{ type: "stale", job: stay.job, cached: [cachedId(7), cachedId(300)] }, "11036a6f620207ac02"],
  [
    { type: "prepare", job: stay.job, chain: snapshot.chain, images, memoryBytesMax: 300 },
    "12036a6f62020161016201016203010203ac02",
  ],
  [{ type: "prepared", job: stay.job, image: imageId("b") }, "27036a6f620162"],
  [{ type: "prepared", job: stay.job, image: imageId("0f".repeat(32)) }, `27036a6f6200${"0f".repeat(32)}`],
  [{ type: "status", slots: 2, memoryBytes: 300, reason: "" }, "1e02ac0200"],
  [{ type: "forgotten", job: stay.job, cached: [cachedId(7)] }, "26036a6f620107"],
  [{ type: "refuse", ...stay, code: "EAGAIN", reason: "full" }, "1f036a6f6207ac02010466756c6c"],
  [{ type: "running", ...stay, runningMs: 0.5 }, "20036a6f6207ac02000000000000e03f"],
  [
    {
      type: "call",
      ...stay,
      call: callNumber(4),
      request: new Uint8Array([1]),
      waits: true,
      learned,
      snapshot,
      images,
      tookMs: 0.5,
    },
    "21036a6f6207ac020401010101040200090105070106080901c80100000000000004400102016101620501e807000000000000f83f01016203010203000000000000e03f",
  ],
  [{ type: "ahead", ...stay, images }, "28036a6f6207ac0201016203010203"],
  [
    { type: "saved", ...stay, snapshot, images, learned, tookMs: 1 },
    "22036a6f6207ac0202016101620501e807000000000000f83f0101620301020301040200090105070106080901c8010000000000000440000000000000f03f",
  ],
  [
    {
      type: "returned",
      ...stay,
      snapshot: undefined,
      images: [],
      learned: NOTHING_LEARNED,
      why: "preempted",
      stoppedMs: 0,
      used: undefined,
    },
    "23036a6f6207ac0200000000000002000000000000000000",
  ],
  [
    {
      type: "returned",
      ...stay,
      snapshot: undefined,
      images: [],
      learned: NOTHING_LEARNED,
      why: "recalled",
      stoppedMs: 0,
      used: { cpuMs: 1.5, memoryBytes: 65536, polls: 9 },
    },
    "23036a6f6207ac0200000000000001000000000000000001000000000000f83f80800409",
  ],
  [{ type: "failed", ...stay, code: "ENOMEM", reason: "no" }, "24036a6f6207ac020b026e6f"],
  [
    { type: "usage", ...stay, cpuMs: 1.5, memoryBytes: 65536, polls: 9 },
    "25036a6f6207ac02000000000000f83f80800409",
  ],
];

/** Exhaustive by the compiler: a message added to the union is missing here. */
const TYPES: Record<Message["type"], true> = {
  hello: true,
  place: true,
  reply: true,
  save: true,
  recall: true,
  release: true,
  pause: true,
  interrupt: true,
  stale: true,
  prepare: true,
  prepared: true,
  got: true,
  ahead: true,
  forgotten: true,
  status: true,
  refuse: true,
  running: true,
  call: true,
  saved: true,
  returned: true,
  failed: true,
  usage: true,
};

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("messages", () => {
  test.each(GOLDEN)("$type is these bytes, and they are it", (message, bytes) => {
    expect(hex(encodeMessage(message))).toBe(bytes);
    expect(decodeMessage(Uint8Array.from(Buffer.from(bytes, "hex")))).toEqual(message);
  });

  test("none is missing here", () => {
    expect(new Set(GOLDEN.map(([{ type }]) => type))).toEqual(new Set(Object.keys(TYPES)));
    expect(PROTOCOL_VERSION).toBe(10);
  });

  test("cut short, longer, or with any bit flipped, they are refused or another message, and nothing is thrown", () => {
    for (const [message] of GOLDEN) {
      const good = encodeMessage(message);
      for (let n = 0; n < good.length; n++) expect(decodeMessage(good.slice(0, n))).toBeInstanceOf(Invalid);
      expect(decodeMessage(new Uint8Array([...good, 0]))).toBeInstanceOf(Invalid);
      for (let bit = 0; bit < good.length * 8; bit++) {
        const bad = good.slice();
        bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        decodeMessage(bad);
      }
    }
  });

  test("no time is infinite or not a number", () => {
    for (const nonsense of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const usage = encodeMessage({ type: "usage", ...stay, cpuMs: nonsense, memoryBytes: 0, polls: 0 });
      expect(decodeMessage(usage)).toMatchObject({ reason: expect.stringContaining("finite") });
    }
  });
});

test("WIRE.md names every message, each in its direction, and no other", () => {
  const text = readFileSync(new URL("../../fabric/wire/WIRE.md", import.meta.url), "utf8");
  const named = [...text.matchAll(/^\| `(\w+)`/gm)].map(([, type]) => type);
  expect(named.toSorted()).toEqual(Object.keys(TYPES).toSorted());
});
