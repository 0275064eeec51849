/** The home's rules one by one, by talking to it as hosts do. Whole histories under faults are in test/sim. */
import { describe, expect, test } from "vitest";
import { callNumber, epoch, hostId, type ImageId, imageId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { decodeAnswer, encodeCall } from "../../fabric/wire/calls.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";

import { type Bench, imagesOf, JOB, launched, snapshotOf } from "./home.kit.ts";

/** A process that runs, has computed and has so much memory; the images it sends are this large. */
function running(b: Bench, p: number, memoryBytes: number) {
  const stay = () => ({ job: JOB, pid: pid(p), epoch: b.placed(p).epoch });
  let images = 0;
  let chain: ImageId[] = [];
  const asked = () => b.sent.filter(({ message }) => message.type === "save" && message.pid === p).length;
  const computes = (cpuMs: number) =>
    b.say(b.placed(p).host, { type: "usage", ...stay(), cpuMs, memoryBytes, polls: 0 });
  const sends = (bytes: number, { tookMs = 1, anew = false } = {}) => {
    const image = { id: imageId(`image ${images++}`), bytes: new Uint8Array(bytes) };
    chain = [...(anew ? [] : chain), image.id];
    const snapshot = { ...snapshotOf(1, false), chain };
    b.say(b.placed(p).host, {
      type: "saved",
      ...stay(),
      snapshot,
      images: [image],
      learned: NOTHING_LEARNED,
      tookMs,
    });
    return image.id;
  };
  b.say(b.placed(p).host, { type: "running", ...stay(), runningMs: b.nowMs });
  computes(0);
  return { stay, asked, computes, sends };
}

const MIB = 2 ** 20;

describe("snapshots of what runs", () => {
  test("are asked for when it has computed long enough to be worth one, and seldom where they cost much", () => {
    const b = launched("far");
    const { asked, computes, sends } = running(b, b.fork(1), MIB);
    computes(LIMITS.checkpointEveryMs - 1);
    expect(asked()).toBe(0);
    computes(LIMITS.checkpointEveryMs);
    computes(LIMITS.checkpointEveryMs + 500);
    expect(asked()).toBe(1);
    sends(10, { tookMs: 200 });
    computes(2 * LIMITS.checkpointEveryMs + 500);
    expect(asked()).toBe(1);
    computes(LIMITS.checkpointEveryMs + 500 + 50 * 200);
    expect(asked()).toBe(2);
  });

  test("are not asked for when the job is not to be durable", () => {
    const b = launched("far");
    Object.assign(b.state.spec, { durable: false });
    const { asked, computes } = running(b, b.fork(1), MIB);
    computes(100 * LIMITS.checkpointEveryMs);
    expect(asked()).toBe(0);
  });
});

describe("moving one that runs", () => {
  const prepared = (b: Bench) =>
    b.sent.flatMap(({ host, message }) =>
      message.type === "prepare" ? [{ host, images: message.images }] : [],
    );
  const reads = (b: Bench, image: ImageId) => b.say("near", { type: "prepared", job: JOB, image });
  const recalled = (b: Bench) => b.sent.filter(({ message }) => message.type === "recall").length;
  const moving = () => {
    const b = launched("far", "near");
    const child = b.fork(1);
    expect(b.placed(child).host).toBe("far");
    const process = running(b, child, 64 * MIB);
    b.do({ type: "migrate", pid: pid(child), to: hostId("near") });
    return { b, child, ...process };
  };

  test("a large one is copied while it goes on, and frozen when little is left", () => {
    const { b, child, asked, sends, stay } = moving();
    expect([asked(), recalled(b)]).toEqual([1, 0]);
    const whole = sends(4 * MIB);
    expect(prepared(b)).toMatchObject([{ host: "near", images: [{ bytes: { length: 4 * MIB } }] }]);
    // What is changed while that travels to its goal would have to be sent again.
    expect([asked(), recalled(b)]).toEqual([1, 0]);
    reads(b, whole);
    expect([asked(), recalled(b)]).toEqual([2, 0]);
    const last = sends(LIMITS.precopyRestBytes);
    expect([asked(), recalled(b)]).toEqual([2, 0]);
    reads(b, last);
    expect([asked(), recalled(b)]).toEqual([2, 1]);
    b.nowMs += 7;
    const snapshot = { ...snapshotOf(1, false), chain: [last] };
    b.say("far", {
      type: "returned",
      used: undefined,
      ...stay(),
      snapshot,
      images: [],
      learned: NOTHING_LEARNED,
      why: "recalled",
      stoppedMs: b.nowMs - 2,
    });
    expect(b.placed(child)).toMatchObject({ host: "near", images: [], snapshot: { chain: [last] } });
    b.nowMs += 1;
    b.say("near", { type: "running", ...stay(), runningMs: b.nowMs });
    expect(b.state.processes.get(pid(child))?.stays.at(-1)).toMatchObject({ freezeMs: 3 });
  });

  test("one that is to move anywhere goes to another host, where one is as free", () => {
    for (const [slots, goal] of [
      [1, "near"],
      [0, "far"],
    ] as const) {
      const b = launched("far", "near");
      const child = b.fork(1);
      expect(b.placed(child).host).toBe("far");
      const { stay } = running(b, child, MIB);
      b.say("near", { type: "status", slots, memoryBytes: 2 ** 30, reason: "" });
      b.say("home", { type: "status", slots: 0, memoryBytes: 2 ** 30, reason: "" });
      b.do({ type: "migrate", pid: pid(child), to: undefined });
      b.say("far", {
        type: "returned",
        used: undefined,
        ...stay(),
        snapshot: snapshotOf(1, false),
        images: imagesOf(snapshotOf(1, false)),
        learned: NOTHING_LEARNED,
        why: "recalled",
        stoppedMs: b.nowMs,
      });
      expect(b.placed(child)).toMatchObject({ host: goal, epoch: 2 });
    }
  });

  test("towards a host that takes nothing any more it is copied no more, and it runs on", () => {
    const { b, sends } = moving();
    const whole = sends(4 * MIB);
    b.say("near", { type: "status", slots: 0, memoryBytes: 2 ** 30, reason: "its owner is back" });
    reads(b, whole);
    expect(recalled(b)).toBe(0);
    const sent = prepared(b).length;
    sends(1_000);
    expect([prepared(b).length, recalled(b)]).toEqual([sent, 0]);
  });

  test("its freeze goes on where its goal dies before it runs there", () => {
    const { b, child, sends, stay } = moving();
    const last = sends(1_000);
    reads(b, last);
    const snapshot = { ...snapshotOf(1, false), chain: [last] };
    b.say("far", {
      type: "returned",
      used: undefined,
      ...stay(),
      snapshot,
      images: [],
      learned: NOTHING_LEARNED,
      why: "recalled",
      stoppedMs: b.nowMs,
    });
    expect(b.placed(child).host).toBe("near");
    b.nowMs += 2_000;
    b.do({ type: "hostLost", host: hostId("near"), reason: "gone" });
    expect(b.placed(child).host).toBe("far");
    b.nowMs += 5;
    b.say("far", { type: "running", ...stay(), runningMs: b.nowMs });
    expect(b.state.processes.get(pid(child))?.stays.at(-1)?.freezeMs).toBe(2_005);
  });

  test("one that changes its memory as fast as it travels is frozen all the same", () => {
    const { b, asked, sends } = moving();
    reads(b, sends(4 * MIB));
    reads(b, sends(3 * MIB));
    expect([asked(), recalled(b)]).toEqual([2, 1]);
  });

  test("a round that took long leaves time for much to change, and another follows, if that is quicker", () => {
    for (const [tookMs, thenMs, rounds] of [
      [LIMITS.precopyRoundMs, 0, 1],
      [200, 20, 2],
      [200, 180, 2],
      [400, 200, 3],
    ] as const) {
      const { b, asked, sends } = moving();
      for (const [bytes, roundMs] of [
        [2_000, tookMs],
        [1_000, thenMs],
      ] as const) {
        const image = sends(bytes);
        b.nowMs += roundMs;
        reads(b, image);
        if (recalled(b)) break;
      }
      expect(asked()).toBe(rounds);
    }
  });

  test("a chain that is begun anew after little was left is followed by what has changed since then", () => {
    const { b, asked, sends } = moving();
    for (const [bytes, roundMs, anew] of [
      [80_000, 100, false],
      [4 * MIB, 2_000, true],
      [MIB, 200, false],
      [20_000, 20, false],
    ] as const) {
      expect(recalled(b)).toBe(0);
      const image = sends(bytes, { anew });
      b.nowMs += roundMs;
      reads(b, image);
    }
    expect([asked(), recalled(b)]).toEqual([4, 1]);
  });

  test("another wish takes the place of the one before; none in particular does not", () => {
    const { b, child, asked, sends } = moving();
    b.host("third");
    b.do({ type: "migrate", pid: pid(child), to: hostId("third") });
    b.do({ type: "migrate", pid: pid(child), to: undefined });
    expect([asked(), recalled(b)]).toEqual([1, 0]);
    sends(4 * MIB);
    expect(prepared(b).map(({ host }) => host)).toEqual(["third"]);
  });

  test("one that has been sent to a host and has not begun has nothing to be copied: it is called back", () => {
    const b = launched("far", "near");
    b.do({ type: "migrate", pid: pid(1), to: hostId("far") });
    expect(b.placed(1).host).toBe("home");
    b.say("home", {
      type: "usage",
      job: JOB,
      pid: pid(1),
      epoch: epoch(1),
      cpuMs: 9,
      memoryBytes: 9 * MIB,
      polls: 0,
    });
    expect(recalled(b)).toBe(1);
  });

  test("one that is blocked is copied first as well: who writes to it meanwhile does not wait for all of its memory", () => {
    const b = launched("far", "near");
    const child = b.fork(1);
    const { asked, sends } = running(b, child, 64 * MIB);
    b.call(child, "receive", { from: 0, tag: "", dueMs: undefined });
    b.do({ type: "migrate", pid: pid(child), to: hostId("near") });
    expect([asked(), recalled(b)]).toEqual([1, 0]);
    reads(b, sends(4 * MIB));
    expect([asked(), recalled(b)]).toEqual([2, 0]);
    reads(b, sends(10));
    expect(recalled(b)).toBe(1);
  });

  test("one that is stopped, and a small one that has hardly run since its last snapshot, are frozen at once; if its goal is gone it stays", () => {
    for (const computed of [0, 200]) {
      const small = launched("far", "near");
      const child = small.fork(1);
      running(small, child, MIB).computes(computed);
      small.do({ type: "migrate", pid: pid(child), to: hostId("near") });
      expect(recalled(small)).toBe(computed ? 0 : 1);
    }

    const unread = moving();
    unread.sends(4 * MIB);
    unread.b.nowMs += LIMITS.patienceMs;
    unread.b.do({ type: "tick" }); // its goal does not say that it has read that
    unread.b.do({ type: "migrate", pid: pid(unread.child), to: hostId("near") });
    expect(unread.asked()).toBe(2);

    const { b, sends, child: large } = moving();
    b.do({ type: "hostLost", host: hostId("near"), reason: "gone" });
    sends(4 * MIB);
    expect([prepared(b).length, recalled(b), b.placed(large).host]).toEqual([0, 0, "far"]);
    b.do({ type: "kill", pid: pid(large), signal: "SIGSTOP" });
    b.host("late");
    b.do({ type: "migrate", pid: pid(large), to: hostId("late") });
    expect(recalled(b)).toBe(1);
  });
});

describe("placing", () => {
  test("the first process runs at its launcher, children on idle remote hosts, the longest idle first", () => {
    const b = launched("far", "near");
    expect(b.placed(1)).toMatchObject({ host: "home", epoch: 1, program: { fileName: "test.js" } });
    expect(b.placed(b.fork(1)).host).toBe("far");
    expect(b.placed(b.fork(1)).host).toBe("near");
  });

  test("a child learns from the log of answers that it is one", () => {
    const b = launched("far");
    const child = b.fork(1);
    const [learned] = b.placed(child).learned.answers;
    expect(decodeAnswer("fork", learned?.answer ?? new Uint8Array())).toEqual({
      child: 0,
      self: child,
      parent: 1,
    });
  });

  test("a parent that waits holds no slot", () => {
    const b = launched();
    b.fork(1);
    b.call(1, "wait", { pid: -1, dueMs: undefined });
    b.host("late");
    b.nowMs += 1_000;
    b.do({ type: "tick" });
    expect(b.sent.filter(({ message }) => message.type === "recall")).toEqual([]);
  });

  test("an idle host that joins gets a process from a crowded one", () => {
    const b = launched();
    const children = [b.fork(1), b.fork(1)];
    b.host("late");
    b.nowMs += 1_000;
    b.do({ type: "tick" });
    const recall = b.sent.find(({ message }) => message.type === "recall");
    expect(recall).toMatchObject({ host: "home", message: { pid: children.at(-1) } });
    const { epoch } = b.placed(children.at(-1) ?? 0);
    const stay = { job: JOB, pid: pid(children.at(-1) ?? 0), epoch };
    const snapshot = snapshotOf(3);
    b.say("home", {
      type: "returned",
      used: undefined,
      ...stay,
      snapshot,
      images: imagesOf(snapshot),
      learned: NOTHING_LEARNED,
      why: "recalled",
      stoppedMs: 0,
    });
    expect(b.placed(children.at(-1) ?? 0)).toMatchObject({ host: "late", epoch: 2 });
    expect(b.sent.at(-1)).toMatchObject({ host: "home", message: { type: "release", epoch: 1, to: "late" } });
  });

  test("where the most crowded host has nothing that may move, it gets one from the next", () => {
    const b = launched();
    for (let n = 0; n < 2; n++) b.fork(1, "local");
    b.host("far");
    const [, ...movable] = [b.fork(1, "far"), b.fork(1), b.fork(1)];
    b.host("late");
    b.nowMs += 1_000;
    b.do({ type: "tick" });
    const recalls = b.sent.filter(({ message }) => message.type === "recall");
    expect(recalls).toMatchObject([{ host: "far", message: { pid: movable.at(-1) } }]);
  });

  test("a host that refuses is passed over until it takes again", () => {
    const b = launched("busy");
    const child = b.fork(1);
    const { epoch } = b.placed(child);
    b.say("busy", { type: "refuse", job: JOB, pid: pid(child), epoch, code: "EAGAIN", reason: "full" });
    expect(b.placed(child)).toMatchObject({ host: "home", epoch: 2 });
    b.say("busy", { type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
    expect(b.placed(b.fork(1)).host).toBe("busy");
  });

  test("`on` is obeyed, or refused with a sentence", () => {
    const b = launched("far");
    expect(b.placed(b.fork(1, "local")).host).toBe("home");
    expect(b.placed(b.fork(1, "far")).host).toBe("far");
    expect(() => b.fork(1, "nobody")).toThrow(/ENOHOST.*nobody/);
  });
});

describe("one running copy", () => {
  test("an old stay is told to forget, and changes nothing", () => {
    const b = launched("far");
    const child = b.fork(1);
    b.do({ type: "hostLost", host: hostId("far"), reason: "gone" });
    expect(b.placed(child)).toMatchObject({ host: "home", epoch: 2 });
    b.host("far");
    const before = b.effects.length;
    const request = encodeCall("print", { fd: 1, data: new Uint8Array([65]) });
    const stay = { job: JOB, pid: pid(child), epoch: epoch(1) };
    const call = callNumber(1);
    b.say("far", {
      type: "call",
      ...stay,
      call,
      request,
      waits: true,
      learned: NOTHING_LEARNED,
      snapshot: undefined,
      images: [],
      tookMs: 0,
    });
    expect(b.effects.slice(before).filter((e) => e.type === "print")).toEqual([]);
    expect(b.sent.at(-1)).toMatchObject({ host: "far", message: { type: "release", epoch: 1 } });
  });

  test("a stay on the same host under an older epoch is an old one too", () => {
    const b = launched();
    const stay = { job: JOB, pid: pid(1), epoch: b.placed(1).epoch };
    const back = {
      type: "returned" as const,
      used: undefined,
      ...stay,
      snapshot: undefined,
      images: [],
      waits: true,
      learned: NOTHING_LEARNED,
      stoppedMs: 0,
    };
    b.say("home", { ...back, why: "recalled" });
    expect(b.placed(1)).toMatchObject({ host: "home", epoch: 2 });
    b.say("home", { ...back, why: "recalled" });
    expect(b.placed(1).epoch).toBe(2);
  });

  test("a call that is asked twice is answered twice and done once", () => {
    const b = launched();
    const data = new Uint8Array([72, 105]);
    b.call(1, "print", { fd: 1, data });
    b.call(1, "print", { fd: 1, data }, 0);
    expect(b.effects.filter((e) => e.type === "print").length).toBe(1);
    expect(b.replies(1).map((r) => r.call)).toEqual([0, 0]);
  });
});

describe("images", () => {
  test("are sent to a host once, and again when it has forgotten them", () => {
    const b = launched("far");
    const child = b.fork(1);
    expect(b.placed(child).images.map(({ id }) => id)).toEqual(b.placed(child).snapshot?.chain);
    const refusal = { type: "refuse" as const, job: JOB, pid: pid(child), reason: "" };
    b.say("far", { ...refusal, epoch: b.placed(child).epoch, code: "EAGAIN" });
    expect(b.placed(child).host).toBe("home");
    expect(b.placed(child).images).toEqual([]); // it came from there
    b.say("far", { type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
    b.do({ type: "migrate", pid: pid(child), to: hostId("far") });
    const stay = { job: JOB, pid: pid(child), epoch: b.placed(child).epoch };
    const back = {
      type: "returned" as const,
      used: undefined,
      ...stay,
      snapshot: undefined,
      images: [],
      waits: true,
      learned: NOTHING_LEARNED,
    };
    b.say("home", { ...back, why: "recalled", stoppedMs: 0 });
    expect(b.placed(child)).toMatchObject({ host: "far", images: [] });
    b.say("far", { ...refusal, epoch: b.placed(child).epoch, code: "ENOENT" });
    expect(b.placed(child)).toMatchObject({
      host: "far",
      images: [{ id: b.placed(child).snapshot?.chain[0] }],
    });
    expect(b.state.processes.get(pid(child))?.hostsLost).toBe(0);
  });

  test("that continue one the home never had are no use, and cost the process its host, not the home", () => {
    const b = launched("far");
    const child = b.fork(1);
    const stay = { job: JOB, pid: pid(child), epoch: b.placed(child).epoch };
    const snapshot = { ...snapshotOf(9), chain: [imageId("never sent"), imageId("sent")] };
    const images = [{ id: imageId("sent"), bytes: new Uint8Array(1) }];
    b.say("far", { type: "saved", ...stay, snapshot, images, learned: NOTHING_LEARNED, tookMs: 1 });
    expect(b.placed(child)).toMatchObject({ epoch: 2, snapshot: { calls: 1 } });
  });

  test("are forgotten when no process is made of them", () => {
    const b = launched();
    const child = b.fork(1);
    expect(b.state.images.size).toBe(1);
    b.fork(1);
    expect(b.state.images.size).toBe(2);
    b.call(child, "exit", { status: 0, value: new Uint8Array() });
    expect(b.state.images.size).toBe(1);
  });
});

describe("processes", () => {
  const exit = { status: 3, value: new Uint8Array([9]) };

  test("wait reports every end once, in the order of the ends", () => {
    const b = launched();
    const [first, second] = [b.fork(1), b.fork(1)];
    b.nowMs++;
    b.call(second, "exit", exit);
    b.nowMs++;
    b.call(first, "exit", { ...exit, status: 0 });
    b.call(1, "wait", { pid: -1, dueMs: undefined });
    expect(b.answer(1, "wait")).toEqual({ end: { pid: second, signal: undefined, ...exit } });
    b.call(1, "wait", { pid: first, dueMs: undefined });
    expect(b.answer(1, "wait")).toMatchObject({ end: { pid: first } });
    b.call(1, "wait", { pid: -1, dueMs: undefined });
    expect(b.answer(1, "wait")).toMatchObject({ code: "ECHILD" });
  });

  test("wait blocks until a child ends, or the time is over", () => {
    const b = launched();
    const child = b.fork(1);
    b.call(1, "wait", { pid: child, dueMs: b.nowMs + 50 });
    const waiting = b.replies(1).length;
    b.nowMs += 49;
    b.do({ type: "tick" });
    expect(b.replies(1).length).toBe(waiting);
    b.nowMs += 1;
    b.do({ type: "tick" });
    expect(b.answer(1, "wait")).toEqual({ end: undefined });
    b.call(1, "wait", { pid: child, dueMs: undefined });
    b.call(child, "exit", exit);
    expect(b.answer(1, "wait")).toMatchObject({ end: { pid: child, status: 3 } });
  });

  test("orphans go to the first process", () => {
    const b = launched();
    const child = b.fork(1);
    const grandchild = b.fork(child);
    b.call(child, "exit", exit);
    b.call(grandchild, "exit", exit);
    b.call(1, "wait", { pid: grandchild, dueMs: undefined });
    expect(b.answer(1, "wait")).toMatchObject({ end: { pid: grandchild } });
  });

  test("the end of the first process is the end of the job", () => {
    const b = launched("far");
    const child = b.fork(1);
    b.call(1, "exit", exit);
    expect(b.effects.at(-1)).toMatchObject({ type: "end", end: exit });
    expect(b.sent).toContainEqual({
      host: "far",
      message: expect.objectContaining({ type: "release", pid: child }),
    });
  });

  test("kill ends a process wherever it is, and its parent learns by what", () => {
    const b = launched("far");
    const child = b.fork(1);
    b.call(1, "kill", { pid: child, signal: "SIGTERM" });
    expect(b.sent.at(-1)).toMatchObject({ host: "far", message: { type: "release", pid: child } });
    b.call(1, "wait", { pid: -1, dueMs: undefined });
    expect(b.answer(1, "wait")).toMatchObject({ end: { pid: child, signal: "SIGTERM" } });
    b.call(1, "kill", { pid: child, signal: "SIGTERM" });
    expect(b.answer(1, "kill")).toMatchObject({ code: "ESRCH" });
  });

  test("a fork bomb meets a named limit, and nothing half-done remains", () => {
    const b = launched();
    for (let n = 1; n < LIMITS.processesPerJob; n++) b.fork(1);
    const alive = b.state.processes.size;
    expect(() => b.fork(1)).toThrow(/EAGAIN.*processesPerJob/);
    expect(b.state.processes.size).toBe(alive);
  });

  test("a process under which hosts keep dying is given up, and says so", () => {
    const b = launched();
    const child = b.fork(1, "remote");
    for (let n = 1; n <= LIMITS.hostsLostPerProcess; n++) {
      b.host(`host${n}`);
      expect(b.placed(child)).toMatchObject({ host: `host${n}`, epoch: n });
      b.nowMs += LIMITS.silenceMs;
      b.do({ type: "hostLost", host: hostId(`host${n}`), reason: "no sign of life" });
    }
    b.call(1, "wait", { pid: child, dueMs: undefined });
    expect(b.answer(1, "wait")).toMatchObject({ end: { pid: child, signal: "SIGKILL" } });
    expect(b.effects).toContainEqual(expect.objectContaining({ type: "print", fd: 2 }));
  });

  test("a process that comes further is not what kills hosts, however many die under it", () => {
    const b = launched();
    const child = b.fork(1, "remote");
    for (let n = 1; n <= 3 * LIMITS.hostsLostPerProcess; n++) {
      b.host(`host${n}`);
      const { epoch } = b.placed(child);
      const snapshot = { ...snapshotOf(1, false), chain: [imageId(`image ${n}`)], moment: n };
      if (n % 2 === 0)
        b.say(`host${n}`, {
          type: "saved",
          ...{ job: JOB, pid: pid(child), epoch, snapshot, images: imagesOf(snapshot) },
          learned: NOTHING_LEARNED,
          tookMs: 1,
        });
      b.nowMs += LIMITS.silenceMs;
      b.do({ type: "hostLost", host: hostId(`host${n}`), reason: "no sign of life" });
    }
    expect(b.state.processes.get(pid(child))?.end).toBeUndefined();
  });

  test("a home that finds all its hosts dead at once gives up no process for it", () => {
    const b = launched();
    const child = b.fork(1, "remote");
    const hosts = Array.from({ length: 2 * LIMITS.hostsLostPerProcess }, (_, n) => `host${n}`);
    for (const host of hosts) b.host(host);
    b.nowMs += LIMITS.silenceMs;
    for (const host of hosts) b.do({ type: "hostLost", host: hostId(host), reason: "no sign of life" });
    expect(b.state.processes.get(pid(child))?.end).toBeUndefined();
  });

  test("a long log of answers is cut short by a fresh snapshot", () => {
    const b = launched("far");
    const child = b.fork(1);
    const data = new Uint8Array(1);
    const last = LIMITS.logEntries + 2;
    for (let n = 1; n <= last; n++) b.call(child, "print", { fd: 1, data }, n);
    expect(b.sent.filter(({ message }) => message.type === "save").length).toBe(1);
    const stay = { job: JOB, pid: pid(child), epoch: b.placed(child).epoch };
    b.say("far", {
      type: "saved",
      ...stay,
      snapshot: snapshotOf(last),
      images: imagesOf(snapshotOf(last)),
      learned: NOTHING_LEARNED,
      tookMs: 1,
    });
    b.do({ type: "hostLost", host: hostId("far"), reason: "gone" });
    expect(b.placed(child).snapshot?.calls).toBe(last);
    expect(b.placed(child).learned.answers.map((a) => a.call)).toEqual([last - 1, last]);
  });
});
