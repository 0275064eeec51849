/** No process is placed where its owner gives less memory than it has, or than its job asks for. */
import { expect, test } from "vitest";
import { hostId, pid } from "../../fabric/base/ids.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";
import { Bench, imagesOf, JOB, limited, snapshotOf } from "./home.kit.ts";

const MIB = 2 ** 20;

/** A launcher, and hosts that give one process so many MiB. */
function withHosts(hosts: Readonly<Record<string, number>>, memoryBytesMax = 128 * MIB): Bench {
  const b = new Bench({ memoryBytesMax });
  b.host("home", 1, true);
  for (const [name, mib] of Object.entries(hosts)) b.host(name, 1, false, mib * MIB);
  return b;
}

const stayOf = (b: Bench, p: number) => ({ job: JOB, pid: pid(p), epoch: b.placed(p).epoch });
const grows = (b: Bench, p: number, mib: number) =>
  b.say(b.placed(p).host, {
    type: "usage",
    ...stayOf(b, p),
    cpuMs: 1,
    memoryBytes: mib * MIB,
    polls: 1,
  });
function isSentAway(b: Bench, p: number): void {
  const snapshot = snapshotOf(1, false);
  b.say(b.placed(p).host, {
    type: "returned",
    used: undefined,
    ...stayOf(b, p),
    snapshot,
    images: imagesOf(snapshot),
    learned: NOTHING_LEARNED,
    why: "reclaimed",
    stoppedMs: 0,
  });
}
const isNowhere = (b: Bench, p: number) => b.state.processes.get(pid(p))?.where.kind === "nowhere";

test("a job that asks for more than usual goes only where that is given, however idle the others are", () => {
  const b = withHosts({ small: 64, large: 512 }, 512 * MIB);
  expect(Array.from({ length: 3 }, () => b.placed(b.fork(1, "remote")).host)).toEqual([
    "large",
    "large",
    "large",
  ]);
});

test("one that asks for no more than usual goes anywhere, until it has grown", () => {
  const b = withHosts({ small: 64, large: 512 });
  const child = b.fork(1);
  expect(b.placed(child).host).toBe("small");
  grows(b, child, 65);
  isSentAway(b, child);
  expect(b.placed(child).host).toBe("large");
});

test("what no host gives is waited for, and taken where it is given", () => {
  const b = withHosts({ small: 64 });
  const child = b.fork(1, "remote");
  grows(b, child, 65);
  isSentAway(b, child);
  b.do({ type: "tick" });
  expect(isNowhere(b, child)).toBe(true);
  b.say("small", { type: "status", slots: 1, memoryBytes: 66 * MIB, reason: "" });
  expect(b.placed(child)).toMatchObject({ host: "small", epoch: 2 });
});

test("a child has what its parent had", () => {
  const b = withHosts({ small: 64 });
  grows(b, 1, 65);
  expect(isNowhere(b, b.fork(1, "remote"))).toBe(true);
});

test("neither balance nor a wish moves it where it has no room", () => {
  const b = withHosts({});
  const children = [b.fork(1), b.fork(1)];
  const [small = 0, large = 0] = children;
  grows(b, large, 65);
  b.host("late", 1, false, 64 * MIB);
  b.nowMs += 1_000;
  b.do({ type: "tick" });
  const recalled = () =>
    b.sent.flatMap(({ message }) => (message.type === "recall" ? [message.pid as number] : []));
  expect(recalled()).toEqual([small]);
  b.do({ type: "migrate", pid: pid(large), to: hostId("late") });
  isSentAway(b, large);
  expect(b.placed(large).host).toBe("home");
});

test("a host gets no more than it gives to all together; the rest goes where there is room", () => {
  const b = withHosts({ one: 100, two: 100 });
  grows(b, 1, 40);
  const children = Array.from({ length: 6 }, () => b.fork(1));
  const at = (host: string) => children.filter((child) => b.placed(child).host === host).length;
  expect([at("one"), at("two")]).toEqual([2, 2]);
});

test("what was sent back waits for room, and comes when another ends, leaves or is smaller", () => {
  const b = withHosts({ host: 100 });
  const [first, ...others] = [b.fork(1, "remote"), b.fork(1, "remote"), b.fork(1, "remote")];
  grows(b, first ?? 0, 60);
  for (const child of others) {
    grows(b, child, 50);
    isSentAway(b, child);
  }
  const waiting = () => others.filter((child) => isNowhere(b, child)).length;
  b.do({ type: "tick" });
  expect(waiting()).toBe(2);
  grows(b, first ?? 0, 45);
  expect(waiting()).toBe(1);
  b.call(first ?? 0, "exit", { status: 0, value: new Uint8Array() });
  expect(waiting()).toBe(0);
});

test("what is kept free for one that follows its images is free again when that is ended, or goes elsewhere", () => {
  using _limits = limited({ aheadOfStandingBytes: 2 }); // images have three
  for (const gives of [
    (b: Bench, p: number) => b.do({ type: "kill", pid: pid(p), signal: "SIGKILL" }),
    (b: Bench, p: number) => b.do({ type: "migrate", pid: pid(p), to: hostId("home") }),
  ]) {
    const b = withHosts({ host: 100 });
    grows(b, 1, 60);
    const [first, second] = [b.fork(1, "remote"), b.fork(1, "remote", ["of another"])];
    const goal = (p: number) => {
      const where = b.state.processes.get(pid(p))?.where;
      return where?.kind === "nowhere" ? where.goal?.host : undefined;
    };
    expect([goal(first), goal(second)]).toEqual(["host", undefined]);
    gives(b, first);
    expect([goal(first), goal(second)]).toEqual([undefined, "host"]);
  }
});
