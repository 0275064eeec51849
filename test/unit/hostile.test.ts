/** Parties that lie: hosts to a home, homes to a host, programs to their worker. Nobody throws, hangs, grows, or pays for another. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { beforeAll, describe, expect, test } from "vitest";
import { Invalid, utf8Decode } from "../../fabric/base/codec.ts";
import { must } from "../../fabric/base/errors.ts";
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
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { type BaseImage, bootBase, loadEngine } from "../../fabric/engine/index.ts";
import type { HomeEffect, HomeEvent } from "../../fabric/home/effects.ts";
import { newHome, step as stepHome } from "../../fabric/home/home.ts";
import { engineMachines } from "../../fabric/host/engine-machines.ts";
import { Executor } from "../../fabric/host/executor.ts";
import { Job } from "../../fabric/host/job.ts";
import { KeptAnswers } from "../../fabric/host/kept-answers.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import type { Report } from "../../fabric/kernel/executor-messages.ts";
import {
  type HomeLink,
  type KernelEffect,
  type KernelEvent,
  newKernel,
  step as stepKernel,
  TICK_MS,
} from "../../fabric/kernel/kernel.ts";
import { FREELY } from "../../fabric/kernel/terms.ts";
import {
  type CallArgs,
  type CallName,
  decodeAnswer,
  decodeCall,
  encodeAnswer,
  encodeCall,
} from "../../fabric/wire/calls.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageOf,
  NOTHING_LEARNED,
  PROTOCOL_VERSION,
  stayKey,
} from "../../fabric/wire/messages.ts";
import { chance } from "../sim/world.ts";

const JOB = jobId("job");
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

/** As it arrives on a link. Undefined where the other side would have ended the link. */
function received(message: Message): Message | undefined {
  const back = decodeMessage(encodeMessage(message));
  return back instanceof Invalid ? undefined : back;
}

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

class KernelBench {
  nowMs = 0;
  readonly state = newKernel([0]);
  readonly sent: { link: number; message: Message }[] = [];
  readonly effects: KernelEffect[] = [];
  do(event: KernelEvent): KernelEffect[] {
    const effects = stepKernel(this.state, event, this.nowMs);
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.type === "send") this.sent.push({ link: effect.link, message: effect.message });
    }
    return effects;
  }
  say(link: HomeLink, message: Message) {
    const arrived = received(message);
    return arrived ? this.do({ type: "message", link, message: arrived }) : [];
  }
  ticks(ms: number) {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.nowMs += TICK_MS;
      this.do({ type: "tick" });
    }
  }
}

const A = 1 as HomeLink;
const B = 2 as HomeLink;

function placeOf(n: number, changes: Partial<MessageOf<"place">> = {}): MessageOf<"place"> {
  return {
    type: "place",
    job: JOB,
    pid: pid(n),
    epoch: epoch(1),
    program: { source: "", fileName: "x.js" },
    snapshot: undefined,
    images: [],
    seed: undefined,
    learned: NOTHING_LEARNED,
    jobName: "job",
    zone: "UTC",
    now: 0,
    memoryBytesMax: 2 ** 25,
    preemptEvery: 0,
    paused: false,
    ...changes,
  };
}

function host(): KernelBench {
  const k = new KernelBench();
  k.do({ type: "terms", terms: FREELY });
  k.do({ type: "linked", link: A, own: false, host: hostId("a"), name: "a" });
  k.do({ type: "linked", link: B, own: false, host: hostId("b"), name: "b" });
  return k;
}

describe("a home that lies to a host", () => {
  test.each<[string, Partial<MessageOf<"place">>]>([
    ["neither program nor snapshot", { program: undefined }],
    ["both", { snapshot: snapshotOf("x", 1) }],
    ["images that are not there", { program: undefined, snapshot: snapshotOf("x", 1) }],
    ["memory without end", { memoryBytesMax: 2 ** 53 - 1 }],
  ])("%s: refused, and nothing is here", (_what, changes) => {
    const k = host();
    k.say(A, placeOf(1, changes));
    expect(k.sent.at(-1)).toMatchObject({ link: A, message: { type: "refuse", pid: 1 } });
    expect(k.state.guests.size).toBe(0);
  });

  test("ten thousand processes: as many as a host takes; it says when it is full, and when it has room again", () => {
    const k = host();
    for (let n = 1; n <= 10_000; n++) k.say(A, placeOf(n));
    expect(k.state.guests.size).toBe(LIMITS.processesPerHost);
    const statuses = () => k.sent.filter(({ link, message }) => link === B && message.type === "status");
    expect(statuses().at(-1)?.message).toMatchObject({ slots: 0, reason: "full" });
    k.say(A, { type: "release", job: JOB, pid: pid(1), epoch: epoch(1), to: "" });
    expect(statuses().at(-1)?.message).toMatchObject({ slots: 1 });
    expect(statuses().length).toBeLessThan(10);
  });

  test("another's stays, calls never made, and what only homes are told change nothing", () => {
    const k = host();
    k.say(A, placeOf(1));
    const before = k.effects.length;
    const stay = { job: JOB, pid: pid(1), epoch: epoch(1) };
    k.say(B, { type: "release", ...stay, to: "" });
    k.say(B, { type: "recall", ...stay });
    k.say(B, {
      type: "reply",
      ...stay,
      call: callNumber(0),
      answer: new Uint8Array(),
      now: 0,
      cached: undefined,
      noMail: false,
    });
    k.say(A, { type: "release", ...stay, epoch: epoch(2), to: "" });
    k.say(A, { type: "failed", ...stay, code: "EIO", reason: "" });
    k.say(A, { type: "status", slots: 9, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
    expect(k.effects.length).toBe(before);
    expect(k.state.guests.size).toBe(1);
  });

  test("a process called as another home's is refused, and its home's answers go to no other's", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.say(A, placeOf(1)); // said twice
    expect(k.sent.filter(({ message }) => message.type === "refuse")).toEqual([]);
    k.say(B, placeOf(1));
    expect(k.sent.at(-1)).toMatchObject({ link: B, message: { type: "refuse", code: "EAGAIN", pid: 1 } });
    expect(k.state.guests.size).toBe(1);

    // The same job, by its name: kept answers are those of one home.
    const kept = new KeptAnswers({ now: () => 0, monotonic: () => 0, after: () => () => {} });
    const request = new Uint8Array([1]);
    kept.keep(B, request, cachedId(1), new Uint8Array([66]));
    expect(kept.find(A, request)).toBeUndefined();
  });

  test("a home that never takes back what was reclaimed: dropped in time, and the home is told", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.do({ type: "reclaim", reason: "back" });
    k.do({ type: "report", executor: 0, report: { type: "halted" } });
    k.ticks(LIMITS.evictionMs);
    expect(k.state.guests.size).toBe(0);
    expect(k.effects).toContainEqual({ type: "receipt", receipt: expect.objectContaining({ cpuBackMs: 0 }) });
    expect(k.sent.map(({ message }) => message)).toContainEqual(
      expect.objectContaining({ type: "refuse", code: "EIO", pid: 1 }),
    );
  });
});

describe("a worker that a guest holds", () => {
  test("is ended after a while, its processes given back, and another takes its place", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.ticks(LIMITS.stuckMs + 2 * TICK_MS);
    expect(k.effects).toContainEqual(expect.objectContaining({ type: "replace", executor: 0 }));
    expect(k.sent.map(({ message }) => message)).toContainEqual(
      expect.objectContaining({ type: "refuse", code: "EIO", pid: 1 }),
    );
    expect(k.sent.at(-1)?.message).toMatchObject({ type: "status", slots: 0 });
    k.do({ type: "executorStarted", executor: 1 });
    expect(k.sent.at(-1)?.message).toMatchObject({ type: "status", slots: 1 });
    expect(k.say(A, placeOf(2))).toContainEqual(expect.objectContaining({ type: "command", executor: 1 }));
  });

  test("is the doing of the process whose turn it was: the others on it are sent back without blame", () => {
    const k = host();
    for (const n of [1, 2, 3]) k.say(A, placeOf(n));
    const [, guilty] = [...k.state.guests.values()];
    if (!guilty) throw new Error("three were placed");
    k.do({ type: "report", executor: 0, report: { type: "turn", key: guilty.key } });
    k.ticks(LIMITS.stuckMs + 2 * TICK_MS);
    const refused = k.sent.flatMap(({ message: m }) => (m.type === "refuse" ? [[m.pid, m.code]] : []));
    expect(refused).toEqual([
      [1, "EAGAIN"],
      [2, "EIO"],
      [3, "EAGAIN"],
    ]);
  });

  test("is left alone while it answers, however long it works; time asleep does not count", () => {
    const k = host();
    for (let n = 0; n < 100; n++) {
      k.ticks(TICK_MS);
      k.do({ type: "report", executor: 0, report: { type: "alive" } });
    }
    k.ticks(TICK_MS);
    k.nowMs += 1e9;
    k.ticks(TICK_MS);
    expect(k.effects.filter(({ type }) => type === "replace")).toEqual([]);
  });

  test("does not keep the machine from its owner", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.do({ type: "reclaim", reason: "back" });
    k.ticks(LIMITS.haltMs + TICK_MS);
    expect(k.effects).toContainEqual(expect.objectContaining({ type: "replace", executor: 0 }));
    expect(k.effects).toContainEqual(expect.objectContaining({ type: "receipt" }));
  });
});

let base: BaseImage | undefined;
async function boot(): Promise<BaseImage> {
  const file = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));
  await ensureEngine(file);
  return bootBase(await loadEngine(await readFile(file)), { source: GUEST_LIBRARY });
}

beforeAll(async () => {
  base = await boot();
}, 180_000); // the engine may have to be built

/** A real executor, the home of whose processes answers only what the test says. */
class ExecutorBench {
  readonly reports: Report[] = [];
  readonly #waiting: { wanted: (report: Report) => boolean; done: (report: Report) => void }[] = [];
  readonly executor: Executor;
  constructor(base: BaseImage) {
    this.executor = new Executor({
      machines: engineMachines(base),
      hostName: "host",
      clock: { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} },
      random: { bytes: (length) => new Uint8Array(length) },
      report: (report) => {
        this.reports.push(report);
        for (const { wanted, done } of this.#waiting) if (wanted(report)) done(report);
      },
      yieldThen: (run) => void setImmediate(run),
    });
  }
  static async start(): Promise<ExecutorBench> {
    return new ExecutorBench(must(base, "base image"));
  }
  place(n: number, source: string, changes: Partial<MessageOf<"place">> = {}): void {
    const place = placeOf(n, {
      program: { source, fileName: "x.js" },
      memoryBytesMax: LIMITS.guestMemoryBytes,
      ...changes,
    });
    this.executor.handle({ type: "place", home: 1 as HomeLink, key: stayKey(place), place });
  }
  report(wanted: (report: Report) => boolean): Promise<Report> {
    const there = this.reports.find(wanted);
    return there ? Promise.resolve(there) : new Promise((done) => this.#waiting.push({ wanted, done }));
  }
  /** What process `n` calls for, or how it fails. */
  async outcome(n: number): Promise<string> {
    const key = stayKey(placeOf(n));
    const report = await this.report(
      (r) => "key" in r && r.key === key && (r.type === "call" || r.type === "failed"),
    );
    if (report.type === "failed") return `${report.code}: ${report.reason}`;
    const call = report.type === "call" ? decodeCall(report.request) : undefined;
    return call && "name" in call && call.name !== "RoostError" ? call.name : String(call);
  }
}

describe("a program or a home that wants the worker for itself", () => {
  test("a move at poll 2^53 does not end the slice: others run, and it is reclaimed", async () => {
    const b = await ExecutorBench.start();
    b.place(1, "for (;;);", { preemptEvery: 2 ** 53 - 1 });
    b.place(2, "console.log(1)");
    expect(await b.outcome(2)).toBe("print");
    const key = stayKey(placeOf(1));
    b.executor.handle({ type: "snapshot", key, why: "reclaimed" });
    await b.report((r) => r.type === "snapshot" && r.key === key);
    b.executor.handle({ type: "halt" });
  });

  test.each<[string, Partial<MessageOf<"place">>, RegExp]>([
    ["a zone that is none", { zone: "nonsense" }, /time zone|^print$/],
    ["a seed too short", { seed: new Uint8Array(1) }, /EIO|EINVAL/],
    ["no memory at all", { memoryBytesMax: 0 }, /ENOMEM|EIO/],
    [
      "an image that is none",
      { program: undefined, snapshot: snapshotOf("x", 1), images: [imageOf("x")] },
      /EINVAL: unusable image/,
    ],
  ])("%s ends that process and no other", async (_what, changes, how) => {
    const b = await ExecutorBench.start();
    b.place(1, "console.log(new Date().getHours())", changes);
    expect(await b.outcome(1)).toMatch(how);
    b.place(2, "console.log(1)");
    expect(await b.outcome(2)).toBe("print");
  });

  test("an image that claims to stand elsewhere than it does ends its process and no other", async () => {
    const b = await ExecutorBench.start();
    b.place(1, 'import { fork } from "roost"; fork();');
    const forked = await b.report((r) => r.type === "call");
    if (forked.type !== "call" || !forked.snapshot) throw new Error("no fork");
    const { snapshot, images } = forked;
    b.place(2, "", { program: undefined, snapshot: { ...snapshot, waiting: false }, images });
    expect(await b.outcome(2)).toMatch(/^EIO: it cannot be continued/);
    b.place(3, "console.log(1)");
    expect(await b.outcome(3)).toBe("print");
  });

  test("what is learned of randomness without a call does not pile up", async () => {
    const b = await ExecutorBench.start();
    b.place(
      1,
      "for (let n = 0; n < 2000; n++) crypto.getRandomValues(new Uint8Array(65536)); console.log('done')",
    );
    await b.outcome(1);
    await b.report((r) => r.type === "snapshot" && r.why === "save");
    const call = b.reports.find((r) => r.type === "call");
    const learned =
      call?.type === "call" ? call.learned.answers.reduce((sum, { answer }) => sum + answer.length, 0) : -1;
    expect(learned).toBeGreaterThanOrEqual(0);
    expect(learned).toBeLessThan(1000 * 65_536);
  });

  test("a call too long for a message is an error to the program, whatever it did to its own library", () => {
    expect(decodeCall(new Uint8Array(LIMITS.callBytes + 1))).toMatchObject({ code: "EINVAL" });
    const data = new Uint8Array(LIMITS.dataBytes);
    const request = encodeCall("writeFile", { path: "x".repeat(LIMITS.pathBytes), flags: "w", data });
    expect(request.length).toBeLessThanOrEqual(LIMITS.callBytes);
    const end = { pid: 2 ** 52, status: 255, signal: "SIGKILL" as const, value: data };
    const answer = encodeAnswer("wait", { end });
    expect(answer.length).toBeLessThanOrEqual(LIMITS.callBytes);
    expect(decodeAnswer("wait", answer)).toMatchObject({ end: { status: 255 } });
  });
});
