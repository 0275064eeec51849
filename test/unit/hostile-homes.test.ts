import { describe, expect, test } from "vitest";
import { cachedId, callNumber, epoch, hostId, imageId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { CrossedImages, RememberedImages } from "../../fabric/host/crossed-images.ts";
import { KeptAnswers } from "../../fabric/host/kept-answers.ts";
import { type KernelEffect, type KernelEvent, TICK_MS } from "../../fabric/kernel/events.ts";
import { type Command, type HomeLink, type Report, stayKey } from "../../fabric/kernel/executor-messages.ts";
import { step as stepKernel } from "../../fabric/kernel/kernel.ts";
import { newKernel } from "../../fabric/kernel/state.ts";
import { NO_TERMS } from "../../fabric/kernel/terms.ts";
import type { Message, MessageOf } from "../../fabric/wire/messages.ts";

import { JOB, placeOf, received } from "./messages.kit.ts";

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
  /** Its worker answers. */
  ticksAlive(ms: number) {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.ticks(TICK_MS);
      this.do({ type: "report", executor: 0, report: { type: "alive" } });
    }
  }
  ticks(ms: number) {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      this.nowMs += TICK_MS;
      this.do({ type: "tick" });
    }
  }
}

const STAY = { job: JOB, pid: pid(1), epoch: epoch(1) };
const A = 1 as HomeLink;
const B = 2 as HomeLink;

function snapshotOf(name: string, calls: number) {
  return { chain: [imageId(name)], calls: callNumber(calls), waiting: true, moment: 0, clockMs: 0 };
}
function host(): KernelBench {
  const k = new KernelBench();
  k.do({ type: "terms", terms: { ...NO_TERMS, taking: true } });
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

  test("a process called as another home's is another process: each home has its own, and its answers", () => {
    const k = host();
    k.say(B, placeOf(1)); // a name can be guessed: pids count up, and so do epochs
    k.say(A, placeOf(1));
    k.say(A, placeOf(1)); // said twice
    expect(k.sent.filter(({ message }) => message.type === "refuse")).toEqual([]);
    expect([...k.state.guests.values()].map(({ home, pid }) => [home, pid])).toEqual([
      [B, 1],
      [A, 1],
    ]);
    k.say(B, { type: "release", ...STAY, to: "" });
    expect([...k.state.guests.values()].map(({ home }) => home)).toEqual([A]);

    // The same job, by its name: kept answers are those of one home.
    const kept = new KeptAnswers({ now: () => 0, monotonic: () => 0, after: () => () => {} });
    const request = new Uint8Array([1]);
    kept.keep(B, request, cachedId(1), new Uint8Array([66]));
    expect(kept.find(A, request)).toBeUndefined();
  });

  test("what it sends as images of another's job is nothing to the workers that run that", () => {
    const k = host();
    const [crossed, worker] = [new CrossedImages(), new RememberedImages()];
    /** What the worker is told, with the images as it has them. */
    const worked = (link: HomeLink, message: Message): Command[] => {
      const commands = k.say(link, message).flatMap((e) => (e.type === "command" ? [e.command] : []));
      return worker.whole(crossed.cross(commands));
    };
    const chain = [imageId("x")];
    const image = (byte: number) => ({ id: imageId("x"), bytes: new Uint8Array([byte]) });
    worked(B, { type: "prepare", job: JOB, chain, images: [image(66)], memoryBytesMax: 2 ** 25 });
    const [place] = worked(
      A,
      placeOf(1, { program: undefined, snapshot: snapshotOf("x", 1), images: [image(65)] }),
    );
    expect(place).toMatchObject({ type: "place", place: { images: [image(65)] } });
  });

  test("a home that never takes back what was reclaimed: dropped in time, and the home is told", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.do({ type: "reclaim", reason: "back" });
    k.do({ type: "report", executor: 0, report: { type: "halted" } });
    const learned = { answers: [], cached: [], letters: [], clock: [] };
    const report: Report = {
      type: "snapshot",
      key: stayKey(A, STAY),
      why: "reclaimed",
      snapshot: undefined,
      images: [],
      learned,
      tookMs: 1,
    };
    k.do({ type: "report", executor: 0, report });
    k.ticksAlive(LIMITS.evictionMs);
    expect(k.state.guests.size).toBe(0);
    const left = [expect.objectContaining({ pid: 1, to: "dropped: its home did not answer in time" })];
    expect(k.effects).toContainEqual({
      type: "receipt",
      receipt: expect.objectContaining({ cpuBackMs: 0, left }),
    });
    expect(k.sent.map(({ message }) => message)).toContainEqual(
      expect.objectContaining({ type: "refuse", code: "EAGAIN", pid: 1 }),
    );
  });

  test("what takes too long to be written down is dropped, nobody is blamed, and the home hears that there is room", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.say(A, { type: "recall", ...STAY });
    k.ticksAlive(LIMITS.evictionMs);
    expect(k.state.guests.size).toBe(0);
    const refused = k.sent.findIndex(({ message }) => message.type === "refuse");
    expect(k.sent[refused]?.message).toMatchObject({
      code: "EAGAIN",
      reason: "it could not be written down in time",
    });
    expect(k.sent[refused + 1]?.message).toMatchObject({ type: "status", slots: 1 });
  });
});

describe("a worker that a guest holds", () => {
  test("is that guest's doing, also when its home has asked for it back", () => {
    const k = host();
    k.say(A, placeOf(1));
    k.do({ type: "report", executor: 0, report: { type: "turn", key: stayKey(A, STAY) } });
    k.say(A, { type: "recall", ...STAY });
    k.ticks(LIMITS.stuckMs + 2 * TICK_MS);
    const refusals = k.sent.filter(({ message }) => message.type === "refuse");
    expect(refusals.map(({ message }) => message)).toMatchObject([{ code: "EIO", pid: 1 }]);
  });

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
