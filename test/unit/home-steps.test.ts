/** What a step of a home costs: what it touches, however many processes sleep meanwhile. */
import { expect, test } from "vitest";
import { pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Process } from "../../fabric/home/state.ts";
import { type Bench, launched } from "./home.kit.ts";

/** Counts how often anybody looks at what these are doing. */
function watched(bench: Bench, pids: readonly number[]): () => number {
  let looks = 0;
  for (const one of pids) {
    const p = bench.state.processes.get(pid(one));
    for (const name of [
      "where",
      "pending",
      "ppid",
      "reaped",
      "undelivered",
    ] as const satisfies (keyof Process)[]) {
      let value: unknown = p?.[name];
      Object.defineProperty(p, name, {
        get: () => {
          looks++;
          return value;
        },
        set: (next) => {
          value = next;
        },
      });
    }
  }
  return () => looks;
}

test.each([1, 500])("with %d asleep, nobody looks at them", (count) => {
  const b = launched("far", "farther");
  const sleepers = Array.from({ length: count }, () => b.fork(1));
  for (const sleeper of sleepers) b.call(sleeper, "sleep", { dueMs: 1e9 });
  const looks = watched(b, sleepers);

  const child = b.fork(1);
  b.call(child, "send", { to: [child], tag: "$a", value: new Uint8Array(8) });
  b.call(child, "receive", { from: -1, tag: undefined, dueMs: undefined });
  b.call(child, "sleep", { dueMs: b.nowMs + 5 });
  b.nowMs += 10;
  b.do({ type: "tick" });
  const grandchild = b.fork(child);
  b.call(grandchild, "exit", { status: 3, value: new Uint8Array() });
  b.call(child, "wait", { pid: -1, dueMs: undefined });
  expect(b.answer(child, "wait")).toMatchObject({ end: { pid: grandchild, status: 3 } });
  b.call(child, "exit", { status: 0, value: new Uint8Array() });
  expect(looks()).toBe(0);

  b.nowMs = 1e9;
  b.do({ type: "tick" });
  expect(looks()).toBeGreaterThan(0);
  for (const sleeper of sleepers) expect(b.replies(sleeper).length).toBe(1);
});

test("what no host takes is placed as soon as one does", () => {
  const b = launched();
  const remote = b.fork(1, "remote");
  expect(() => b.placed(remote)).toThrow();
  b.host("far", 0);
  expect(() => b.placed(remote)).toThrow();
  b.say("far", { type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
  expect(b.placed(remote).host).toBe("far");
});

test("timers ring in the order of their times, also those that were set again", () => {
  const b = launched("far");
  const children = Array.from({ length: 50 }, () => b.fork(1));
  const times = new Map(children.map((child, n) => [child, 2_000 + ((n * 37) % 50) * 10]));
  for (const child of children) b.call(child, "sleep", { dueMs: times.get(child) ?? 0 });
  const rung: number[] = [];
  for (b.nowMs = 2_000; b.nowMs < 2_500; b.nowMs += 10) {
    const before = b.sent.length;
    b.do({ type: "tick" });
    for (const { message } of b.sent.slice(before)) if (message.type === "reply") rung.push(message.pid);
    expect(b.effects.at(-1)).toEqual(
      b.nowMs < 2_490 ? { type: "wake", atMs: b.nowMs + 10 } : expect.anything(),
    );
  }
  expect(rung).toEqual(children.toSorted((a, c) => (times.get(a) ?? 0) - (times.get(c) ?? 0)));
});
