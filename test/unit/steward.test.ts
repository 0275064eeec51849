/** What an owner says to his host in odd orders. The host is only played: one that is asked without end would never end a real one's test. */
import { expect, test } from "vitest";
import type { Fabric } from "../../fabric/host/fabric.ts";
import { Steward } from "../../fabric/host/steward.ts";
import type { DonorView } from "../../fabric/host/view.ts";
import { Roost, type Surroundings } from "../../fabric/library.ts";
import type { Sensors } from "../../fabric/policy/readings.ts";
import { defaultOwnerSettings } from "../../fabric/policy/settings.ts";

const GUEST = { own: false, leaving: false, memoryBytes: 0 } as DonorView["guests"][number];
const ASKED_MAX = 20;

const sensors = (): Sensors => ({
  missing: [],
  onChange: () => {},
  close: () => {},
  read: () => ({
    ...{ idleMs: undefined, locked: undefined, hidden: undefined, pressure: undefined, othersCpu: undefined },
    ...{ battery: undefined, metered: undefined, minuteOfDay: 720 },
  }),
});

/** A host with a guest, which leaves when the test says so. */
class PlayedHost {
  asked = 0;
  state: DonorView["state"] = "off";
  guests = [GUEST];
  readonly traffic = { inBytes: 0, outBytes: 0 };
  readonly #listeners = new Set<() => void>();
  #left = () => {};

  get donor() {
    return { state: this.state, reason: "", guests: this.guests };
  }
  get view() {
    return { donor: this.donor, traffic: this.traffic };
  }
  onChange(listener: () => void) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  async donate() {
    if (++this.asked > ASKED_MAX) throw new Error("it is asked again and again");
    if (this.state !== "leaving") this.state = "donating";
  }
  reclaim() {
    this.state = "leaving";
    return new Promise((resolve) => {
      this.#left = () => resolve({ cpuBackMs: 0, emptyMs: 0, left: [] });
    });
  }
  allLeave() {
    this.guests = [];
    this.state = "off";
    this.#left();
    this.changes();
  }
  changes() {
    for (const listener of this.#listeners) listener();
  }
  refrain() {}
  limit() {}
  admit() {}
  saveGuests() {}
  close() {}
}

function played() {
  const host = new PlayedHost();
  const ticks = new Set<() => void>();
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_: number, run: () => void) => {
      ticks.add(run);
      return () => ticks.delete(run);
    },
  };
  const tick = () => {
    for (const run of [...ticks]) {
      ticks.delete(run);
      run();
    }
  };
  const fabric = host as unknown as Fabric;
  const surroundings = { clock, processors: 2, sensors, close: () => {} } as unknown as Surroundings;
  return { host, clock, fabric, tick, roost: new Roost(fabric, [], surroundings) };
}

/** Everything that was to come of it has. */
const settled = () => new Promise(setImmediate);

test("who reclaims and donates again at once gives nothing before all have left, and then does", async () => {
  const { host, roost, tick } = played();
  roost.donate();
  await settled();
  const away = roost.reclaim();
  roost.donate();
  await settled();
  expect(host).toMatchObject({ asked: 1, state: "leaving" });
  host.allLeave();
  await away;
  tick();
  await settled();
  expect(host).toMatchObject({ asked: 2, state: "donating" });
});

test("who donates twice is heard once, and what he said before is nobody's wish any more", async () => {
  const { host, roost, tick } = played();
  roost.donate();
  await settled();
  roost.donate();
  await settled();
  const away = roost.reclaim();
  host.allLeave();
  await away;
  tick();
  await settled();
  expect(host).toMatchObject({ asked: 1, state: "off" });
});

test("who has left is told so when he donates, and leaves once, however often he says so", async () => {
  const { host, roost } = played();
  roost.donate();
  await settled();
  let hasLeft = 0;
  const leaves = [roost.close(), roost.close()].map((leave) => leave.then(() => hasLeft++));
  await settled();
  expect([host.state, hasLeft]).toEqual(["leaving", 0]);
  host.allLeave();
  await Promise.all(leaves);
  expect(() => roost.donate()).toThrow(/EINVAL: this participant has left; join again/);
  await settled();
  expect(host.asked).toBe(1);
});

test("the sensors are not asked because a job of one's own goes on", async () => {
  const { host, clock, fabric } = played();
  let reads = 0;
  const read = () => {
    reads++;
    return sensors().read();
  };
  const steward = new Steward({
    ...{ fabric, clock, sensors: { ...sensors(), read }, settings: defaultOwnerSettings(2) },
    ...{ onChange: () => {}, onReceipt: () => {}, onTrouble: () => {} },
  });
  host.onChange(() => steward.noticed());
  steward.donate();
  await settled();
  const before = reads;
  for (let n = 0; n < 100; n++) host.changes();
  expect(reads).toBe(before);
  steward.close();
});
