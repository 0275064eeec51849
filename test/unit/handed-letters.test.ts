/** Letters between processes of one executor: what the executor may hand over itself, and what the home makes of it. */
import { describe, expect, test } from "vitest";
import { callNumber, epoch, jobId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { HandedLetters } from "../../fabric/host/handed-letters.ts";
import { type HomeLink, type StayKey, stayKey } from "../../fabric/kernel/executor-messages.ts";
import { decodeAnswer, encodeCall } from "../../fabric/wire/calls.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";
import { type Bench, JOB, launched, limited } from "./home.kit.ts";

const ANY = { from: -1, tag: undefined, dueMs: undefined };
const VALUE = new Uint8Array([7]);

/** Processes of one executor, and what their home says to them. */
class Beside {
  nowMs = 0;
  readonly letters = new HandedLetters({
    now: () => this.nowMs,
    monotonic: () => this.nowMs,
    after: () => () => {},
  });
  readonly #calls = new Map<StayKey, number>();

  comes(id: number, link = 1): StayKey {
    const home = link as HomeLink;
    const key = stayKey(home, { job: jobId("job"), pid: pid(id), epoch: epoch(1) });
    this.letters.came(key, home, pid(id));
    return key;
  }
  #next(key: StayKey) {
    const call = callNumber(this.#calls.get(key) ?? 0);
    this.#calls.set(key, call + 1);
    return call;
  }
  /** Says which call it was. */
  posts(key: StayKey, to: number, tag = "t", posted = true) {
    const call = this.#next(key);
    this.letters.sent(key, call, { to: [to], tag, value: VALUE }, posted);
    return call;
  }
  /** Who sent what was handed over, and by which call; undefined: the home is asked. */
  receives(key: StayKey, which: { from?: number; tag?: string } = {}, mayBeHere = true) {
    const { from = -1, tag } = which;
    const call = this.#next(key);
    const got = this.letters.receive(key, call, { from, tag, dueMs: undefined }, mayBeHere);
    if (!got) return { asked: call };
    expect(got.learned.call).toBe(call);
    expect(decodeAnswer("receive", got.answer)).toMatchObject({
      letter: { from: got.learned.from, value: VALUE },
    });
    return [got.learned.from, got.learned.sent];
  }
  /** The home answers a call and has nothing for it, unless it `hasMail`. */
  hears(key: StayKey, call: number, hasMail = false): void {
    this.letters.answered(key, callNumber(call), !hasMail);
  }
}

describe("an executor", () => {
  test("hands over what a process sends to itself, once its home has nothing for it", () => {
    const beside = new Beside();
    const self = beside.comes(1);
    const first = beside.posts(self, 1);
    const { asked } = beside.receives(self) as { asked: number };
    beside.hears(self, first, true);
    beside.hears(self, asked);
    const second = beside.posts(self, 1);
    expect(beside.receives(self)).toEqual([1, second]);
    expect(beside.receives(self)).toHaveProperty("asked");
  });

  test("hands over the first that fits, of whoever", () => {
    const beside = new Beside();
    const [reader, writer] = [beside.comes(1), beside.comes(2)];
    beside.hears(reader, 9);
    const calls = ["a", "b", "a"].map((tag) => beside.posts(writer, 1, tag));
    expect(beside.receives(reader, { tag: "b" })).toEqual([2, calls[1]]);
    expect(beside.receives(reader)).toEqual([2, calls[0]]);
    expect(beside.receives(reader, { from: 2 })).toEqual([2, calls[2]]);
  });

  test("gives none that the home may give: having been asked, it has them all", () => {
    const beside = new Beside();
    const [reader, writer] = [beside.comes(1), beside.comes(2)];
    beside.hears(reader, 9);
    beside.posts(writer, 1, "a");
    expect(beside.receives(reader, { tag: "b" })).toHaveProperty("asked");
    expect(beside.receives(reader, { tag: "a" })).toHaveProperty("asked");
  });

  test("opens no box by an answer to another call than the one it waits in", () => {
    const beside = new Beside();
    const self = beside.comes(1);
    const print = 0;
    beside.posts(self, 2); // call 0
    const { asked } = beside.receives(self) as { asked: number };
    beside.hears(self, print);
    beside.posts(self, 1);
    beside.hears(self, asked, true);
    expect(beside.receives(self)).toHaveProperty("asked");
  });

  test("hands nothing over of a sender that came later, and may have written from elsewhere", () => {
    const beside = new Beside();
    const reader = beside.comes(1);
    beside.hears(reader, 9);
    beside.posts(beside.comes(2), 1);
    expect(beside.receives(reader)).toHaveProperty("asked");
  });

  test("hands nothing over while an earlier letter is on its way to the home", () => {
    const beside = new Beside();
    const [reader, writer] = [beside.comes(1), beside.comes(2)];
    beside.posts(writer, 1);
    beside.hears(reader, 9);
    beside.posts(writer, 1);
    expect(beside.receives(reader)).toHaveProperty("asked");
  });

  test("hands nothing over to processes of another home, whatever it calls its job", () => {
    const beside = new Beside();
    const reader = beside.comes(1);
    const stranger = beside.comes(2, 666);
    beside.hears(reader, 9);
    beside.posts(stranger, 1);
    expect(beside.receives(reader)).toHaveProperty("asked");
  });

  test("asks the home now and then, so that nobody elsewhere is forgotten", () => {
    const beside = new Beside();
    const self = beside.comes(1);
    beside.hears(self, 9);
    beside.posts(self, 1);
    beside.nowMs = LIMITS.handedMs;
    expect(beside.receives(self)).toHaveProperty("asked");
  });

  test("asks the home where a signal waits, and for what was sent by a call that waits", () => {
    const beside = new Beside();
    const self = beside.comes(1);
    beside.hears(self, 9);
    beside.posts(self, 1);
    expect(beside.receives(self, {}, false)).toHaveProperty("asked");
    beside.hears(self, 1);
    beside.posts(self, 1, "t", false);
    expect(beside.receives(self)).toHaveProperty("asked");
  });
});

describe("the home", () => {
  /** A reader and a writer, and the writer's first letter by call 1. */
  function written(): { b: Bench; reader: number; writer: number } {
    const b = launched("far");
    const [reader, writer] = [b.fork(1), b.fork(1)];
    b.call(writer, "post", { to: [reader], tag: "t", value: VALUE }, 10);
    return { b, reader, writer };
  }
  const says = (b: Bench, reader: number, writer: number, ...sent: number[]) => {
    const { host, epoch } = b.placed(reader);
    b.say(host, {
      type: "call",
      job: JOB,
      pid: pid(reader),
      epoch,
      call: callNumber(11 + sent.length),
      request: encodeCall("probe", { from: -1, tag: undefined }),
      waits: true,
      learned: {
        ...NOTHING_LEARNED,
        letters: sent.map((call, n) => ({
          call: callNumber(11 + n),
          from: pid(writer),
          sent: callNumber(call),
        })),
      },
      snapshot: undefined,
      images: [],
      tookMs: 0,
    });
  };

  test("takes what was handed over out of the mailbox, and gives it again to a second run", () => {
    const { b, reader, writer } = written();
    says(b, reader, writer, 10);
    expect(b.answer(reader, "probe")).toEqual({ found: undefined });
    const { host, learned } = b.placed(reader);
    expect(learned.letters).toEqual([]);
    b.do({ type: "hostLost", host: host as never, reason: "gone" });
    const again = b.placed(reader).learned.answers.find(({ call }) => call === 11);
    expect(decodeAnswer("receive", again?.answer ?? new Uint8Array())).toMatchObject({
      letter: { from: writer, value: VALUE },
    });
  });

  test("makes room for what waited for it", () => {
    using _ = limited({ mailboxLetters: 1 });
    const { b, reader, writer } = written();
    b.call(writer, "post", { to: [reader], tag: "next", value: VALUE }, 11);
    expect(b.replies(writer).map(({ call }) => call)).not.toContain(11);
    says(b, reader, writer, 10);
    expect(b.answer(reader, "probe")).toMatchObject({ found: { tag: "next" } });
    expect(b.replies(writer).map(({ call }) => call)).toContain(11);
  });

  test("takes what had no room in the mailbox from its sender", () => {
    using _ = limited({ mailboxLetters: 1 });
    const { b, reader, writer } = written();
    b.call(writer, "post", { to: [reader], tag: "next", value: VALUE }, 11);
    says(b, reader, writer, 11);
    expect(b.answer(reader, "probe")).toMatchObject({ found: { tag: "t" } });
    expect(b.replies(writer).map(({ call }) => call)).toContain(11);
  });

  test("delivers nothing of what was handed over, though there is room for it now", () => {
    using _ = limited({ mailboxLetters: 1 });
    const { b, reader, writer } = written();
    for (const call of [11, 12]) b.call(writer, "post", { to: [reader], tag: "t", value: VALUE }, call);
    says(b, reader, writer, 10, 11, 12);
    expect(b.answer(reader, "probe")).toEqual({ found: undefined });
    expect(b.replies(writer).map(({ call }) => call)).toContain(12);
  });

  test("does not believe that one letter was received twice", () => {
    const { b, reader, writer } = written();
    b.call(writer, "post", { to: [reader], tag: "t", value: VALUE }, 11);
    const before = b.placed(reader).epoch;
    says(b, reader, writer, 10, 10);
    expect(b.placed(reader).epoch).toBe(before + 1);
    for (const call of [11, 12]) {
      b.call(reader, "receive", ANY, call);
      expect(b.answer(reader, "receive")).toMatchObject({ letter: { from: writer } });
    }
  });

  test("looks at each letter a few times, however many a host says were received", () => {
    const { b, reader, writer } = written();
    const calls = Array.from({ length: 1_000 }, (_, n) => 11 + n);
    for (const call of calls) b.call(writer, "post", { to: [reader], tag: "t", value: VALUE }, call);
    let looks = 0;
    const mailbox = b.state.processes.get(pid(reader))?.mailbox ?? [];
    for (const [n, letter] of mailbox.entries())
      mailbox[n] = Object.defineProperty({ ...letter }, "from", {
        get: () => {
          looks++;
          return letter.from;
        },
      });
    says(b, reader, writer, ...calls, 99_999); // the last was never sent
    expect(looks).toBeGreaterThan(0);
    expect(looks).toBeLessThan(5 * mailbox.length);
    expect(mailbox.length).toBe(1_001);
  });

  test("begins again who received what was never sent, and blames nobody", () => {
    const { b, reader, writer } = written();
    const before = b.placed(reader).epoch;
    for (let n = 0; n < 5; n++) says(b, reader, writer, 99);
    expect(b.placed(reader).epoch).toBe(before + 5);
    b.call(reader, "receive", ANY, 11);
    expect(b.answer(reader, "receive")).toMatchObject({ letter: { from: writer } });
  });

  test("says that there is no mail only where there is none, and nobody waits for any", () => {
    const { b, reader, writer } = written();
    b.call(reader, "identify", undefined, 10);
    expect(b.replies(reader).at(-1)?.noMail).toBe(false);
    b.call(reader, "receive", ANY, 11);
    expect(b.replies(reader).at(-1)?.noMail).toBe(true);
    b.call(reader, "receive", { ...ANY, from: writer }, 12);
    b.call(reader, "identify", undefined, 13);
    expect(b.replies(reader).at(-1)?.noMail).toBe(false);
  });
});
