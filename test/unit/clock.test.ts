import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../../fabric/io/clock.ts";

afterEach(() => vi.useRealTimers());

test("the machine's clock is followed when it is set ahead, and goes on when it is set back", () => {
  const hour = 3_600_000;
  vi.useFakeTimers({ toFake: ["Date"] });
  const begin = systemClock.now();
  vi.setSystemTime(begin + hour);
  const ahead = systemClock.now();
  expect(ahead).toBeGreaterThanOrEqual(begin + hour);
  vi.setSystemTime(begin - 5 * hour);
  const sinceMs = performance.now();
  while (performance.now() - sinceMs < 5);
  expect(systemClock.now()).toBeGreaterThanOrEqual(ahead + 4);
  expect(systemClock.now()).toBeLessThan(ahead + hour);
});
