/** What the page keeps for an owner: settings of any age, and what was given, day by day. */
import { expect, test } from "vitest";
import { hostId } from "../../fabric/base/ids.ts";
import { defaultOwnerSettings, type FabricView } from "../../fabric/index.ts";
import { daysFrom, Meter, NOTHING_GIVEN, withMore } from "../../web/history.ts";
import { ownerSettingsFrom } from "../../web/owner-settings.ts";

test("settings of another version, or of nobody: what makes sense is kept, the rest is the default", () => {
  const defaults = defaultOwnerSettings(4);
  for (const found of [
    undefined,
    null,
    "x",
    7,
    [],
    { here: 3, hours: "always", blocked: [{ id: "x", name: "ann" }, null] },
  ])
    expect(ownerSettingsFrom(found, 4)).toEqual(defaults);
  const kept = {
    ...defaults,
    here: { workers: 0, share: 0.5 },
    onBattery: "never" as const,
    hours: { fromMinute: 60, toMinute: 30 },
    trafficBytesPerDay: 1e6,
    blocked: [
      { id: hostId("a".repeat(26)), name: "ann" },
      { id: undefined, name: "bob" },
    ],
  };
  expect(ownerSettingsFrom(structuredClone(kept), 4)).toEqual(kept);
  expect(ownerSettingsFrom({ servedOnly: ["ann"] }, 4).servedOnly).toEqual([{ id: undefined, name: "ann" }]);
  const wild = { here: { workers: 99, share: -1 }, away: { workers: Number.NaN }, memoryBytes: 0 };
  expect(ownerSettingsFrom(wild, 4)).toMatchObject({
    here: { workers: 4, share: 0.1 },
    away: { workers: 4, share: 1 },
    memoryBytes: 2 ** 20,
  });
});

test("days add up, and only a month of them is kept", () => {
  let days = daysFrom([{ date: "2026-01-01", ...NOTHING_GIVEN, cpuMs: 5 }, { date: "nonsense" }, 3]);
  days = withMore(days, "2026-01-01", { ...NOTHING_GIVEN, cpuMs: 2, hosted: 1 });
  expect(days).toEqual([{ date: "2026-01-01", ...NOTHING_GIVEN, cpuMs: 7, hosted: 1 }]);
  for (let n = 0; n < 40; n++) days = withMore(days, `day ${n}`, NOTHING_GIVEN);
  expect(days).toHaveLength(31);
});

test("a meter says what was given since it was looked at before, and begins anew with another participant", () => {
  const meter = new Meter(0);
  const look = (nowMs: number, hosted: number, cpuMs: number, inBytes: number) =>
    meter.look(
      {
        donor: { state: "donating", given: { hosted, cpuMs } },
        traffic: { inBytes, outBytes: 0 },
      } as unknown as FabricView,
      nowMs,
    );
  expect(look(1000, 1, 100, 10)).toEqual({
    givenMs: 1000,
    cpuMs: 100,
    hosted: 1,
    sentAway: 0,
    trafficBytes: 10,
  });
  expect(look(1500, 4, 150, 10)).toMatchObject({ givenMs: 500, cpuMs: 50, hosted: 3, trafficBytes: 0 });
  meter.restart();
  expect(look(2000, 2, 30, 5)).toMatchObject({ cpuMs: 30, hosted: 2, trafficBytes: 5 });
});
