/** A process that is large goes to a host after its images, which others' messages may overtake. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { hostId, imageId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Message } from "../../fabric/wire/messages.ts";
import { type Bench, JOB, launched, limited } from "./home.kit.ts";

let limits: Disposable;
beforeEach(() => {
  limits = limited({ aheadOfStandingBytes: 2 }); // images have three
});
afterEach(() => limits[Symbol.dispose]());

/** What a host was sent of that. */
const sent = (b: Bench, host: string, types: readonly Message["type"][] = ["prepare", "place"]) =>
  b.sent.flatMap(({ host: to, message }) => (to === host && types.includes(message.type) ? [message] : []));
const typesOf = (b: Bench, host: string) => sent(b, host).map(({ type }) => type);
const reads = (b: Bench, host: string, image: string) =>
  b.say(host, { type: "prepared", job: JOB, image: imageId(image) });
const where = (b: Bench, p: number) => b.state.processes.get(pid(p))?.where;

test("is placed when the host has read them, with nothing left to travel", () => {
  const b = launched("far");
  const child = b.fork(1);
  expect(typesOf(b, "far")).toEqual(["prepare"]);
  expect(where(b, child)).toMatchObject({ kind: "nowhere", goal: { host: "far" } });
  reads(b, "far", "of another process");
  expect(typesOf(b, "far")).toEqual(["prepare"]);
  reads(b, "far", "after 1 calls");
  expect(b.placed(child)).toMatchObject({ host: "far", epoch: 1, images: [] });
  const { stays } = b.state.processes.get(pid(child)) ?? {};
  expect(stays).toMatchObject([{ why: "forked", imageBytes: 3 }]);
});

test("what needs an image that is on its way does not overtake it, little as the rest is; what needs none goes at once", () => {
  const b = launched("far");
  const child = b.fork(1);
  using _all = limited({ aheadOfStandingBytes: 3 });
  const sibling = b.fork(1, "remote", ["after 1 calls", "after 2 calls"]);
  const stranger = b.fork(1, "remote");
  expect(typesOf(b, "far")).toEqual(["prepare", "place"]);
  expect(b.placed(stranger)).toMatchObject({ images: [{ id: "after 3 calls" }] });
  expect(where(b, sibling)).toMatchObject({ goal: { host: "far", image: "after 1 calls" } });
  reads(b, "far", "after 1 calls");
  expect(b.placed(child)).toMatchObject({ images: [] });
  expect(b.placed(sibling)).toMatchObject({ images: [{ id: "after 2 calls" }] });
});

test("counts there meanwhile: the next goes to another host", () => {
  const b = launched("far", "near");
  b.fork(1);
  b.fork(1);
  expect([typesOf(b, "far"), typesOf(b, "near")]).toEqual([["prepare"], ["prepare"]]);
});

test("the same of hosts with many workers, and of their memory", () => {
  const b = launched();
  b.host("far", 4, false, 150);
  b.host("near", 4, false, 250);
  const { host, ...first } = b.placed(1);
  b.say(host, {
    type: "usage",
    job: JOB,
    pid: first.pid,
    epoch: first.epoch,
    cpuMs: 1,
    memoryBytes: 100,
    polls: 0,
  });
  for (let n = 0; n < 4; n++) b.fork(1, "remote");
  expect([typesOf(b, "far").length, typesOf(b, "near").length]).toEqual([1, 2]);
});

test("a wish for another host holds for what is on its way", () => {
  const b = launched("far", "near");
  const child = b.fork(1);
  b.do({ type: "migrate", pid: pid(child), to: hostId("near") });
  reads(b, "far", "after 1 calls");
  reads(b, "near", "after 1 calls");
  expect(b.placed(child)).toMatchObject({ host: "near", epoch: 1 });
});

test("a host that took too long is not asked again until it says what it has; what else is on its way there has as long again", () => {
  const b = launched("far");
  const children = [b.fork(1, "remote"), b.fork(1, "remote")];
  const wait = (ms: number) => {
    b.nowMs += ms;
    b.do({ type: "tick" });
  };
  const hosts = () => children.map((child) => (where(b, child) as { goal?: { host: string } }).goal?.host);
  wait(LIMITS.patienceMs - 1);
  reads(b, "far", "after 1 calls");
  expect(b.placed(children[0] as number)).toMatchObject({ host: "far" });
  wait(LIMITS.patienceMs - 1);
  expect(hosts()[1]).toBe("far");
  wait(1);
  expect(hosts()[1]).toBeUndefined();
  reads(b, "far", "after 2 calls");
  expect(b.placed(children[1] as number)).toMatchObject({ host: "far", images: [] });
});

test("goes elsewhere where the host is gone, takes nothing any more, or does not say that it has them", () => {
  for (const gone of [
    (b: Bench) => b.do({ type: "hostLost", host: hostId("far"), reason: "gone" }),
    (b: Bench) => b.say("far", { type: "status", slots: 0, memoryBytes: 0, reason: "its owner is back" }),
    (b: Bench) => {
      b.nowMs += LIMITS.patienceMs;
      b.do({ type: "tick" });
    },
  ]) {
    const b = launched("far", "near");
    const child = b.fork(1);
    expect([typesOf(b, "far"), typesOf(b, "near")]).toEqual([["prepare"], []]);
    gone(b);
    expect(typesOf(b, "near")).toEqual(["prepare"]);
    reads(b, "far", "after 1 calls");
    reads(b, "near", "after 1 calls");
    expect(b.placed(child)).toMatchObject({ host: "near", epoch: 1 });
    expect(typesOf(b, "far")).toEqual(["prepare"]);
  }
});

test("one that is for that host alone, and has been nowhere yet, waits while it takes nothing; when it is gone or mute it goes elsewhere", () => {
  const b = launched("far", "near", "other");
  const children = [b.fork(1, "far"), b.fork(1, "near")];
  for (const host of ["far", "near"])
    b.say(host, { type: "status", slots: 0, memoryBytes: 0, reason: "full" });
  const full = b.fork(1, "far");
  const goals = () => [...children, full].map((child) => (where(b, child) as { goal?: object }).goal);
  expect(goals()).toEqual([undefined, undefined, undefined]);
  b.do({ type: "hostLost", host: hostId("far"), reason: "gone" });
  expect(goals()).toMatchObject([{ host: "other" }, undefined, { host: "other" }]);
  b.say("near", { type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
  expect(goals()[1]).toMatchObject({ host: "near" });
  reads(b, "other", "after 1 calls");
  reads(b, "other", "after 3 calls");
  b.nowMs += LIMITS.patienceMs;
  b.do({ type: "tick" });
  expect(b.placed(children[1] as number).host).toBe("home");
  expect(() => b.fork(1, "near")).toThrow(/ENOHOST.*near does not answer/);
});

test("a host that has forgotten them is sent all of it once more, with the process; the second time it is not believed", () => {
  const b = launched("far");
  const child = b.fork(1);
  reads(b, "far", "after 1 calls");
  const refuses = () => {
    const { job, pid, epoch } = b.placed(child);
    b.say("far", { type: "refuse", job, pid, epoch, code: "ENOENT", reason: "forgotten" });
  };
  refuses();
  expect(b.placed(child)).toMatchObject({ host: "far", epoch: 2, images: [{ id: "after 1 calls" }] });
  refuses();
  expect(b.state.processes.get(pid(child))?.hostsLost).toBe(1);
});

test("one that is ended on its way is not placed", () => {
  const b = launched("far");
  const child = b.fork(1);
  b.do({ type: "kill", pid: pid(child), signal: "SIGKILL" });
  reads(b, "far", "after 1 calls");
  expect(typesOf(b, "far")).toEqual(["prepare"]);
});

test("at its launcher there is no way to go", () => {
  const b = launched("far");
  const child = b.fork(1);
  reads(b, "far", "after 1 calls");
  expect(b.placed(b.fork(child, "local"))).toMatchObject({
    host: "home",
    images: [{ id: "after 2 calls" }],
  });
});
