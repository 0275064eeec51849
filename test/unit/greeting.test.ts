/** The first words on a link: who is let in, and who is cut off with a sentence. */
import { expect, test } from "vitest";
import { must } from "../../fabric/base/errors.ts";
import { type BaseId, type HostId, hostId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Binding, Clock, Link } from "../../fabric/base/ports.ts";
import { greet, type Peer, type Self } from "../../fabric/host/greeting.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import { groupKey, identityFrom, isSaid, sayable } from "../../fabric/wire/identity.ts";
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
function greeting(link: Link, as: Self, clock: Clock, options: { expects?: HostId } = {}) {
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
      {
        clock,
        log: (sentence) => {
          log.push(sentence);
          resolve(sentence);
        },
        ...options,
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
  b.send(encodeMessage({ type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" }));
  expect(await reason).toBe('it began with "status" instead of a greeting');
  expect(ann.log.length).toBe(1);
});

// ---------------------------------------------------------------------------------------------- links between machines

const keyed = (name: string, secret: number, group?: string): Self => {
  const identity = identityFrom(new Uint8Array(32).fill(secret));
  return {
    ...self(name),
    id: identity.id,
    identity,
    group: group === undefined ? undefined : groupKey(group),
  };
};
const SECRET = "a secret of the whole group";

const bound = (link: Link, binding: Binding): Link => Object.assign(link, { binding });

/** The two ends of one connection. */
function connected(): [Link, Link] {
  const [a, b] = linkPair();
  return [bound(a, { ours: "cert a", theirs: "cert b" }), bound(b, { ours: "cert b", theirs: "cert a" })];
}

async function meeting(ann: Self, bob: Self, [a, b] = connected(), expects?: HostId) {
  const clock = new TestClock();
  const one = greeting(a, ann, clock, expects ? { expects } : {});
  const other = greeting(b, bob, clock);
  await Promise.all([one, other].map((side) => expect.poll(() => side.met.length + side.log.length).toBe(1)));
  return { ann: one, bob: other };
}

test("who has the key of its id is believed", async () => {
  const [ann, bob] = [keyed("ann", 1), keyed("bob", 2)];
  const met = await meeting(ann, bob, connected(), bob.id);
  expect(met.ann.met).toEqual([{ id: bob.id, name: "bob", platform: "test" }]);
  expect(met.bob.met).toEqual([{ id: ann.id, name: "ann", platform: "test" }]);
});

test("who takes long to sign says hello first all the same, and then hears what came meanwhile", async () => {
  const [ann, bob] = [keyed("ann", 1), keyed("bob", 2)];
  let signNow = () => {};
  const permitted = new Promise<void>((resolve) => {
    signNow = resolve;
  });
  const identity = must(ann.identity, "key");
  const slow = {
    ...ann,
    identity: { ...identity, sign: (words: Uint8Array) => permitted.then(() => identity.sign(words)) },
  };
  const [a, b] = connected();
  const heard: string[] = [];
  const one = greeting(a, slow, new TestClock());
  greet(b, bob, () => ({ onMessage: ({ type }) => heard.push(type), onEnd: () => {} }), {
    clock: new TestClock(),
    log: (sentence) => heard.push(sentence),
  });
  await new Promise((done) => setImmediate(done)); // bob has signed, and has been heard
  expect(one.met).toEqual([]);
  signNow();
  await expect.poll(() => one.met.map(({ name }) => name)).toEqual(["bob"]);
  a.send(encodeMessage({ type: "status", slots: 1, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" }));
  await expect.poll(() => heard).toEqual(["status"]);
});

test("somebody in the middle who passes everything on is noticed on both sides", async () => {
  const [a, x] = linkPair();
  const [y, b] = linkPair();
  x.onMessage = (bytes) => y.send(bytes);
  y.onMessage = (bytes) => x.send(bytes);
  const ends: [Link, Link] = [
    bound(a, { ours: "cert a", theirs: "cert x" }),
    bound(b, { ours: "cert b", theirs: "cert y" }),
  ];
  const met = await meeting(keyed("ann", 1, SECRET), keyed("bob", 2, SECRET), ends);
  for (const { log } of [met.ann, met.bob])
    expect(log).toEqual([expect.stringMatching(/does not prove .* somebody may be in between/)]);
});

test("what one side says is no proof when it is thrown back", async () => {
  const [a, mirror] = linkPair();
  mirror.onMessage = (bytes) => mirror.send(bytes);
  const ann = greeting(
    bound(a, { ours: "cert a", theirs: "cert x" }),
    keyed("ann", 1, SECRET),
    new TestClock(),
  );
  await ann.ended;
  expect(ann.log).toEqual([expect.stringMatching(/does not prove/)]);
});

test("an id that was not called, that another key has, or without a key, is not believed", async () => {
  const [ann, bob] = [keyed("ann", 1), keyed("bob", 2)];
  const other = await meeting(ann, keyed("eve", 3), connected(), bob.id);
  expect(other.ann.log).toEqual([expect.stringContaining(`${bob.id} was called, and`)]);
  const stolen = await meeting(ann, { ...keyed("eve", 3), id: bob.id }, connected(), bob.id);
  expect(stolen.ann.log).toEqual([expect.stringMatching(/does not prove/)]);
  const without = await meeting(ann, self("eve"));
  expect(without.ann.log).toEqual([expect.stringMatching(/does not prove/)]);
});

test("who asks for a group deals with its members only", async () => {
  const met = await meeting(keyed("ann", 1, SECRET), keyed("bob", 2, SECRET));
  expect([met.ann.met.length, met.bob.met.length]).toEqual([1, 1]);
  for (const stranger of [keyed("eve", 3), keyed("eve", 3, "the secret of another group")]) {
    const { ann } = await meeting(keyed("ann", 1, SECRET), stranger);
    expect(ann.log).toEqual([expect.stringMatching(/does not know the secret of this host's group/)]);
  }
  expect(() => groupKey("hunter2")).toThrow(/EINVAL: .* at least 20 characters/);
});

test("a secret is said so that it is of use on this connection only, and not when it is thrown back", () => {
  const ours = { ours: "cert a", theirs: "cert b" };
  const theirs = { ours: "cert b", theirs: "cert a" };
  const said = sayable(SECRET, ours, "control");
  expect(said).not.toContain(SECRET);
  expect(isSaid(said, SECRET, theirs, "control")).toBe(true);
  expect(isSaid(said, "another secret", theirs, "control")).toBe(false);
  expect(isSaid(said, SECRET, ours, "control")).toBe(false);
  expect(isSaid(said, SECRET, theirs, "home")).toBe(false);
  expect(isSaid(said, SECRET, { ours: "cert c", theirs: "cert a" }, "control")).toBe(false);
  expect(isSaid(SECRET, SECRET, theirs, "control")).toBe(false);
  expect(isSaid(sayable(SECRET, undefined, "control"), SECRET, undefined, "control")).toBe(true); // within a machine
});

test("another version is told so, whatever its greeting looks like", async () => {
  const [a, b] = linkPair();
  const ann = greeting(a, self("ann"), new TestClock());
  b.send(new Uint8Array([1, 77, 1, 2, 3]));
  await ann.ended;
  expect(ann.log).toEqual([expect.stringMatching(/speaks protocol 77, this host \d+: reload the older one/)]);
});
