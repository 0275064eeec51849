/** The first words on a link: who is let in, and who is cut off with a sentence. */
import { expect, test } from "vitest";
import { type BaseId, hostId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Clock, Link } from "../../fabric/base/ports.ts";
import { greet, type Peer, type Self } from "../../fabric/host/greeting.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import { encodeMessage } from "../../fabric/wire/messages.ts";

/** A clock whose time is the test's. */
class TestClock implements Clock {
  #now = 0;
  readonly #timers = new Map<() => void, number>();
  now = () => this.#now;
  monotonic = () => this.#now;
  after(ms: number, run: () => void): () => void {
    this.#timers.set(run, this.#now + ms);
    return () => this.#timers.delete(run);
  }
  pass(ms: number): void {
    this.#now += ms;
    for (const [run, at] of this.#timers) if (at <= this.#now && this.#timers.delete(run)) run();
  }
}

const self = (name: string): Self => ({
  id: hostId(name.padEnd(26, "a")),
  name,
  platform: "test",
  base: "base" as BaseId,
});

/** One side greets; what it logs, whom it meets, and how its link ends. */
function greeting(link: Link, as: Self, clock: Clock) {
  const log: string[] = [];
  const met: Peer[] = [];
  const ended = new Promise<string>((resolve) => {
    greet(
      link,
      as,
      (peer) => {
        met.push(peer);
        return { onMessage: () => {}, onEnd: resolve };
      },
      clock,
      (sentence) => {
        log.push(sentence);
        resolve(sentence);
      },
    );
  });
  return { log, met, ended };
}

/** What the other side of a link is told in the end. */
const told = (link: Link) => new Promise<string>((resolve) => (link.onEnd = ({ reason }) => resolve(reason)));

test("two sides meet under their names, and no time limit is left", async () => {
  const clock = new TestClock();
  const [a, b] = linkPair();
  const ann = greeting(a, self("ann"), clock);
  const bob = greeting(b, self("bob"), clock);
  await expect.poll(() => [ann.met.length, bob.met.length]).toEqual([1, 1]);
  expect([ann.met[0]?.name, bob.met[0]?.name]).toEqual(["bob", "ann"]);
  clock.pass(10 * LIMITS.greetingMs);
  a.close("enough");
  expect(await bob.ended).toBe("enough");
  expect([ann.log, bob.log]).toEqual([[], []]);
});

test("a peer that never says hello is cut off, and this is logged once", async () => {
  const clock = new TestClock();
  const [a, b] = linkPair();
  const ann = greeting(a, self("ann"), clock);
  const reason = told(b);
  clock.pass(LIMITS.greetingMs);
  expect(await reason).toBe("it did not say hello within 10 s");
  await ann.ended;
  expect(ann.log).toEqual(["refused a peer: it did not say hello within 10 s"]);
});

test("a peer that begins with something else is cut off with a sentence", async () => {
  const [a, b] = linkPair();
  const ann = greeting(a, self("ann"), new TestClock());
  const reason = told(b);
  b.send(encodeMessage({ type: "status", slots: 1, reason: "" }));
  expect(await reason).toBe('it began with "status" instead of a greeting');
  expect(ann.log.length).toBe(1);
});
