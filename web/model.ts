/**
 * What the page shows and what it can do, apart from how it looks. Events of the fabric become one immutable view, at
 * most once a frame; components read it and call the actions here.
 *
 * Promise: nothing runs in this tab before `donate` or `run` is called.
 */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import {
  pid as asPid,
  type Environment,
  Fabric,
  type FabricView,
  type HostId,
  type JobId,
  type JobView,
  type Receipt,
  RoostError,
  type Store,
} from "../fabric/index.ts";
import { Launch, type Order } from "./launch.ts";
import { HostMarks } from "./places.ts";
import { loadFiles, loadSettings, type Settings, saveFiles, saveSettings } from "./settings.ts";
import { timeReclaim } from "./timing.ts";

export interface ModelOptions {
  /** A participant's surroundings, under a name. */
  readonly environment: (name: string) => Environment;
  readonly name: string;
  /** Keeps the name for this tab alone. */
  readonly saveName: (name: string) => void;
  readonly store: Store;
  readonly defaults: Settings;
  readonly workersMax: number;
  /** The relay's address, for people. */
  readonly relayName: string;
}

/** A receipt and when it was given; the time is this tab's. */
export interface DatedReceipt {
  readonly receipt: Receipt;
  readonly atMs: number;
}

/** While anything counts seconds, they are looked at this often. */
const TICK_MS = 250;
/** Of the page's thread, on which its links speak too, showing what happens takes this part at most; but no longer a wait than that. */
const SHOWING_PART = 1 / 5;
const SHOWING_WAIT_MS = 250;

export class Model {
  readonly view: ReadonlySignal<FabricView>;
  /** Wall-clock time, as of the last tick or change. */
  readonly nowMs: ReadonlySignal<number>;
  readonly settings: ReadonlySignal<Settings>;
  readonly files: ReadonlySignal<ReadonlyMap<string, Uint8Array>>;
  /** Newest first. */
  readonly launches: ReadonlySignal<readonly Launch[]>;
  /** The launch that is looked at. */
  readonly launch: ReadonlySignal<Launch | undefined>;
  readonly job: ReadonlySignal<JobView | undefined>;
  /** Raised with every change of what launches hold beyond the view: lines, input, files. */
  readonly outputVersion: ReadonlySignal<number>;
  /** Newest first. */
  readonly receipts: ReadonlySignal<readonly DatedReceipt[]>;
  /** Since when this tab has been taking work. */
  readonly donatingSinceMs: ReadonlySignal<number | undefined>;
  readonly hasBeenOnline: ReadonlySignal<boolean>;
  /** The last thing that went wrong here, as a sentence. */
  readonly trouble: Signal<string>;
  readonly marks = new HostMarks();
  readonly relayName: string;
  readonly workersMax: number;

  readonly #options: ModelOptions;
  readonly #view: Signal<FabricView>;
  readonly #nowMs = signal(Date.now());
  readonly #settings: Signal<Settings>;
  readonly #files = signal<ReadonlyMap<string, Uint8Array>>(new Map());
  readonly #launches = signal<readonly Launch[]>([]);
  readonly #chosen = signal<JobId | undefined>(undefined);
  readonly #outputVersion = signal(0);
  readonly #receipts = signal<readonly DatedReceipt[]>([]);
  readonly #donatingSinceMs = signal<number | undefined>(undefined);
  readonly #hasBeenOnline = signal(false);
  #fabric: Fabric;
  #unsubscribe: () => void = () => {};
  #receiptsSeen = 0;
  #outputChanged = false;
  #cancelRefresh: (() => void) | undefined;
  /** By `performance.now`: not to be shown anything new before. */
  #showsAtMs = 0;
  /** Jobs of participants this tab was before it was renamed: ended, and kept to be read. */
  #past: readonly JobView[] = [];

  private constructor(
    options: ModelOptions,
    settings: Settings,
    files: ReadonlyMap<string, Uint8Array>,
    trouble: string,
  ) {
    this.#options = options;
    this.relayName = options.relayName;
    this.workersMax = options.workersMax;
    this.trouble = signal(trouble);
    this.#settings = signal(settings);
    this.#files.value = files;
    this.#fabric = this.#newFabric(options.name);
    this.#view = signal(this.#fabric.view);
    this.marks.markOf(this.#fabric.id);
    this.view = this.#view;
    this.nowMs = this.#nowMs;
    this.settings = this.#settings;
    this.files = this.#files;
    this.launches = this.#launches;
    this.outputVersion = this.#outputVersion;
    this.receipts = this.#receipts;
    this.donatingSinceMs = this.#donatingSinceMs;
    this.hasBeenOnline = this.#hasBeenOnline;
    this.launch = computed(
      () => this.#launches.value.find((l) => l.job.id === this.#chosen.value) ?? this.#launches.value[0],
    );
    this.job = computed(() => this.launch.value?.view(this.view.value.jobs));
    setInterval(() => {
      if (this.#countsSeconds()) this.#nowMs.value = Date.now();
    }, TICK_MS);
  }

  static async open(options: ModelOptions): Promise<Model> {
    const { store, defaults, workersMax } = options;
    try {
      const [settings, files] = await Promise.all([
        loadSettings(store, defaults, workersMax),
        loadFiles(store),
      ]);
      return new Model(options, settings, files, "");
    } catch (error) {
      const sentence = `This browser keeps nothing for this page (${reasonOf(error)}): settings and files last until you close the tab.`;
      return new Model(options, defaults, new Map(), sentence);
    }
  }

  // ---- the owner ----

  async donate(): Promise<void> {
    this.#donatingSinceMs.value = Date.now();
    await this.#attempt("This tab cannot take work", () => this.#fabric.donate());
    this.#refresh();
  }

  /** Takes nothing more; what is here goes on to its end. */
  pause(): void {
    this.#fabric.refrain("paused by its owner");
  }

  async reclaim(): Promise<void> {
    await this.#attempt("Reclaim did not finish", () =>
      this.#fabric.reclaim("its owner is back").then(timeReclaim),
    );
  }

  /** Whether the name and the number of workers can change: not under running work. */
  readonly canReconfigure = (): boolean =>
    this.#view.value.donor.state === "off" &&
    this.#view.value.donor.guests.length === 0 &&
    this.#view.value.jobs.every((job) => job.endedMs !== undefined);

  setWorkers(workers: number): void {
    this.changeSettings({ workers: Math.min(this.workersMax, Math.max(1, workers)) });
    this.#replaceFabric(this.#fabric.name);
  }

  setName(name: string): void {
    const trimmed = name.trim().slice(0, 60);
    if (trimmed === "" || trimmed === this.#fabric.name) return;
    this.#options.saveName(trimmed);
    this.#replaceFabric(trimmed);
  }

  // ---- the author ----

  changeSettings(change: Partial<Settings>): void {
    this.#settings.value = { ...this.#settings.value, ...change };
    this.#keep(saveSettings(this.#options.store, this.#settings.value));
  }

  /** Adds files the person gives, or with no argument forgets them all. */
  giveFiles(more?: ReadonlyMap<string, Uint8Array>): void {
    this.#files.value = more ? new Map([...this.#files.value, ...more]) : new Map();
    this.#keep(saveFiles(this.#options.store, this.#files.value));
  }

  async run(order: Order): Promise<void> {
    await this.#attempt(`${order.name} did not start`, async () => {
      const launch = await Launch.start(this.#fabric, order, () => this.#touchOutput());
      batch(() => {
        this.#launches.value = [launch, ...this.#launches.value];
        this.#chosen.value = launch.job.id;
      });
      this.#refresh();
    });
  }

  look(launch: Launch): void {
    this.#chosen.value = launch.job.id;
  }

  kill(launch: Launch, pid: number): void {
    launch.job.kill(asPid(pid), "SIGKILL");
  }

  move(launch: Launch, pid: number, to: HostId): void {
    launch.job.migrate(asPid(pid), to);
  }

  /** The page is going away: tell the others now rather than let them find out. */
  close(): void {
    this.#fabric.close();
  }

  // ---- inside ----

  #newFabric(name: string): Fabric {
    const fabric = new Fabric(this.#options.environment(name), { workers: this.#settings.value.workers });
    this.#unsubscribe = fabric.onChange(() => this.#refresh());
    return fabric;
  }

  /** A participant's name and size are fixed for its life, so a changed one is another participant. */
  #replaceFabric(name: string): void {
    if (!this.canReconfigure()) return;
    this.#unsubscribe();
    this.#past = this.#view.value.jobs;
    this.#fabric.close();
    this.#fabric = this.#newFabric(name);
    this.#receiptsSeen = 0;
    this.#refresh();
  }

  #countsSeconds(): boolean {
    const { relay, donor, jobs } = this.#view.value;
    return (
      relay.state === "connecting" || donor.state !== "off" || jobs.some((job) => job.endedMs === undefined)
    );
  }

  #touchOutput(): void {
    this.#outputChanged = true;
    this.#refresh();
  }

  /** Takes over the fabric's state before the next frame, or one soon after; in a hidden tab, which has no frames, soon. */
  #refresh(): void {
    if (this.#cancelRefresh) return;
    let frame = 0;
    const run = () => {
      this.#cancelRefresh?.();
      this.#cancelRefresh = undefined;
      const beganMs = performance.now();
      this.#takeOver();
      setTimeout(() => this.#restAfter(performance.now() - beganMs)); // after this frame was drawn
    };
    const inFrame = () => {
      frame = requestAnimationFrame(run);
    };
    const waitMs = this.#showsAtMs - performance.now();
    const wait = waitMs > 0 ? setTimeout(inFrame, waitMs) : undefined;
    if (wait === undefined) inFrame();
    const timer = setTimeout(run, SHOWING_WAIT_MS);
    this.#cancelRefresh = () => {
      clearTimeout(wait);
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }

  /** `costMs`: what it took to show the last change, with all that the browser does for it. */
  #restAfter(costMs: number): void {
    const restMs = Math.min(costMs * (1 / SHOWING_PART - 1), SHOWING_WAIT_MS);
    this.#showsAtMs = performance.now() + restMs;
  }

  #takeOver(): void {
    const view = this.#fabric.view;
    const fresh = view.donor.receipts.slice(this.#receiptsSeen);
    this.#receiptsSeen = view.donor.receipts.length;
    batch(() => {
      this.#nowMs.value = Date.now();
      if (view.relay.state === "online") this.#hasBeenOnline.value = true;
      this.#view.value = this.#past.length > 0 ? { ...view, jobs: [...this.#past, ...view.jobs] } : view;
      if (view.donor.state === "off") this.#donatingSinceMs.value = undefined;
      if (fresh.length > 0) {
        const dated = fresh.map((receipt) => ({ receipt, atMs: Date.now() })).reverse();
        this.#receipts.value = [...dated, ...this.#receipts.value];
      }
      if (this.#outputChanged) this.#outputVersion.value++;
      this.#outputChanged = false;
    });
  }

  async #attempt(what: string, action: () => Promise<unknown>): Promise<void> {
    this.trouble.value = "";
    try {
      await action();
    } catch (error) {
      this.trouble.value = `${what}: ${reasonOf(error)}`;
    }
  }

  #keep(saving: Promise<void>): void {
    saving.catch((error) => {
      this.trouble.value = `This browser does not keep the change (${reasonOf(error)}); it holds until you close the tab.`;
    });
  }
}

/** Codes are for programs. */
function reasonOf(error: unknown): string {
  if (error instanceof RoostError) return error.message.slice(error.code.length + 2);
  return error instanceof Error ? error.message : String(error);
}
