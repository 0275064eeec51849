import { describe, expect, test } from "vitest";
import { heardNow, timeOf } from "../../fabric/home/host-clock.ts";
import type { HostRecord } from "../../fabric/home/state.ts";
import { type HomeClock, heard, homeTime, UNHEARD } from "../../fabric/kernel/home-clock.ts";

/** A host that was started when its home's clock said 1,000,000. */
const HOME_MS = 1_000_000;

function told(...messages: readonly { leftMs: number; wayMs: number }[]): HomeClock {
  let clock = UNHEARD;
  for (const { leftMs, wayMs } of messages) clock = heard(clock, HOME_MS + leftMs, leftMs + wayMs);
  return clock;
}

test("of several messages the quickest says what time it is, whatever order they come in", () => {
  const ways = [30, 2, 11, 7].map((wayMs, n) => ({ leftMs: 100 * n, wayMs }));
  for (const messages of [ways, ways.slice(1), [...ways.slice(2), { leftMs: 400, wayMs: 2 }]])
    expect(homeTime(told(...messages), 500)).toBeCloseTo(HOME_MS + 498, 0);
});

test("what was heard long ago counts for less than what clocks may have drifted apart since", () => {
  const hour = 3_600_000;
  const clock = told({ leftMs: 0, wayMs: 1 }, { leftMs: hour, wayMs: 50 });
  expect(homeTime(clock, hour + 50)).toBe(HOME_MS + hour);
});

test("a freeze between two hosts is as long as it was, give or take the shortest way, however slow the messages were that told of it", () => {
  const source = told({ leftMs: 0, wayMs: 1 }, { leftMs: 50, wayMs: 20 });
  const target = told({ leftMs: 0, wayMs: 2 }, { leftMs: 60, wayMs: 40 });
  expect(homeTime(target, 107) - homeTime(source, 100)).toBeCloseTo(6, 0);
});

describe("what a host says of its home's time, seen by the home", () => {
  const told = (...latenessMs: number[]) => ({ latenessMs }) as unknown as HostRecord;

  test("is put right by half of what it is late, by ways there and back alike", () => {
    const host = told();
    for (let n = 0; n < 5; n++) heardNow(host, 100 * n - 3, 100 * n + 3); // three behind, three on its way
    expect(timeOf(host, 997)).toBe(1_000);
  });

  test("a message that waited changes nothing, nor does what was long ago", () => {
    const host = told();
    for (let n = 0; n < 50; n++) heardNow(host, 0, 400);
    for (let n = 0; n < 20; n++) heardNow(host, 0, n % 4 === 0 ? 90 : 2);
    expect(timeOf(host, 10)).toBe(11);
    expect(host.latenessMs.length).toBeLessThan(20);
  });

  test("one that says the future is believed as it is", () => {
    const host = told();
    heardNow(host, 1_000, 10);
    expect(timeOf(host, 1_000)).toBe(1_000);
    expect(timeOf(told(), 5)).toBe(5);
  });
});
