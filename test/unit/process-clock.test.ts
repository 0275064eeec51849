import { expect, test } from "vitest";
import { ProcessClock } from "../../fabric/host/process-clock.ts";

const ticking = () => {
  let ms = 0;
  return { now: () => 0, monotonic: () => (ms += 7), after: () => () => {} };
};

test("changes only at polls, never steps back, and says what it said", () => {
  const clock = new ProcessClock(ticking(), 1_000, 0, []);
  const first = clock.read(3);
  expect(clock.read(3)).toBe(first);
  const second = clock.read(4);
  expect(second).toBeGreaterThan(first);
  clock.hear(5_000);
  expect(clock.read(5)).toBeGreaterThanOrEqual(5_000);
  clock.hear(0); // a message that took long says nothing new
  expect(clock.read(6)).toBeGreaterThanOrEqual(5_000);
  expect(clock.learned.slice(0, 2)).toEqual([
    { moment: 3, now: first },
    { moment: 4, now: second },
  ]);
});

test("repeats what an earlier run read, and goes on from there on another host whose clock is behind", () => {
  const earlier = new ProcessClock(ticking(), 90_000, 0, []);
  const read = [1, 2, 2, 5].map((poll) => earlier.read(poll));
  const later = new ProcessClock(ticking(), 100, 0, earlier.learned);
  expect([1, 2, 2, 5].map((poll) => later.read(poll))).toEqual(read);
  expect(later.learned).toEqual([]);
  expect(later.read(6)).toBeGreaterThanOrEqual(read.at(-1) ?? 0);
});
