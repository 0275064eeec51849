/** What Node tells of its machine. */
import { expect, test } from "vitest";
import { NodeSensors } from "../../fabric/io/node-sensors.ts";

test("Node's readings are what they say, or undefined; what is missing is a sentence", async () => {
  const sensors = new NodeSensors();
  expect(sensors.read().othersCpu).toBeUndefined(); // nothing was measured yet
  await expect.poll(() => sensors.read().othersCpu, { timeout: 10_000 }).toBeDefined();
  const { othersCpu = -1, idleMs, battery, minuteOfDay, locked, hidden } = sensors.read();
  expect(othersCpu).toBeGreaterThanOrEqual(0);
  expect(othersCpu).toBeLessThanOrEqual(1);
  expect(idleMs ?? 0).toBeGreaterThanOrEqual(0);
  if (battery) expect(battery.charge).toBeLessThanOrEqual(1);
  expect(minuteOfDay).toBeLessThan(24 * 60);
  expect([locked, hidden]).toEqual([undefined, undefined]);
  for (const sentence of sensors.missing) expect(sentence).toMatch(/^[A-Z].*\.$/);
  sensors.close();
});
