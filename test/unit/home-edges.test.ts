/** What a home does with letters, signals and answers at the edges: rooms that are full, calls that cross signals. */
import { expect, test } from "vitest";
import { callNumber, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { takeSignals } from "../../fabric/wire/calls.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";
import { Bench, imagesOf, JOB, launched, limited, snapshotOf } from "./home.kit.ts";

const exit = { status: 0, value: new Uint8Array() };

test("a signal that crosses a call on its way interrupts it, once it blocks", () => {
  const b = launched("far");
  const child = b.fork(1);
  b.call(child, "handle", { signal: "SIGUSR1", handled: true });
  b.call(1, "kill", { pid: child, signal: "SIGUSR1" });
  expect(b.sent.some(({ message }) => message.type === "interrupt")).toBe(true);
  const before = b.replies(child).length;
  b.call(child, "receive", { from: -1, tag: undefined, dueMs: undefined });
  const reply = b.replies(child)[before];
  expect(takeSignals(reply?.answer ?? new Uint8Array())).toEqual({ signals: ["SIGUSR1"], answer: undefined });
});

test("a signal interrupts who waits for room in a mailbox, before or after it waits; its letter is delivered once", () => {
  for (const isEarly of [true, false]) {
    using _ = limited({ mailboxLetters: 1 });
    const b = launched("far");
    const [receiver, sender] = [b.fork(1), b.fork(1)];
    b.call(sender, "handle", { signal: "SIGUSR1", handled: true });
    b.call(sender, "send", { to: [receiver], tag: "first", value: new Uint8Array(1) });
    const before = b.replies(sender).length;
    const kill = () => b.call(1, "kill", { pid: sender, signal: "SIGUSR1" });
    if (isEarly) kill();
    b.call(sender, "send", { to: [receiver], tag: "second", value: new Uint8Array(1) });
    if (!isEarly) {
      expect(b.replies(sender)).toHaveLength(before);
      kill();
    }
    const { answer = new Uint8Array() } = b.replies(sender)[before] ?? {};
    expect(takeSignals(answer).signals).toEqual(["SIGUSR1"]);
    const receives = (dueMs?: number) => {
      b.call(receiver, "receive", { from: -1, tag: undefined, dueMs });
      return b.answer(receiver, "receive");
    };
    expect([receives(), receives()]).toMatchObject([
      { letter: { tag: "first" } },
      { letter: { tag: "second" } },
    ]);
    expect(receives(0)).toMatchObject({ letter: undefined });
    expect(b.replies(sender)).toHaveLength(before + 1);
  }
});

test("a process that would move where it cannot go stays, and is told why and what is free", () => {
  const b = new Bench({ memoryBytesMax: 2 * LIMITS.guestMemoryBytes });
  b.host("home", 1, true);
  for (const name of ["far", "busy"]) b.host(name);
  b.host("small", 1, false, LIMITS.guestMemoryBytes);
  const child = b.fork(1, "far");
  b.say("busy", {
    type: "status",
    slots: 0,
    memoryBytes: LIMITS.guestMemoryBytesMost,
    reason: "its owner is back",
  });
  const reasons = {
    nobody: /no host nobody is linked/,
    busy: /busy takes nothing: its owner is back/,
    small: /small has less memory to give/,
  };
  for (const [host, reason] of Object.entries(reasons)) {
    b.call(child, "migrate", { host });
    expect(b.answer(child, "migrate")).toMatchObject({
      code: "ENOHOST",
      message: expect.stringMatching(reason),
    });
  }
  expect(b.sent.some(({ message }) => message.type === "recall")).toBe(false);
  b.call(child, "hosts", undefined);
  const { hosts } = b.answer(child, "hosts") as { hosts: { id: string; free: boolean }[] };
  expect(hosts.filter(({ free }) => free).map(({ id }) => id)).toEqual([]);
});

test("what is delivered after its sender's end leaves nothing with the sender", () => {
  using _ = limited({ mailboxLetters: 1 });
  const b = launched("far");
  const [receiver, sender] = [b.fork(1), b.fork(1)];
  for (let n = 0; n < 2; n++) b.call(sender, "post", { to: [receiver], tag: "t", value: new Uint8Array(1) });
  b.call(sender, "exit", exit);
  for (let n = 0; n < 2; n++) b.call(receiver, "receive", { from: -1, tag: undefined, dueMs: undefined });
  expect(b.answer(receiver, "receive")).toMatchObject({ letter: { from: sender } });
  expect(b.state.processes.get(pid(sender))?.answers.size).toBe(0);
});

test("who waits for one letter gets it, though its mailbox is full of others", () => {
  using _ = limited({ mailboxLetters: 1 });
  const b = launched("far");
  const receiver = b.fork(1);
  const value = new Uint8Array(1);
  for (const tag of ["other", "another", "wanted"]) b.call(1, "post", { to: [receiver], tag, value });
  b.call(receiver, "receive", { from: -1, tag: "wanted", dueMs: undefined });
  expect(b.answer(receiver, "receive")).toMatchObject({ letter: { tag: "wanted" } });
  for (const tag of ["other", "another"]) {
    b.call(receiver, "receive", { from: -1, tag: undefined, dueMs: undefined });
    expect(b.answer(receiver, "receive")).toMatchObject({ letter: { tag } });
  }
});

test("answers that a snapshot contains are not kept", () => {
  const b = launched("far");
  const child = b.fork(1);
  const { epoch } = b.placed(child);
  const answers = [4, 5, 6].map((n) => ({ call: callNumber(n), answer: new Uint8Array(1) }));
  b.say("far", {
    type: "returned",
    used: undefined,
    ...{ job: JOB, pid: pid(child), epoch },
    snapshot: snapshotOf(6),
    images: imagesOf(snapshotOf(6)),
    learned: { ...NOTHING_LEARNED, answers },
    why: "preempted",
    stoppedMs: 0,
  });
  expect(b.placed(child).learned.answers.map(({ call }) => call)).toEqual([5, 6]);
});
