/** The owner's policy, rule by rule: what stops work, what starts it again, and the words for it. */
import { expect, test } from "vitest";
import { hostId } from "../../fabric/base/ids.ts";
import { type Decision, DWELL_MS, decide, HOLD_MS, type Wish } from "../../fabric/policy/decide.ts";
import type { Readings } from "../../fabric/policy/readings.ts";
import { defaultOwnerSettings, type OwnerSettings, refusalOf } from "../../fabric/policy/settings.ts";

const QUIET: Readings = {
  idleMs: 600_000,
  locked: undefined,
  hidden: false,
  pressure: "nominal",
  othersCpu: undefined,
  battery: undefined,
  metered: false,
  minuteOfDay: 12 * 60,
  guests: 1,
  memoryBytes: 0,
  trafficBytes: 0,
  budget: Number.POSITIVE_INFINITY,
};

/** An owner with four processors, second by second. */
class Bench {
  nowMs = 1_000_000;
  wish: Wish = { kind: "on" };
  decision: Decision | undefined;
  readings = QUIET;
  readonly settings: OwnerSettings;
  constructor(settings: Partial<OwnerSettings> = {}) {
    this.settings = { ...defaultOwnerSettings(4), ...settings };
  }
  /** Decides now, and then each second until `ms` have passed; says the last. */
  at(change: Partial<Readings> = {}, ms = 0): Decision {
    this.readings = { ...this.readings, ...change };
    for (let passed = 0; ; passed += 1000) {
      this.decision = decide(this, this.readings, this.decision, this.nowMs);
      if (passed >= ms) return this.decision;
      this.nowMs += 1000;
    }
  }
}

test("nothing before the owner asks for it; then at once", () => {
  const b = new Bench();
  b.wish = { kind: "off", reason: "not donating" };
  expect(b.at()).toMatchObject({ taking: false, workers: 0, guests: "leave", reason: "not donating" });
  b.wish = { kind: "on" };
  expect(b.at({ idleMs: 0 })).toMatchObject({
    taking: true,
    workers: 2,
    guests: "run",
    reason: "you are here: 2 workers",
  });
});

test("half while the owner is here; all after a minute without input and a dwell; half again with the first key", () => {
  const b = new Bench();
  expect(b.at({ idleMs: 0 })).toMatchObject({ workers: 2 });
  expect(b.at({ idleMs: 59_000 })).toMatchObject({ workers: 2 });
  expect(b.at({ idleMs: 60_000 })).toMatchObject({
    workers: 2,
    reason: "2 workers now, more in 30 s if all stays quiet",
  });
  expect(b.at({}, DWELL_MS)).toMatchObject({ workers: 4, reason: "you are away: 4 workers" });
  expect(b.at({ idleMs: 100 })).toMatchObject({
    taking: true,
    workers: 2,
    reason: "you are here: 2 workers",
  });
});

test("only while away: input sends everything off at once, and one key every 50 s keeps it away", () => {
  const b = new Bench({ here: { workers: 0, share: 1 } });
  expect(b.at({ idleMs: 0 })).toMatchObject({ taking: false, guests: "leave" });
  expect(b.decision?.reason).toBe("you are here; work starts after 60 s without input");
  b.at({ idleMs: 61_000 });
  expect(b.decision).toMatchObject({
    taking: false,
    reason: "all is quiet; work starts in 30 s if it stays so",
  });
  expect(b.at({}, DWELL_MS)).toMatchObject({ taking: true, workers: 4 });
  expect(b.at({ idleMs: 0 })).toMatchObject({ taking: false, workers: 0, guests: "leave" });
  for (let n = 0; n < 5; n++) {
    expect(b.at({ idleMs: 49_000 }, 49_000).taking).toBe(false);
    b.at({ idleMs: 0 });
  }
});

test("a locked screen is an absent owner, whatever moved last", () => {
  const b = new Bench({ here: { workers: 0, share: 1 } });
  b.at({ idleMs: 0 });
  b.at({ locked: true });
  expect(b.at({}, DWELL_MS).taking).toBe(true);
});

test("where nobody can tell whether somebody is there, it counts as away, without pretending to know", () => {
  const b = new Bench();
  expect(b.at({ idleMs: undefined })).toMatchObject({ workers: 4, reason: "4 workers" });
});

test("battery: below 30% it stops, at 50% it starts; never and always mean what they say", () => {
  const b = new Bench();
  const at = (charge: number, charging = false) => b.at({ battery: { charge, charging } }, DWELL_MS).taking;
  expect(at(0.35)).toBe(true);
  expect(at(0.29)).toBe(false);
  expect(b.decision?.reason).toBe("the battery is at 29%; work starts again at 50% or on the mains");
  expect(at(0.45)).toBe(false);
  expect(at(0.5)).toBe(true);
  expect(at(0.2)).toBe(false);
  expect(at(0.2, true)).toBe(true);
  const never = new Bench({ onBattery: "never" });
  expect(never.at({ battery: { charge: 1, charging: false } })).toMatchObject({
    taking: false,
    reason: "on battery",
  });
  const always = new Bench({ onBattery: "always" });
  expect(always.at({ battery: { charge: 0.05, charging: false } }).taking).toBe(true);
});

test("data-saver, hours, a page in front: each stops it, with its reason", () => {
  expect(new Bench().at({ metered: true }).reason).toBe("data is being saved on this connection");
  expect(new Bench({ onMetered: true }).at({ metered: true }).taking).toBe(true);
  const night = new Bench({ hours: { fromMinute: 22 * 60, toMinute: 6 * 60 + 30 } });
  expect(night.at().reason).toBe("outside your hours (22:00–06:30)");
  expect(night.at({ minuteOfDay: 22 * 60 }, DWELL_MS).taking).toBe(true);
  expect(night.at({ minuteOfDay: 6 * 60 + 29 }).taking).toBe(true);
  expect(night.at({ minuteOfDay: 6 * 60 + 30 }).taking).toBe(false);
  const hidden = new Bench({ onlyHidden: true });
  expect(hidden.at().reason).toBe("this page is in front");
  expect(hidden.at({ hidden: true }, DWELL_MS).taking).toBe(true);
});

test("a machine under pressure gives way worker by worker, to one at half speed, while somebody is there", () => {
  const b = new Bench({ here: { workers: 3, share: 0.8 } });
  b.at({ idleMs: 0 });
  b.at({ pressure: "critical" }, 9_000);
  expect(b.decision).toMatchObject({ workers: 3, share: 0.8 });
  expect(b.at({}, 1_000)).toMatchObject({ workers: 2, reason: "this machine is busy: only 2 workers" });
  expect(b.at({}, 60_000)).toMatchObject({
    taking: true,
    workers: 1,
    share: 0.4,
    reason: "this machine is busy: 1 worker at half speed",
  });
  expect(b.at({ pressure: "serious" }, 60_000)).toMatchObject({ workers: 1 });
  expect(b.at({ pressure: "fair" }, 2 * DWELL_MS)).toMatchObject({ workers: 3, share: 0.8 });
  const away = new Bench();
  away.at();
  expect(away.at({ pressure: "critical" }, 120_000)).toMatchObject({ workers: 4, share: 1 });
});

test("where the load of other programs is known, it decides: over a half busy, under a quarter free", () => {
  const b = new Bench({ away: { workers: 1, share: 1 } });
  b.at({ pressure: "critical", othersCpu: 0.4 }, 60_000);
  expect(b.decision?.taking).toBe(true);
  expect(b.at({ othersCpu: 0.6 }, 11_000)).toMatchObject({
    taking: false,
    workers: 0,
    reason: "this machine is busy with other things",
  });
  expect(b.at({ othersCpu: 0.4 }, 400_000).taking).toBe(false);
  expect(b.at({ othersCpu: 0.2 }, DWELL_MS).taking).toBe(true);
});

test("traffic and memory: nothing more is taken, and what is here goes on", () => {
  const b = new Bench({ trafficBytesPerDay: 500 * 2 ** 20 });
  b.at();
  expect(b.at({ trafficBytes: 500 * 2 ** 20 })).toMatchObject({
    taking: false,
    guests: "run",
    workers: 4,
    reason: "today’s traffic of 500 MiB is used up",
  });
  const m = new Bench({ memoryBytes: 2 ** 28 });
  m.at();
  expect(m.at({ memoryBytes: 2 ** 28 })).toMatchObject({ taking: false, guests: "run" });
});

test("several tabs share a budget", () => {
  const b = new Bench();
  expect(b.at({ budget: 0 })).toMatchObject({
    taking: false,
    reason: "other tabs of this browser use all the workers you allow",
  });
  expect(b.at({ budget: 1 }, DWELL_MS)).toMatchObject({
    workers: 1,
    reason: "1 worker; other tabs of this browser use the rest",
  });
});

test("pause holds what is here for a while, then lets it move on; resuming does not wait", () => {
  const b = new Bench();
  b.at();
  b.wish = { kind: "paused", sinceMs: b.nowMs };
  expect(b.at()).toMatchObject({ taking: false, guests: "hold" });
  expect(b.at({}, HOLD_MS)).toMatchObject({ taking: false, guests: "leave", reason: "paused by its owner" });
  b.wish = { kind: "on" };
  expect(b.at()).toMatchObject({ taking: true, workers: 4 });
});

test("a snooze ends by itself; finishing takes nothing more and lets what is here run", () => {
  const b = new Bench();
  b.at();
  b.wish = { kind: "snoozed", untilMs: b.nowMs + 3_600_000 };
  expect(b.at()).toMatchObject({ guests: "leave", reason: "snoozed by its owner for 60 min more" });
  b.at({}, 3_600_000);
  expect(b.at({}, DWELL_MS).taking).toBe(true);
  b.wish = { kind: "finishing" };
  expect(b.at()).toMatchObject({ taking: false, guests: "run", workers: 4 });
});

test("readings that hover at a threshold do not make it flap", () => {
  const b = new Bench();
  b.at();
  let changes = 0;
  for (let second = 0; second < 600; second++) {
    const before = b.decision?.taking;
    b.at({
      battery: { charging: false, charge: second % 2 ? 0.29 : 0.31 },
      pressure: second % 3 ? "serious" : "critical",
      idleMs: second % 20 < 10 ? 0 : 10_000,
    });
    b.nowMs += 1000;
    if (b.decision?.taking !== before) changes++;
  }
  expect(changes).toBeLessThanOrEqual(1);
});

test("whom an owner serves", () => {
  const settings = defaultOwnerSettings(4);
  const ann = { id: hostId("a".repeat(26)), name: "ann" };
  const bob = { id: hostId("b".repeat(26)), name: "bob" };
  const refusal = (rules: Partial<OwnerSettings>, home: typeof ann) =>
    refusalOf({ ...settings, ...rules }, home);
  expect(refusal({}, ann)).toBeUndefined();
  expect(refusal({ blocked: [ann] }, ann)).toMatch(/does not serve you/);
  expect(refusal({ servedOnly: [bob] }, ann)).toMatch(/not on it/);
  expect(refusal({ servedOnly: [bob] }, bob)).toBeUndefined();
  // Another name changes nothing, and the same name helps nobody.
  expect(refusal({ blocked: [ann] }, { ...ann, name: "zoe" })).toMatch(/does not serve you/);
  expect(refusal({ blocked: [ann] }, { ...bob, name: "ann" })).toBeUndefined();
  expect(refusal({ servedOnly: [bob] }, { ...ann, name: "bob" })).toMatch(/not on it/);
  // A rule without an id is about whoever is called so.
  expect(refusal({ blocked: [{ id: undefined, name: "ann" }] }, { ...bob, name: "ann" })).toMatch(
    /serve you/,
  );
});
