/**
 * Acts for the owner of a host: looks at the sensors, asks the policy, and carries out what it decides. The same in a
 * page and on Node; what can be told of the machine comes in as `Sensors`.
 *
 * Promise: nothing is taken before `donate`, and from `reclaim` on nothing until the next `donate`.
 */
import type { Clock } from "../base/ports.ts";
import type { Receipt } from "../kernel/state.ts";
import { type Decision, decide, OFF, type Wish } from "../policy/decide.ts";
import type { Readings, Sensors } from "../policy/readings.ts";
import { type OwnerSettings, refusalOf } from "../policy/settings.ts";
import type { Fabric } from "./fabric.ts";

/** Workers that several hosts of one machine share: tabs of one browser. */
export interface Budget {
  /** Asks for this many, and gives back what is more. Answers how many are granted now; more may be, when asked again. */
  want(workers: number): number;
}

export interface StewardOptions {
  readonly fabric: Fabric;
  readonly sensors: Sensors;
  readonly settings: OwnerSettings;
  readonly clock: Clock;
  /** Undefined: this host has the machine to itself. */
  readonly budget?: Budget;
  /** Bytes in and out since midnight, all hosts of this machine that are known of together. */
  readonly trafficToday?: () => number;
  readonly onChange: () => void;
  readonly onReceipt: (receipt: Receipt, reason: string) => void;
  /** Something that was decided could not be done: the engine did not start. */
  readonly onTrouble: (error: unknown) => void;
}

export interface StewardView {
  readonly wish: Wish;
  readonly decision: Decision | undefined;
  readonly readings: Readings;
  /** What the platform does not tell, in sentences. */
  readonly missing: readonly string[];
}

/** Thresholds that are times pass without any sensor saying so. */
const LOOK_MS = 1_000;

/** Sees to it that a host works for others as its owner allows, and no more. */
export class Steward {
  readonly #options: StewardOptions;
  #fabric: Fabric;
  #settings: OwnerSettings;
  #wish: Wish = OFF;
  #decision: Decision | undefined;
  #readings: Readings;
  #cancelLook: () => void = () => {};
  #starting = false;
  /** While guests leave nothing else is decided upon. */
  #leaving = false;
  #closed = false;

  constructor(options: StewardOptions) {
    this.#options = options;
    this.#fabric = options.fabric;
    this.#settings = options.settings;
    this.#readings = this.#read();
    options.sensors.onChange = () => this.#look();
    this.#admit();
    this.#tick();
  }

  get view(): StewardView {
    return {
      wish: this.#wish,
      decision: this.#decision,
      readings: this.#readings,
      missing: this.#options.sensors.missing,
    };
  }

  donate(): void {
    this.#want({ kind: "on" });
  }

  /** Everything stands still at once; what does not go on soon moves elsewhere. */
  pause(): void {
    this.#want({ kind: "paused", sinceMs: this.#now() });
  }

  /** Everything leaves, and work is taken again after this many milliseconds. */
  snooze(ms: number): void {
    this.#want({ kind: "snoozed", untilMs: this.#now() + ms });
  }

  /** Takes nothing more; when what is here has ended, it is over. */
  finish(): void {
    this.#want({ kind: "finishing" });
  }

  /** Stops others' work at once and sends it away; resolves when nothing of it is left here. */
  reclaim(): Promise<Receipt> {
    const reason = "its owner is back";
    this.#wish = { kind: "off", reason };
    this.#decision = undefined;
    return this.#sendAway(reason);
  }

  /** From now on. */
  set settings(settings: OwnerSettings) {
    this.#settings = settings;
    this.#admit();
    this.#look();
  }

  /** Another participant takes the place of the one before, which no longer runs. */
  set fabric(fabric: Fabric) {
    this.#fabric = fabric;
    this.#admit();
    this.#look();
  }

  /** The fabric is different: guests came or went. */
  noticed(): void {
    if (this.#guests().length !== this.#readings.guests) this.#look();
  }

  /** What is here stays as it is; nothing more is done about it. */
  close(): void {
    this.#closed = true;
    this.#cancelLook();
    this.#options.sensors.close();
  }

  #want(wish: Wish): void {
    this.#wish = wish;
    this.#look();
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }

  #admit(): void {
    const settings = this.#settings;
    this.#fabric.admit((home) => refusalOf(settings, home));
  }

  #tick(): void {
    this.#cancelLook = this.#options.clock.after(LOOK_MS, () => {
      this.#look();
      this.#tick();
    });
  }

  #guests() {
    return this.#fabric.donor.guests.filter((guest) => !guest.own && !guest.leaving);
  }

  #read(): Readings {
    const { sensors, trafficToday } = this.#options;
    const { traffic } = this.#fabric;
    const guests = this.#guests();
    return {
      ...sensors.read(),
      guests: guests.length,
      memoryBytes: guests.reduce((sum, guest) => sum + guest.memoryBytes, 0),
      trafficBytes: trafficToday?.() ?? traffic.inBytes + traffic.outBytes,
      budget: Number.POSITIVE_INFINITY,
    };
  }

  #look(): void {
    if (this.#closed) return;
    const readings = this.#read();
    const nowMs = this.#now();
    const decideWith = (budget: number) =>
      decide({ wish: this.#wish, settings: this.#settings }, { ...readings, budget }, this.#decision, nowMs);
    const { budget } = this.#options;
    // Of a page that is hidden, nothing more may be heard: phones end it without saying so.
    if (readings.hidden && !this.#readings.hidden) this.#fabric.saveGuests();
    const { wants } = decideWith(Number.POSITIVE_INFINITY);
    const granted = budget ? budget.want(wants) : Number.POSITIVE_INFINITY;
    const decision = decideWith(granted);
    this.#readings = { ...readings, budget: granted };
    if (this.#wish.kind === "finishing" && readings.guests === 0) {
      this.#wish = { kind: "off", reason: "finished, as you asked" };
      return this.#look();
    }
    if (this.#wish.kind === "snoozed" && this.#wish.untilMs <= nowMs) this.#wish = { kind: "on" };
    const before = this.#decision;
    this.#decision = decision;
    this.#carryOut(decision);
    if (before?.reason !== decision.reason || before.taking !== decision.taking) this.#options.onChange();
  }

  #carryOut(decision: Decision): void {
    const { donor } = this.#fabric;
    if (this.#leaving || donor.state === "leaving") return;
    if (decision.guests === "leave") {
      if (this.#guests().length > 0) void this.#sendAway(decision.reason).catch(this.#options.onTrouble);
      else if (donor.reason !== decision.reason) this.#fabric.refrain(decision.reason);
      return;
    }
    const { workers, share } = decision;
    this.#fabric.limit({
      held: decision.guests === "hold",
      memoryBytes: this.#settings.memoryBytes,
      ...(workers > 0 ? { workers, share } : {}),
    });
    if (!decision.taking) {
      if (donor.reason !== decision.reason) this.#fabric.refrain(decision.reason);
      return;
    }
    if (donor.state === "donating" || this.#starting) return;
    this.#starting = true;
    this.#fabric
      .donate()
      .catch((error) => {
        this.#wish = { kind: "off", reason: "the engine did not start" };
        this.#decision = undefined;
        this.#options.onTrouble(error);
      })
      .finally(() => {
        this.#starting = false;
        // Not where it came to nothing, since others' guests are leaving: that is looked at again before long.
        if (this.#wish.kind === "off" || this.#fabric.donor.state === "donating") this.#look();
      });
  }

  async #sendAway(reason: string): Promise<Receipt> {
    this.#leaving = true;
    try {
      const receipt = await this.#fabric.reclaim(reason);
      this.#options.onReceipt(receipt, reason);
      return receipt;
    } finally {
      this.#leaving = false;
      this.#fabric.limit({ held: false });
      this.#look();
    }
  }
}
