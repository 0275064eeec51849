/** Silence is counted only while our own timer runs. */
import { expect, test } from "vitest";
import { Silence } from "../../fabric/io/silence.ts";

test("silence over the limit is noticed, a word begins it anew", () => {
  const silence = new Silence(500, 3000, 0);
  for (let now = 500; now < 3000; now += 500) expect(silence.tick(now)).toBe(false);
  silence.heard();
  for (let now = 3000; now < 5500; now += 500) expect(silence.tick(now)).toBe(false);
  expect(silence.tick(5500)).toBe(true);
});

test("on a machine that is too busy for its timers, the other side has as many of them to answer", () => {
  const silence = new Silence(500, 2000, 0);
  for (const now of [1500, 3000, 4500]) expect(silence.tick(now)).toBe(false);
  expect(silence.tick(6000)).toBe(true);
});

test("a page that slept for an hour does not take anybody for dead when it wakes", () => {
  const silence = new Silence(500, 3000, 0);
  expect(silence.tick(500)).toBe(false);
  expect(silence.tick(3_600_000)).toBe(false);
  expect(silence.tick(3_600_500)).toBe(false);
});
