import { describe, expect, test } from "vitest";
import { Invalid, utf8Decode } from "../../fabric/base/codec.ts";
import {
  baseId,
  cachedId,
  callNumber,
  epoch,
  FIRST_PID,
  hostId,
  imageId,
  jobId,
  pid,
} from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Clock } from "../../fabric/base/ports.ts";
import type { HomeEffect, HomeEvent } from "../../fabric/home/effects.ts";
import { newHome, step as stepHome } from "../../fabric/home/home.ts";
import { Job } from "../../fabric/host/job.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import { type CallArgs, type CallName, encodeCall } from "../../fabric/wire/calls.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  NOTHING_LEARNED,
  PROTOCOL_VERSION,
} from "../../fabric/wire/messages.ts";
import { chance } from "../sim/world.ts";
import { limited } from "./home.kit.ts";
import { JOB, received } from "./messages.kit.ts";

const SPEC = {
  id: JOB,
  name: "test",
  program: { source: "", fileName: "test.js" },
  args: [],
  env: {},
  zone: "UTC",
  memoryBytesMax: LIMITS.guestMemoryBytes,
  processesMax: LIMITS.processesPerJob,
  durable: true,
  preemptEvery: 0,
  seed: 1n,
};

function snapshotOf(name: string, calls: number) {
  return { chain: [imageId(name)], calls: callNumber(calls), waiting: true, moment: 0, clockMs: 0 };
}
const imageOf = (name: string, content = name) => ({
  id: imageId(name),
  bytes: new TextEncoder().encode(content),
});

class HomeBench {
  nowMs = 1_000;
  readonly state = newHome(SPEC, this.nowMs);
  readonly effects: HomeEffect[] = [];

  do(event: HomeEvent): HomeEffect[] {
    const effects = stepHome(this.state, event, this.nowMs);
    for (const effect of effects) {
      if (effect.type === "send") expect(received(effect.message)).toBeDefined();
      this.effects.push(effect);
    }
    return effects;
  }
  host(name: string, slots = 1, local = false): void {
    this.do({ type: "hostLinked", host: hostId(name), name, platform: "", local });
    this.say(name, { type: "status", slots, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
  }
  say(host: string, message: Message): HomeEffect[] {
    const arrived = received(message);
    return arrived ? this.do({ type: "message", host: hostId(host), message: arrived }) : [];
  }
  stay(n: number) {
    return { job: JOB, pid: pid(n), epoch: this.process(n).epoch };
  }
  process(n: number) {
    const p = this.state.processes.get(pid(n));
    if (!p) throw new Error(`no process ${n}`);
    return p;
  }
  call<N extends CallName>(
    host: string,
    n: number,
    number: number,
    name: N,
    args: CallArgs<N>,
    image?: string,
  ) {
    return this.say(host, {
      type: "call",
      ...this.stay(n),
      call: callNumber(number),
      request: encodeCall(name, args),
      waits: true,
      learned: NOTHING_LEARNED,
      snapshot: image === undefined ? undefined : snapshotOf(image, number + 1),
      images: image === undefined ? [] : [imageOf(image)],
      tookMs: 0,
    });
  }
  /** Process 1 at home, 2 at "liar", 3 at "victim". */
  static family(): HomeBench {
    const b = new HomeBench();
    b.host("home", 1, true);
    b.host("liar");
    b.host("victim");
    b.call("home", 1, 0, "fork", { on: "liar" }, "first");
    b.call("home", 1, 1, "fork", { on: "victim" }, "second");
    expect(b.process(2).where).toMatchObject({ host: "liar" });
    expect(b.process(3).where).toMatchObject({ host: "victim" });
    return b;
  }
}

describe("a host that lies to a home", () => {
  test("nonsense of every kind changes nothing of processes elsewhere, and throws nothing", () => {
    const random = chance(7);
    const pick = <T>(...of: T[]): T => of[Math.floor(random() * of.length)] as T;
    for (let round = 0; round < 40; round++) {
      const b = HomeBench.family();
      const others = () =>
        JSON.stringify([1, 3].map((n) => [b.process(n).epoch, b.process(n).where, b.process(n).end]));
      const before = others();
      for (let n = 0; n < 100 && !b.process(2).end; n++) {
        const stay = {
          job: pick(JOB, JOB, jobId("other")),
          pid: pid(pick(0, 1, 2, 2, 2, 3, 2 ** 52)),
          epoch: epoch(pick(0, 1, b.process(2).epoch, 2 ** 52)),
        };
        const call = callNumber(pick(0, 1, 2, 2 ** 52));
        const learned = pick(NOTHING_LEARNED, {
          answers: [{ call, answer: new Uint8Array(3) }],
          cached: pick([], [], [{ call, id: cachedId(pick(0, 2 ** 40)) }]),
          letters: pick([], [], [{ call, from: stay.pid, sent: call }]),
          clock: [{ moment: 2 ** 52, now: -1 }],
        });
        const snapshot = pick(undefined, {
          ...snapshotOf(pick("first", "second", "new"), pick(0, 2 ** 52)),
          chain: [imageId(pick("first", "second", "new")), imageId("x")],
        });
        const images = pick([], [imageOf("x")], [imageOf("second", "poison")]);
        const request = pick(
          new Uint8Array([255]),
          encodeCall("print", { fd: pick(0, 1, 9), data: new Uint8Array(5) }),
          encodeCall("wait", {
            pid: pick(-1, 1, 2, 2 ** 40),
            dueMs: pick(undefined, -5, Number.NaN, Number.NEGATIVE_INFINITY, 1e308),
          }),
          encodeCall("sleep", { dueMs: pick(Number.NaN, Number.POSITIVE_INFINITY, -1, 1e308) }),
          encodeCall("fork", { on: "nobody" }),
          encodeCall("migrate", { host: pick("", "nobody", "liar") }),
          encodeCall("hostname", undefined),
          encodeCall("identify", undefined),
          encodeCall("hosts", undefined),
          encodeCall("readLine", undefined),
          encodeCall("send", { to: [pick(1, 2, 3, 2 ** 40)], tag: "t", value: new Uint8Array(9) }),
          encodeCall("post", { to: [1, 1, 2 ** 40], tag: "!", value: new Uint8Array() }),
          encodeCall("receive", {
            from: pick(-1, 1, -9),
            tag: undefined,
            dueMs: pick(undefined, Number.NaN),
          }),
          encodeCall("notify", { pid: pick(1, 2, 2 ** 40), tag: "" }),
          encodeCall("join", { group: pick("", "g") }),
          encodeCall("meet", {
            group: "g",
            what: pick("a", "b"),
            giver: pick(-1, 0, -7),
            count: pick(0, 1, 2 ** 50),
            parcels: [{ member: pick(-1, 0, -7, 2 ** 40), data: new Uint8Array(3) }],
          }),
          encodeCall("out", { fields: [{ type: "t", data: new Uint8Array(2) }] }),
          encodeCall("find", { template: [], remove: true, wait: true }),
          encodeCall("kill", { pid: pick(-9, 2 ** 40), signal: "SIGKILL" }),
          encodeCall("handle", { signal: pick("SIGTERM", "SIGKILL"), handled: true }),
        );
        b.nowMs += 1;
        b.say(
          "liar",
          pick<Message>(
            {
              type: "status",
              slots: pick(0, 1, 2 ** 52),
              memoryBytes: LIMITS.guestMemoryBytesMost,
              reason: "\u001b[2J",
            },
            { type: "running", ...stay, runningMs: pick(0, -1e300, 1e300) },
            {
              type: "call",
              ...stay,
              call,
              request,
              waits: pick(true, false),
              learned,
              snapshot,
              images,
              tookMs: -1e300,
            },
            {
              type: "saved",
              ...stay,
              snapshot: snapshot ?? snapshotOf("none", 1),
              images,
              learned,
              tookMs: 1,
            },
            {
              type: "returned",
              used: undefined,
              ...stay,
              snapshot,
              images,
              learned,
              why: pick("reclaimed", "recalled", "preempted"),
              stoppedMs: 0,
            },
            {
              type: "usage",
              ...stay,
              cpuMs: pick(-1e300, 1e300, Number.NaN),
              memoryBytes: 2 ** 52,
              polls: 0,
            },
            {
              type: "reply",
              ...stay,
              call,
              answer: new Uint8Array(),
              now: 0,
              cached: undefined,
              noMail: false,
            },
            { type: "release", ...stay, to: "" },
            { type: "forgotten", job: JOB, cached: [cachedId(pick(0, 2 ** 40))] },
            { type: "recall", ...stay },
            { type: "refuse", ...stay, code: pick("EAGAIN", "ENOENT", "EPERM"), reason: "" },
          ),
        );
      }
      expect(others()).toBe(before);
      expect(utf8Decode(b.state.images.get(imageId("second")) ?? new Uint8Array())).toBe("second");
    }
  });

  test("one that never sends the image it is asked for loses the process, and the log has an end", () => {
    const b = HomeBench.family();
    const clock = Array.from({ length: 50_000 }, (_, moment) => ({ moment, now: 1 }));
    const say = () =>
      b.say("liar", {
        type: "call",
        ...b.stay(2),
        call: callNumber(1),
        request: encodeCall("hostname", undefined),
        waits: true,
        learned: { ...NOTHING_LEARNED, clock },
        snapshot: undefined,
        images: [],
        tookMs: 0,
      });
    for (let n = 0; n < 8 && b.process(2).epoch === 1; n++) say();
    expect(b.process(2).epoch).toBe(2);
    expect(b.process(2).hostsLost).toBe(1);
  });

  test("one that sends snapshots that nobody asked for can make neither the log nor the images endless", () => {
    using _limits = limited({ chainBytes: 100_000 });
    const b = HomeBench.family();
    const kept = () => [...b.state.images.values()].reduce((sum, { length }) => sum + length, 0);
    const before = kept();
    const saves = (chain: readonly string[], bytes: number, readings: number) =>
      b.say("liar", {
        type: "saved",
        ...b.stay(2),
        snapshot: { ...snapshotOf("", 1), chain: chain.map(imageId) },
        images: [{ id: imageId(chain.at(-1) ?? ""), bytes: new Uint8Array(bytes) }],
        learned: {
          ...NOTHING_LEARNED,
          clock: Array.from({ length: readings }, (_, n) => ({ moment: 2 ** 40 + n, now: 1 })),
        },
        tookMs: 0,
      });
    const chain = ["first"];
    while (b.process(2).epoch === 1 && chain.length < 250) {
      chain.push(`image ${chain.length}`);
      saves(chain, 1_000, 0);
    }
    expect(b.process(2)).toMatchObject({ epoch: 2, hostsLost: 1 });
    expect(kept() - before).toBeLessThanOrEqual(100_000);
    expect(b.process(2).where).toMatchObject({ host: "liar" });
    for (let n = 0; b.process(2).epoch === 2 && n < 50; n++) saves(["first"], 0, 10_000);
    expect(b.process(2)).toMatchObject({ epoch: 3, hostsLost: 2 });
    expect(b.process(2).clock.length).toBeLessThanOrEqual(LIMITS.logPatience * LIMITS.logEntries + 10_000);
  });

  test("what a process learned at one does not keep the message that it came in", () => {
    const b = HomeBench.family();
    const answers = [{ call: callNumber(5), answer: new Uint8Array(1) }];
    b.say("liar", {
      type: "call",
      ...b.stay(2),
      call: callNumber(6),
      request: encodeCall("hostname", undefined),
      waits: true,
      learned: { ...NOTHING_LEARNED, answers },
      snapshot: undefined,
      images: [imageOf("x", "x".repeat(100_000))],
      tookMs: 0,
    });
    expect(b.process(2).answers.get(callNumber(5))?.buffer.byteLength).toBe(1);
  });

  test("a process has no more memory than its job allows, whatever one says: it goes on elsewhere", () => {
    const b = HomeBench.family();
    b.say("liar", { type: "usage", ...b.stay(2), cpuMs: 1, memoryBytes: Number.MAX_SAFE_INTEGER, polls: 1 });
    b.do({ type: "hostLost", host: hostId("liar"), reason: "gone" });
    expect(b.process(2)).toMatchObject({
      memoryBytes: SPEC.memoryBytesMax,
      where: { kind: "at", host: "victim" },
    });
  });

  test("one that neither runs a process nor sends it back loses it", () => {
    const b = HomeBench.family();
    b.nowMs += LIMITS.patienceMs - 1;
    b.do({ type: "tick" });
    expect(b.process(2).epoch).toBe(1);
    b.say("victim", { type: "running", ...b.stay(3), runningMs: b.nowMs });
    b.nowMs += 1;
    const effects = b.do({ type: "tick" });
    expect(b.process(2)).toMatchObject({ epoch: 2, hostsLost: 1 });
    const release = { type: "release", pid: 2, epoch: 1 };
    expect(effects).toContainEqual({ type: "send", host: "liar", message: expect.objectContaining(release) });
    expect(b.process(3).epoch).toBe(1);
    b.do({ type: "migrate", pid: pid(3), to: undefined });
    b.nowMs += LIMITS.patienceMs;
    b.do({ type: "tick" });
    expect(b.process(3).epoch).toBe(2);
  });

  test("one that wants the same images for ever gets them twice", () => {
    const b = HomeBench.family();
    for (let n = 0; n < 20 && !b.process(2).end; n++) {
      const { where } = b.process(2);
      if (where.kind !== "at") break;
      b.say(where.host, { type: "refuse", ...b.stay(2), code: "ENOENT", reason: "" });
    }
    expect(b.process(2).end).toMatchObject({ signal: "SIGKILL" });
    const bytes = b.process(2).stays.reduce((sum, stay) => sum + stay.imageBytes, 0);
    expect(bytes).toBeLessThanOrEqual(2 * LIMITS.hostsLostPerProcess * "first".length);
  });

  test("one that sends its process back for ever leaves no endless record", () => {
    const b = HomeBench.family();
    for (let n = 0; n < 1_000; n++) {
      const { where } = b.process(2);
      if (where.kind !== "at") throw new Error("nowhere");
      b.say(where.host, { type: "usage", ...b.stay(2), cpuMs: 1, memoryBytes: 1, polls: 1 });
      b.say(where.host, {
        type: "returned",
        used: undefined,
        ...b.stay(2),
        snapshot: undefined,
        images: [],
        learned: NOTHING_LEARNED,
        why: "preempted",
        stoppedMs: 0,
      });
    }
    expect(b.process(2).epoch).toBe(1_001);
    expect(b.process(2).stays.length).toBeLessThanOrEqual(LIMITS.staysKept);
    expect(b.process(2).cpuMs).toBe(1_000);
  });

  test("a name that is no name is refused on the link, before there is a host", () => {
    for (const name of ["x".repeat(LIMITS.nameBytes + 1), "x".repeat(2 ** 20)])
      expect(() =>
        encodeMessage({ type: "hello", protocol: 1, base: baseId(""), host: hostId(""), name, platform: "" }),
      ).toThrow(RangeError);
    const b = new HomeBench();
    b.host("\u{1f99c}".repeat(LIMITS.nameBytes / 4), 1, true);
    b.call("\u{1f99c}".repeat(LIMITS.nameBytes / 4), 1, 0, "hosts", undefined);
  });

  test("under another's id it is turned away, and the other goes on", async () => {
    const clock: Clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
    const self = { id: hostId("home"), name: "home", platform: "", base: baseId("base") };
    const job = new Job({
      spec: SPEC,
      self,
      disk: new MemoryDisk(),
      terminal: { print: () => {}, readLine: async () => undefined },
      clock,
      log: () => {},
      onChange: () => {},
      onEvent: () => {},
    });
    const hello = (name: string) =>
      encodeMessage({
        type: "hello",
        protocol: PROTOCOL_VERSION,
        base: baseId("base"),
        host: hostId("host"),
        name,
        platform: "",
      });
    const ends: string[] = [];
    for (const name of ["honest", "impostor\u001b[2J\u202e"]) {
      const [ours, theirs] = linkPair();
      const closed = new Promise<void>((done) => {
        theirs.onEnd = ({ reason }) => {
          ends.push(`${name}: ${reason}`);
          done();
        };
        theirs.onMessage = (bytes) => {
          const message = decodeMessage(bytes);
          if (!(message instanceof Invalid) && message.type === "place") done();
        };
      });
      job.addHost(ours, true);
      theirs.send(hello(name));
      theirs.send(
        encodeMessage({ type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" }),
      );
      await closed;
    }
    expect(ends).toEqual([expect.stringMatching(/^impostor.*linked to this job already/s)]);
    expect([...job.state.hosts.values()].map(({ name }) => name)).toEqual(["honest"]);
    expect(job.state.processes.get(FIRST_PID)?.where).toMatchObject({ kind: "at", host: "host" });
  });

  test("ended processes that nobody waits for count against the limit; those waited for are forgotten in the end", () => {
    const b = new HomeBench();
    b.host("home", 1, true);
    let number = 0;
    const forkAndExit = () => {
      const child = b.state.nextPid;
      b.call("home", 1, number, "fork", { on: "any" }, `image ${number}`);
      number++;
      if (b.state.processes.has(pid(child)))
        b.call("home", child, number, "exit", { status: 0, value: new Uint8Array(10) });
      return b.state.processes.has(pid(child));
    };
    for (let n = 0; n < LIMITS.endedKept + 100; n++) {
      expect(forkAndExit()).toBe(true);
      b.call("home", 1, number++, "wait", { pid: -1, dueMs: undefined });
    }
    expect(b.state.processes.size).toBeLessThanOrEqual(LIMITS.endedKept + 2);
    let zombies = 0;
    while (zombies < 2 * LIMITS.processesPerJob && forkAndExit()) zombies++;
    expect(zombies).toBe(LIMITS.processesPerJob - 1);
  });
});
