/** What `roost bench` runs when it is asked for figures by their names. */
import { expect, test } from "vitest";
import { suitesNamed } from "../bench/main.ts";

test("by a suite's name, or by what stands before the dot in its figures; all without a name", () => {
  expect(suitesNamed(["durable"])).toEqual(["durable"]);
  expect(suitesNamed(["migrate", "evict", "message"])).toEqual(["flight", "migrate", "syscalls"]);
  expect(suitesNamed([])).toEqual(expect.arrayContaining(["engine", "flight", "sim"]));
});

test("a name that nothing has is refused with those there are", () => {
  expect(() => suitesNamed(["engine", "wings"])).toThrow(/no suite wings; there are engine, .*evict/);
});
