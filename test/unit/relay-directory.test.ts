/** The directory's decisions: leases, the newest wins, limits. */
import { beforeEach, expect, test } from "vitest";
import { hostId } from "../../fabric/base/ids.ts";
import { DIRECTORY_LIMITS, DIRECTORY_VERSION, type ToRelay } from "../../fabric/wire/directory.ts";
import { type Directory, type Effect, listOf, newDirectory, step } from "../../relay/directory.ts";
import { RELAY_LIMITS } from "../../relay/limits.ts";

let directory: Directory;
let now: number;
beforeEach(() => {
  directory = newDirectory();
  now = 1_000;
});

const id = (name: string) => hostId(name.padEnd(26, "a"));
const open = (connection: number) => step(directory, { type: "open", connection }, now);
const close = (connection: number) => step(directory, { type: "close", connection }, now);
const say = (connection: number, message: Exclude<ToRelay, { type: "proof" }>) =>
  step(directory, { type: "message", connection, message }, now);
const claim = (connection: number, name: string, version = DIRECTORY_VERSION) => {
  open(connection);
  return say(connection, { type: "hello", version, host: id(name) });
};
const answer = (connection: number, rightly: boolean) =>
  step(directory, { type: "answered", connection, rightly }, now);
const hello = (connection: number, name: string) => {
  claim(connection, name);
  return answer(connection, true);
};
const announce = (connection: number, name: string, taking = true) =>
  say(connection, { type: "announce", name, platform: "test", taking, group: "" });
const tick = (ms: number = RELAY_LIMITS.tickMs) => {
  now += ms;
  return step(directory, { type: "tick" }, now);
};
const names = () => listOf(directory).map(({ name }) => name);
const lists = (effects: Effect[]) =>
  effects.flatMap((e) =>
    e.type === "send" && e.message.type === "hosts"
      ? [{ to: e.to, names: e.message.hosts.map(({ name }) => name) }]
      : [],
  );
const changes = (effects: Effect[]) =>
  effects.flatMap((e) =>
    e.type === "send" && e.message.type === "changes"
      ? [{ to: e.to, names: e.message.entries.map(({ name }) => name), left: e.message.left }]
      : [],
  );
const refusals = (effects: Effect[]) => effects.flatMap((e) => (e.type === "refuse" ? [[e.to, e.code]] : []));

test("who says hello has to prove it, is welcome then, gets the list at once, and is on it after announcing", () => {
  hello(1, "b");
  announce(1, "bee");
  expect(claim(2, "c")).toEqual([{ type: "challenge", to: 2, host: id("c") }]);
  const effects = answer(2, true);
  expect(effects[0]).toEqual({ type: "welcome", to: 2, host: id("c") });
  expect(lists(effects)).toEqual([{ to: [2], names: ["bee"] }]);
  announce(2, "cat");
  expect(changes(tick())).toEqual([{ to: [1, 2], names: ["bee", "cat"], left: [] }]);
  announce(2, "caterpillar");
  expect(changes(tick())).toEqual([{ to: [1, 2], names: ["caterpillar"], left: [] }]);
});

test("many changes between two ticks go as one, and no change as none", () => {
  hello(1, "b");
  for (let i = 0; i < 9; i++) expect(announce(1, `name ${i}`)).toEqual([]);
  expect(changes(tick())).toEqual([{ to: [1], names: ["name 8"], left: [] }]);
  announce(1, "name 8");
  expect(changes(tick())).toEqual([]);
});

test("an entry ends with its connection", () => {
  hello(1, "b");
  announce(1, "bee");
  hello(2, "c");
  tick();
  expect(close(1)).toEqual([{ type: "gone", host: id("b") }]);
  expect(changes(tick())).toEqual([{ to: [2], names: [], left: [id("b")] }]);
});

test("the silent are asked every second and leave after five; who answers stays", () => {
  hello(1, "b");
  hello(2, "c");
  announce(1, "bee");
  announce(2, "cat");
  tick();
  const asked: number[] = [];
  const cut: Effect[] = [];
  const begin = now;
  while (now - begin < 6_000) {
    for (const effect of tick()) {
      if (effect.type === "cut") cut.push(effect);
      if (effect.type !== "send" || effect.message.type !== "ask") continue;
      asked.push(...effect.to);
      if (effect.to.includes(2)) say(2, { type: "alive" });
    }
  }
  expect(asked.filter((to) => to === 1).length).toBe(4);
  expect(cut).toEqual([{ type: "cut", connection: 1 }]);
  expect(names()).toEqual(["cat"]);
});

test("a connection that never says hello ends too", () => {
  open(1);
  expect(tick(DIRECTORY_LIMITS.leaseMs)).toContainEqual({ type: "cut", connection: 1 });
});

test("the newest connection of a host wins, without leaving the list", () => {
  hello(1, "b");
  announce(1, "bee");
  tick();
  const effects = hello(2, "b");
  expect(refusals(effects)).toEqual([[1, "EEXIST"]]);
  expect(effects).toContainEqual({ type: "welcome", to: 2, host: id("b") });
  expect(effects.some((e) => e.type === "gone")).toBe(false);
  expect(names()).toEqual(["bee"]);
  expect(close(1)).toEqual([]); // the older one's end takes nothing along
  expect(names()).toEqual(["bee"]);
  expect(close(2)).toEqual([{ type: "gone", host: id("b") }]);
});

test("nobody takes another host's place, or keeps it out, without proving to be it", () => {
  hello(1, "b");
  announce(1, "bee");
  claim(2, "b");
  expect(refusals(answer(2, false))).toEqual([[2, "EPERM"]]);
  announce(1, "still here");
  expect(names()).toEqual(["still here"]);
  claim(3, "c");
  expect(hello(4, "c")).toContainEqual({ type: "welcome", to: 4, host: id("c") }); // whatever somebody else says
  expect(refusals(answer(3, false))).toEqual([[3, "EPERM"]]);
  announce(4, "cat");
  expect(names()).toEqual(["still here", "cat"]);
});

test("who is asked for a proof may say that it is alive meanwhile, and nothing else", () => {
  claim(1, "b");
  expect(say(1, { type: "alive" })).toEqual([]);
  expect(refusals(announce(1, "bee"))).toEqual([[1, "EINVAL"]]);
  hello(2, "b");
  expect(refusals(answer(2, true))).toEqual([[2, "EINVAL"]]); // once
});

test("another version is refused, and both are named", () => {
  const [effect] = claim(1, "b", 99);
  expect(effect).toMatchObject({ type: "refuse", to: 1, code: "EVERSION" });
  expect(effect).toHaveProperty("reason", expect.stringMatching(/version \d+ .* you speak 99/));
  expect(directory.connections.size).toBe(0);
});

test("nothing but hello comes first, and hello only once", () => {
  open(1);
  expect(refusals(announce(1, "x"))).toEqual([[1, "EINVAL"]]);
  hello(2, "b");
  expect(refusals(say(2, { type: "hello", version: DIRECTORY_VERSION, host: id("b") }))).toEqual([
    [2, "EINVAL"],
  ]);
  open(3);
  expect(refusals(answer(3, true))).toEqual([[3, "EINVAL"]]);
  expect(directory.connections.size + directory.hosts.size).toBe(0);
});

test("what a refused connection still sends is nothing", () => {
  hello(1, "b");
  expect(refusals(step(directory, { type: "garbage", connection: 1, reason: "noise" }, now))).toEqual([
    [1, "EINVAL"],
  ]);
  expect(announce(1, "x")).toEqual([]);
  expect(listOf(directory)).toEqual([]);
});

test("too many messages are refused; a steady few are not", () => {
  hello(1, "b");
  for (let i = 0; i < 1_000; i++) {
    now += 1000 / RELAY_LIMITS.messagesPerSecond;
    expect(refusals(announce(1, `${i}`))).toEqual([]);
  }
  const refused: unknown[] = [];
  for (let i = 0; i <= RELAY_LIMITS.messagesAtOnce; i++) refused.push(...refusals(announce(1, `x${i}`)));
  expect(refused).toEqual([[1, "EAGAIN"]]);
});

test("hosts and connections have an end", () => {
  for (let i = 0; i < DIRECTORY_LIMITS.hosts; i++) {
    const name = `${String.fromCharCode(98 + (i % 20))}${"bcdefghijk"[Math.floor(i / 20) % 10]}${"bcdefghijk"[Math.floor(i / 200)]}`;
    expect(refusals(hello(i, name))).toEqual([]);
  }
  expect(refusals(hello(5_000, "zzz"))).toEqual([[5_000, "EAGAIN"]]);
  let connection = 10_000;
  while (directory.connections.size < RELAY_LIMITS.connections) expect(open(connection++)).toEqual([]);
  expect(refusals(open(connection))).toEqual([[connection, "EAGAIN"]]);
});

test("however many come and go between two ticks, a change is of a bounded size, and nobody is missed", () => {
  hello(1, "b");
  const left: string[] = [];
  const note = (effects: Effect[]) => {
    for (const change of changes(effects)) {
      expect(change.left.length).toBeLessThanOrEqual(2 * DIRECTORY_LIMITS.hosts);
      left.push(...change.left);
    }
  };
  const passing = Array.from({ length: 3_000 }, (_, i) =>
    [i % 26, Math.floor(i / 26) % 26, Math.floor(i / 676)].map((n) => String.fromCharCode(97 + n)).join(""),
  );
  for (const [i, name] of passing.entries()) {
    note(hello(10 + i, `z${name}`));
    note(announce(10 + i, name));
    note(close(10 + i));
  }
  note(tick());
  expect(new Set(left)).toEqual(new Set(passing.map((name) => id(`z${name}`))));
});

test("who connects anew and offers nothing any more leaves the list, though the older connection seemed alive", () => {
  hello(1, "b");
  announce(1, "bee");
  hello(2, "c");
  tick();
  hello(3, "b");
  expect(names()).toEqual(["bee"]);
  tick(DIRECTORY_LIMITS.askMs);
  expect(names()).toEqual([]);
  hello(4, "b");
  announce(4, "bee again");
  hello(5, "b");
  announce(5, "bee again");
  tick(DIRECTORY_LIMITS.askMs);
  expect(names()).toEqual(["bee again"]);
});

test("who never proves to be anybody is cut off, however alive", () => {
  open(1);
  claim(2, "b");
  const cut: Effect[] = [];
  for (let ms = 0; ms <= DIRECTORY_LIMITS.leaseMs; ms += 1_000) {
    cut.push(...tick(1_000).filter(({ type }) => type === "cut"));
    for (const connection of [1, 2]) say(connection, { type: "alive" });
  }
  expect(cut).toEqual([
    { type: "cut", connection: 1 },
    { type: "cut", connection: 2 },
  ]);
});

test("what one host changes again and again everybody is told seldom, and the last of it in the end", () => {
  hello(1, "b");
  hello(2, "c");
  const told: unknown[] = [];
  for (let n = 0; n < 50; n++) {
    announce(1, "bee", n % 2 === 0);
    if (n % 10 === 0) say(2, { type: "alive" });
    told.push(...changes(tick()));
  }
  expect(told.length).toBeLessThanOrEqual(RELAY_LIMITS.changesAtOnce + 5 * RELAY_LIMITS.changesPerSecond);
  announce(2, "cat"); // nobody else waits for that
  expect(changes(tick())[0]?.names).toContain("cat");
  announce(1, "the last");
  const after = Array.from({ length: 12 }, () => changes(tick())).flat();
  expect(after.at(-1)?.names).toEqual(["the last"]);
});
