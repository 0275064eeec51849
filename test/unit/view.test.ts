/** What people see of a job is shared with what they saw before: only what changed is another object. */
import { expect, test } from "vitest";
import { hostId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Job } from "../../fabric/host/job.ts";
import { type JobView, viewOfJob } from "../../fabric/host/view.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";
import { type Bench, imagesOf, JOB, launched, snapshotOf } from "./home.kit.ts";

/** As the job's shell would be looked at. */
function seen(b: Bench): () => JobView {
  const job = { state: b.state, startedMs: 0, endedMs: undefined } as unknown as Job;
  return () => viewOfJob(job);
}

const stayOf = (b: Bench, p: number) => ({ job: JOB, pid: pid(p), epoch: b.placed(p).epoch });
const runs = (b: Bench, p: number) =>
  b.say(b.placed(p).host, { type: "running", ...stayOf(b, p), runningMs: b.nowMs });
const computes = (b: Bench, p: number, cpuMs: number) =>
  b.say(b.placed(p).host, { type: "usage", ...stayOf(b, p), cpuMs, memoryBytes: 1, polls: 0 });
/** It leaves its host, and runs on the other. */
function moves(b: Bench, p: number): void {
  b.nowMs += 10;
  const { host } = b.placed(p);
  b.do({ type: "migrate", pid: pid(p), to: hostId(host === "a" ? "b" : "a") });
  const snapshot = snapshotOf(1, false);
  b.say(host, {
    type: "returned",
    used: undefined,
    ...stayOf(b, p),
    snapshot,
    images: imagesOf(snapshot),
    learned: NOTHING_LEARNED,
    why: "recalled",
    stoppedMs: 1,
  });
  runs(b, p);
}

const others = (pids: readonly number[], view: JobView) =>
  view.processes.filter((p) => !pids.includes(p.pid));

test("asked twice, with nothing between: the same view", () => {
  const b = launched("a", "b");
  for (let n = 0; n < 5; n++) b.fork(1);
  const see = seen(b);
  expect(see()).toBe(see());
});

test("what computes is another view; everybody else, and the hosts, are the same as before", () => {
  const b = launched("a", "b");
  const children = Array.from({ length: 300 }, () => b.fork(1));
  const see = seen(b);
  const before = see();
  const [one = 0] = children;
  computes(b, one, 25);
  const after = see();
  expect(after).not.toBe(before);
  expect(after.processes.find((p) => p.pid === one)).toMatchObject({ cpuMs: 25, stays: [{ cpuMs: 25 }] });
  expect(before.processes.find((p) => p.pid === one)).toMatchObject({ cpuMs: 0, stays: [{ cpuMs: 0 }] });
  expect(others([one], after)).toHaveLength(300);
  for (const [n, p] of others([one], after).entries()) expect(p).toBe(others([one], before)[n]);
  expect(after.hosts).toBe(before.hosts);
});

test("of one that moves on and on, each stay that is over is told once and never again", () => {
  const b = launched("a", "b");
  const p = b.fork(1);
  const see = seen(b);
  const staysNow = () => see().processes.find((q) => q.pid === p)?.stays ?? [];
  runs(b, p);
  for (let n = 0; n < LIMITS.staysKept + 5; n++) {
    const before = staysNow();
    moves(b, p);
    const after = staysNow();
    expect(after).toEqual(b.state.processes.get(pid(p))?.stays); // nothing old is shown
    const kept = after.slice(0, -2);
    for (const stay of kept) expect(before).toContain(stay);
  }
  expect(staysNow()).toHaveLength(LIMITS.staysKept);
});

test("a host that takes no more is another view, and the processes are as before", () => {
  const b = launched("a", "b");
  b.fork(1);
  const see = seen(b);
  const before = see();
  b.say("b", { type: "status", slots: 0, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "on battery" });
  const after = see();
  expect(after.hosts.find((h) => h.id === "b")).toMatchObject({ slots: 0, reason: "on battery" });
  expect(after.hosts.find((h) => h.id === "a")).toBe(before.hosts.find((h) => h.id === "a"));
  expect(after.processes).toBe(before.processes);
});

test("one that a signal stopped before it had begun is stopped, and not on its way for ever", () => {
  const b = launched("a", "b");
  const p = b.fork(1);
  const see = seen(b);
  const one = () => see().processes.find((q) => q.pid === p);
  expect(one()).toMatchObject({ state: "moving" });
  b.do({ type: "kill", pid: pid(p), signal: "SIGSTOP" });
  expect(one()).toMatchObject({ state: "stopped" });
  b.do({ type: "kill", pid: pid(p), signal: "SIGCONT" });
  runs(b, p);
  expect(one()).toMatchObject({ state: "running" });
});
