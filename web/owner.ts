/**
 * The owner's half of the model: what was wished and decided, the settings, receipts, and what was given so far.
 * Nothing runs for others before `donate`.
 */
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import {
  type Budget,
  type Fabric,
  type FabricView,
  type OwnerSettings,
  type Person,
  type Receipt,
  type Sensors,
  Steward,
  type StewardView,
  type Store,
} from "../fabric/index.ts";
import {
  add,
  addToHistory,
  type Day,
  dateOf,
  type Given,
  Meter,
  NOTHING_GIVEN,
  sentAwayBy,
} from "./history.ts";
import { saveOwnerSettings, shareOwnerSettings, withPerson } from "./owner-settings.ts";
import { timeReclaim } from "./timing.ts";

/** A receipt, when it was given, and what for; the time is this tab's. */
export interface DatedReceipt {
  readonly receipt: Receipt;
  readonly atMs: number;
  readonly reason: string;
}

/** What the browser can tell, and be asked for. */
export interface TabSensors extends Sensors {
  /** Whether asking could help. */
  idleDetection(): Promise<PermissionState | "missing">;
  /** To be called when the person has just pressed something. */
  askForIdleDetection(): Promise<PermissionState>;
}

export interface OwnerOptions {
  readonly fabric: Fabric;
  readonly store: Store;
  readonly settings: OwnerSettings;
  readonly processors: number;
  readonly sensors: TabSensors;
  readonly budget: Budget;
  readonly clock: ConstructorParameters<typeof Steward>[0]["clock"];
  readonly onTrouble: (what: string, error: unknown) => void;
  /** There is a receipt: what is shown of this host must go with it. */
  readonly onReceipt: () => void;
}

const SNOOZE_MS = 3_600_000;
/** What was given is written down this often: a tab that dies loses no more of it. */
const WRITE_MS = 5_000;

export class OwnerModel {
  readonly state: ReadonlySignal<StewardView>;
  readonly settings: ReadonlySignal<OwnerSettings>;
  /** Newest first. */
  readonly receipts: ReadonlySignal<readonly DatedReceipt[]>;
  /** Oldest first; today's last. */
  readonly history: ReadonlySignal<readonly Day[]>;
  /** Since when this tab has been given, whatever the policy makes of it. */
  readonly sinceMs: ReadonlySignal<number | undefined>;
  /** Whether the browser could tell more, if it were asked. */
  readonly canAskForIdleness: ReadonlySignal<boolean>;

  readonly #options: OwnerOptions;
  readonly #steward: Steward;
  readonly #state: Signal<StewardView>;
  readonly #settings: Signal<OwnerSettings>;
  readonly #receipts = signal<readonly DatedReceipt[]>([]);
  readonly #history = signal<readonly Day[]>([]);
  /** Since the last view. */
  #hasReceipt = false;
  readonly #sinceMs = signal<number | undefined>(undefined);
  readonly #canAskForIdleness = signal(false);
  readonly #tellOtherTabs: (settings: OwnerSettings) => void;
  readonly #meter = new Meter(Date.now());
  #unwritten: Given = NOTHING_GIVEN;

  constructor(options: OwnerOptions) {
    this.#options = options;
    const { fabric, sensors, budget, clock, settings } = options;
    this.#settings = signal(settings);
    this.#steward = new Steward({
      fabric,
      sensors,
      budget,
      clock,
      settings,
      trafficToday: () => this.#today().trafficBytes + this.#unwritten.trafficBytes,
      onChange: () => this.#takeOver(),
      onReceipt: (receipt, reason) => this.#received(receipt, reason),
      onTrouble: (error) => options.onTrouble("This tab cannot take work", error),
    });
    this.#tellOtherTabs = shareOwnerSettings(options.processors, (settings) => this.#hold(settings));
    this.#state = signal(this.#steward.view);
    this.state = this.#state;
    this.settings = this.#settings;
    this.receipts = this.#receipts;
    this.history = this.#history;
    this.sinceMs = this.#sinceMs;
    this.canAskForIdleness = this.#canAskForIdleness;
    this.#write();
    setInterval(() => this.#write(), WRITE_MS);
    this.#lookWhetherToAsk();
  }

  donate(): void {
    this.#sinceMs.value ??= Date.now();
    this.#steward.donate();
    this.#takeOver();
  }
  pause(): void {
    this.#steward.pause();
    this.#takeOver();
  }
  snooze(): void {
    this.#steward.snooze(SNOOZE_MS);
    this.#takeOver();
  }
  finish(): void {
    this.#steward.finish();
    this.#takeOver();
  }
  async reclaim(): Promise<void> {
    const leaving = this.#steward.reclaim();
    this.#takeOver();
    await leaving.catch((error) => this.#options.onTrouble("Reclaim did not finish", error));
  }

  change(change: Partial<OwnerSettings>): void {
    this.#hold({ ...this.#settings.value, ...change });
    this.#tellOtherTabs(this.#settings.value);
    saveOwnerSettings(this.#options.store, this.#settings.value).catch((error) =>
      this.#options.onTrouble(
        "This browser does not keep the change; it holds until you close the tab",
        error,
      ),
    );
  }

  /** Nothing of this participant is served any more, whatever it is called, and what it had here starts elsewhere. */
  block(person: Person): void {
    this.change({ blocked: withPerson(this.#settings.value.blocked, person) });
  }

  async askForIdleness(): Promise<void> {
    await this.#options.sensors.askForIdleDetection().catch(() => "denied");
    this.#lookWhetherToAsk();
    this.#takeOver();
  }

  /** To be called with every new view of the fabric. */
  follow(view: FabricView): void {
    this.#steward.noticed();
    this.#unwritten = add(this.#unwritten, this.#meter.look(view, Date.now()));
    if (this.#hasReceipt) this.#write(); // the owner looks now
    this.#hasReceipt = false;
    this.#takeOver();
  }

  set fabric(fabric: Fabric) {
    this.#meter.restart();
    this.#steward.fabric = fabric;
  }

  close(): void {
    this.#write();
    this.#steward.close();
  }

  #hold(settings: OwnerSettings): void {
    this.#settings.value = settings;
    this.#steward.settings = settings;
    this.#takeOver();
  }

  #takeOver(): void {
    batch(() => {
      this.#state.value = this.#steward.view;
      if (this.#state.value.wish.kind === "off") this.#sinceMs.value = undefined;
    });
  }

  #received(receipt: Receipt, reason: string): void {
    timeReclaim(receipt);
    this.#unwritten = add(this.#unwritten, sentAwayBy(receipt));
    this.#hasReceipt = true;
    batch(() => {
      this.#options.onReceipt();
      this.#receipts.value = [{ receipt, reason, atMs: Date.now() }, ...this.#receipts.value];
      this.#takeOver();
    });
  }

  #today(): Given {
    const date = dateOf(Date.now());
    return this.#history.value.find((day) => day.date === date) ?? NOTHING_GIVEN;
  }

  /** Where storage is denied, the history is this tab's alone and goes with it. */
  #write(): void {
    const more = this.#unwritten;
    const nothing = Object.values(more).every((n) => n === 0);
    if (nothing && this.#history.value.length > 0) return;
    this.#unwritten = NOTHING_GIVEN;
    addToHistory(this.#options.store, dateOf(Date.now()), more).then(
      (days) => {
        this.#history.value = days;
      },
      () => {
        this.#unwritten = add(this.#unwritten, more);
      },
    );
  }

  #lookWhetherToAsk(): void {
    void this.#options.sensors.idleDetection().then((state) => {
      this.#canAskForIdleness.value = state === "prompt";
    });
  }
}
