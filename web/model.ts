/**
 * What the page shows and what it can do, apart from how it looks. Events of the fabric become one immutable view, at
 * most once a frame; components read it and call the actions here.
 *
 * Promise: nothing runs in this tab before `donate` or `run` is called.
 */
import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import {
  pid as asPid,
  defaultOwnerSettings,
  type Environment,
  Fabric,
  type FabricView,
  forgetJob,
  type HostId,
  type Job,
  type JobId,
  type JobView,
  keptJobs,
  type OwnerSettings,
  RoostError,
  readKeptJob,
  type Store,
  systemClock,
} from "../fabric/index.ts";

import { holdAsHome, jobsOutliveTabs, whereHomeIsGone } from "./home-lock.ts";
import { Launch, type Listeners } from "./launch.ts";
import { OwnerModel, type OwnerOptions } from "./owner.ts";
import { loadOwnerSettings } from "./owner-settings.ts";
import { HostMarks } from "./places.ts";
import { OWN } from "./programs.ts";
import { forgetRecord, loadRecords, PastRun, recordOf, saveRecord } from "./records.ts";
import { RemoteRun } from "./remote-run.ts";
import type { Order, Run } from "./run.ts";
import { loadFiles, loadSettings, type Settings, saveFiles, saveSettings } from "./settings.ts";

export interface ModelOptions {
  /** A participant's surroundings, under a name. */
  readonly environment: (name: string) => Environment;
  readonly name: string;
  /** Keeps the name for this tab alone. */
  readonly saveName: (name: string) => void;
  /** Whether this tab is the same participant the next time. */
  readonly identityIsKept: boolean;
  readonly store: Store;
  readonly defaults: Settings;
  readonly processors: number;
  readonly sensors: OwnerOptions["sensors"];
  readonly budget: OwnerOptions["budget"];
  readonly clock: OwnerOptions["clock"];
  /** The relay's address, for people. */
  readonly relayName: string;
  /** The address of a job elsewhere that is to be shown. */
  readonly job?: string | undefined;
}

type MessageListener = (from: number, to: number) => void;

/** What was found in storage. */
interface Kept {
  readonly settings: Settings;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly owner: OwnerSettings;
}

/** So long after it was last looked for, a home of another page is looked for once more. */
const HOME_AWAY_MS = 512_000;
/** A job that runs is written down this often. */
const REMEMBER_MS = 5_000;
/** While anything counts seconds, they are looked at this often. */
const TICK_MS = 250;
/**
 * Of the page's thread, on which its links speak too, showing what happens takes this part at most: a letter or a move that
 * comes in the midst of it waits. More in the seconds after somebody has done something here; and nobody waits longer than that.
 */
const SHOWING_PART = 1 / 20;
const SHOWING_PART_IN_USE = 1 / 5;
const SHOWING_WAIT_MS = 250;
/** What happens by itself is shown so much later, with what follows from it: showing the start of a move would be in the way of its end. */
const SHOWING_LATER_MS = 100;

export class Model {
  readonly view: ReadonlySignal<FabricView>;
  /** Wall-clock time, as of the last tick or change. */
  readonly nowMs: ReadonlySignal<number>;
  readonly settings: ReadonlySignal<Settings>;
  readonly files: ReadonlySignal<ReadonlyMap<string, Uint8Array>>;
  /** Jobs of this page and of earlier ones, newest first. */
  readonly runs: ReadonlySignal<readonly Run[]>;
  /** The one that is looked at. */
  readonly run: ReadonlySignal<Run | undefined>;
  readonly job: ReadonlySignal<JobView | undefined>;
  /** Raised with every change of what launches hold beyond the view: lines, input, files. */
  readonly outputVersion: ReadonlySignal<number>;
  readonly hasBeenOnline: ReadonlySignal<boolean>;
  /** The last thing that went wrong here, as a sentence. */
  readonly trouble: Signal<string>;
  readonly marks = new HostMarks();
  readonly owner: OwnerModel;
  readonly relayName: string;
  readonly processors: number;
  readonly identityIsKept: boolean;

  readonly #options: ModelOptions;
  readonly #view: Signal<FabricView>;
  readonly #nowMs = signal(systemClock.now());
  readonly #settings: Signal<Settings>;
  readonly #files = signal<ReadonlyMap<string, Uint8Array>>(new Map());
  readonly #runs = signal<readonly Run[]>([]);
  readonly #chosen = signal<JobId | undefined>(undefined);
  readonly #outputVersion = signal(0);
  readonly #hasBeenOnline = signal(false);
  #fabric: Fabric;
  #unsubscribe: () => void = () => {};
  #outputChanged = false;
  readonly #messageListeners = new Set<MessageListener>();
  #cancelRefresh: (() => void) | undefined;
  /** By `performance.now`: not to be shown anything new before. */
  #showsAtMs = 0;
  /** Jobs of participants this tab was before it was renamed: ended, and kept to be read. */
  #past: readonly JobView[] = [];
  /** The address of a job that is to be come back to, once the relay is there. */
  #wanted: string | undefined;

  private constructor(options: ModelOptions, kept: Kept, trouble: string) {
    this.#options = options;
    this.#wanted = options.job;
    this.relayName = options.relayName;
    this.processors = options.processors;
    this.identityIsKept = options.identityIsKept;
    this.trouble = signal(trouble);
    this.#settings = signal(kept.settings);
    this.#files.value = kept.files;
    this.#fabric = this.#newFabric(options.name);
    this.#view = signal(this.#fabric.view);
    this.marks.markOf(this.#fabric.id);
    this.view = this.#view;
    this.nowMs = this.#nowMs;
    this.settings = this.#settings;
    this.files = this.#files;
    this.runs = this.#runs;
    this.outputVersion = this.#outputVersion;
    this.owner = new OwnerModel({
      ...options,
      fabric: this.#fabric,
      settings: kept.owner,
      onTrouble: (what, error) => this.#complain(what, error),
      onReceipt: () => this.#showNow(),
    });
    this.hasBeenOnline = this.#hasBeenOnline;
    this.run = computed(() => {
      const chosen = this.#runs.value.find((run) => run.id === this.#chosen.value);
      return chosen ?? this.#runs.value.find((run) => run.live);
    });
    this.job = computed(() => this.run.value?.view(this.view.value.jobs));
    setInterval(() => {
      if (this.#countsSeconds()) this.#nowMs.value = systemClock.now();
    }, TICK_MS);
    setInterval(() => {
      for (const run of this.#runs.value) if (run.live && this.#isRunning(run)) this.#remember(run);
    }, REMEMBER_MS);
    loadRecords(options.store)
      .then((records) => {
        this.#runs.value = [...this.#runs.value, ...records.map((record) => new PastRun(record))];
      })
      .catch(() => {}) // storage denied: that was said already
      .then(() => this.#goOn())
      .catch(() => {});
  }

  static async open(options: ModelOptions): Promise<Model> {
    const { store, defaults, processors } = options;
    try {
      const [settings, files, owner] = await Promise.all([
        loadSettings(store, defaults),
        loadFiles(store),
        loadOwnerSettings(store, processors),
      ]);
      return new Model(options, { settings, files, owner }, "");
    } catch (error) {
      const sentence = `This browser keeps nothing for this page (${reasonOf(error)}): settings, files and jobs last until you close the tab. To keep them, allow this site to store data, or leave private browsing.`;
      const owner = defaultOwnerSettings(processors);
      return new Model(options, { settings: defaults, files: new Map(), owner }, sentence);
    }
  }

  // ---- the participant ----

  /** Whether the name can change: not under running work. */
  readonly canRename = (): boolean =>
    this.owner.state.value.wish.kind === "off" &&
    this.#view.value.donor.guests.length === 0 &&
    this.#view.value.jobs.every((job) => job.endedMs !== undefined);

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

  async launch(order: Order): Promise<void> {
    await this.#attempt(`${order.name} did not start`, async () => {
      const launch = await Launch.start(this.#fabric, order, this.#options.store, this.#listeners);
      holdAsHome(launch.job);
      this.#show(launch);
    });
  }

  /** Jobs of pages that have gone, this one before its reload among them, go on here. What cannot now may later: it stays. */
  async #goOn(): Promise<void> {
    for (const id of await keptJobs(this.#options.store)) {
      const runsElsewhere = await whereHomeIsGone(id, () => this.#goOnWith(id)).catch((error) =>
        this.#cannotGoOn(id, error),
      );
      if (runsElsewhere)
        this.#runs.value = this.#runs.value.map((run) =>
          run instanceof PastRun && run.id === id ? run.inAnotherTab() : run,
        );
    }
  }

  async #goOnWith(id: JobId): Promise<Job | undefined> {
    const { store } = this.#options;
    const atRest = await readKeptJob(store, id);
    if (!atRest) return undefined;
    const launch = await Launch.revive(this.#fabric, atRest, store, this.#listeners);
    this.#show(launch);
    return launch.job;
  }

  #cannotGoOn(id: JobId, error: unknown): void {
    const run = this.#runs.value.find((run) => run.id === id);
    const isDamaged = error instanceof RoostError && error.code === "EINVAL";
    if (isDamaged) void forgetJob(this.#options.store, id).catch(() => {});
    if (run) this.look(run);
    const then = isDamaged ? "" : ". It is kept: reload the page to try again, or forget it.";
    const reason = reasonOf(error).replace(/[.?]$/, "");
    this.trouble.value = `${run?.order.name ?? "A job of an earlier page"} could not go on: ${reason}${then}`;
  }

  #show(run: Run): void {
    batch(() => {
      this.#runs.value = [run, ...this.#runs.value.filter(({ id }) => id !== run.id)];
      this.#chosen.value = run.id;
    });
    this.#refresh();
  }

  #comeBackTo(address: string): Promise<void> {
    return this.#attempt("The job of this page’s address cannot be shown", async () => {
      this.#show(await this.#watch(address));
    });
  }

  #watch(address: string): Promise<RemoteRun> {
    return RemoteRun.open(this.#fabric, address, {
      change: () => this.#touchOutput(),
      lost: (run) => void this.#lookFor(run, address),
    });
  }

  /** A home that is out of sight may be another page in a moment: looked for less and less often, as long as its job is listed. */
  async #lookFor(lost: Run, address: string): Promise<void> {
    for (let waitMs = 1_000; waitMs <= HOME_AWAY_MS; waitMs *= 2) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (!this.#runs.value.includes(lost)) return;
      const run = await this.#watch(address).catch(() => undefined);
      if (!run) continue;
      this.#runs.value = this.#runs.value.map((other) => (other === lost ? run : other));
      return this.#refresh();
    }
  }

  readonly #listeners: Listeners = {
    output: () => this.#touchOutput(),
    event: (event) => {
      if (event.type === "sent") for (const tell of this.#messageListeners) tell(event.pid, event.to);
    },
    end: (launch) => {
      this.#touchOutput();
      this.#remember(launch);
    },
  };

  look(run: Run): void {
    this.#chosen.value = run.id;
  }

  /** Calls back for every message between processes of jobs of this page. Returns what ends that. */
  onMessage(listener: MessageListener): () => void {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  /** Forgets a job that is over, or could not go on. */
  forget(run: Run): void {
    const { store } = this.#options;
    this.#runs.value = this.#runs.value.filter((other) => other !== run);
    this.#keep(forgetRecord(store, run.id));
    this.#keep(whereHomeIsGone(run.id, () => forgetJob(store, run.id)).then(() => {}));
  }

  /** Whether a job that runs would end with this tab: this browser does not keep it, or tabs cannot tell whose it is. */
  get losesJobs(): boolean {
    return this.#runs.value.some(
      (run) => run instanceof Launch && this.#isRunning(run) && (run.notKept || !jobsOutliveTabs()),
    );
  }

  /** Shows its program in the editor, to be changed and run again. */
  edit({ order }: Run): void {
    this.changeSettings({
      program: OWN,
      ownSource: order.source,
      ownFileName: order.fileName,
      args: { ...this.#settings.value.args, [OWN]: order.args.join(" ") },
    });
  }

  /** Nothing happens to a job that has ended. */
  signal(run: Run, pid: number, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    if (run instanceof Launch) run.job.kill(asPid(pid), signal);
    if (run instanceof RemoteRun)
      void this.#attempt(`Process ${pid} was not told`, () => run.kill(pid, signal));
  }

  move(run: Run, pid: number, to: HostId): void {
    if (run instanceof Launch) run.job.migrate(asPid(pid), to);
    if (run instanceof RemoteRun)
      void this.#attempt(`Process ${pid} did not move`, () => run.migrate(pid, to));
  }

  /** The page is going away: tell the others now rather than let them find out. */
  close(): void {
    this.owner.close();
    this.#fabric.close();
  }

  // ---- inside ----

  #newFabric(name: string): Fabric {
    // Enough for this tab's own jobs; for others' there will be as many as the owner's settings say.
    const workers = Math.max(1, Math.floor(this.#options.processors / 2));
    const fabric = new Fabric(this.#options.environment(name), { workers });
    this.#unsubscribe = fabric.onChange(() => this.#refresh());
    return fabric;
  }

  /** What stands on a name is made anew with it. Where an identity is kept, it is the same participant all the same. */
  #replaceFabric(name: string): void {
    if (!this.canRename()) return;
    this.#unsubscribe();
    this.#past = this.#view.value.jobs;
    this.#fabric.close();
    this.#fabric = this.#newFabric(name);
    this.owner.fabric = this.#fabric;
    this.#refresh();
  }

  #countsSeconds(): boolean {
    const { relay, jobs } = this.#view.value;
    const given = this.owner.state.value.wish.kind !== "off";
    return relay.state === "connecting" || given || jobs.some((job) => job.endedMs === undefined);
  }

  #isRunning(run: Run): boolean {
    const view = run.view(this.#view.value.jobs);
    return view !== undefined && view.endedMs === undefined;
  }

  /** Where nothing is kept, a job is forgotten with its page; that was said when it opened. */
  #remember(run: Run): void {
    const view = run.view(this.#fabric.view.jobs) ?? run.view(this.#view.value.jobs);
    if (view) saveRecord(this.#options.store, recordOf(run, view, systemClock.now())).catch(() => {});
  }

  #touchOutput(): void {
    this.#outputChanged = true;
    this.#refresh();
  }

  /** Takes over the fabric's state before a frame that comes soon; in a hidden tab, which has no frames, soon as well. */
  #refresh(): void {
    if (this.#cancelRefresh) return;
    let frame = 0;
    const run = () => this.#showNow();
    const inFrame = () => {
      frame = requestAnimationFrame(run);
    };
    const laterMs = navigator.userActivation?.isActive ? 0 : SHOWING_LATER_MS;
    const waitMs = Math.max(this.#showsAtMs - performance.now(), laterMs);
    const wait = waitMs > 0 ? setTimeout(inFrame, waitMs) : undefined;
    if (wait === undefined) inFrame();
    const timer = setTimeout(run, SHOWING_WAIT_MS);
    this.#cancelRefresh = () => {
      clearTimeout(wait);
      cancelAnimationFrame(frame);
      clearTimeout(timer);
    };
  }

  #showNow(): void {
    this.#cancelRefresh?.();
    this.#cancelRefresh = undefined;
    const beganMs = performance.now();
    this.#takeOver();
    setTimeout(() => this.#restAfter(performance.now() - beganMs)); // after this frame was drawn
  }

  /** `costMs`: what it took to show the last change, with all that the browser does for it. */
  #restAfter(costMs: number): void {
    const part = navigator.userActivation?.isActive ? SHOWING_PART_IN_USE : SHOWING_PART;
    const restMs = Math.min(costMs * (1 / part - 1), SHOWING_WAIT_MS);
    this.#showsAtMs = performance.now() + restMs;
  }

  #takeOver(): void {
    const view = this.#fabric.view;
    this.owner.follow(view);
    for (const run of this.#runs.value) {
      const job = run instanceof Launch && run.view(view.jobs);
      if (job && job.endedMs === undefined) run.trace.look(job, systemClock.now());
    }
    if (this.#wanted !== undefined && view.relay.state === "online") {
      void this.#comeBackTo(this.#wanted);
      this.#wanted = undefined;
    }
    batch(() => {
      this.#nowMs.value = systemClock.now();
      if (view.relay.state === "online") this.#hasBeenOnline.value = true;
      this.#view.value = this.#past.length > 0 ? { ...view, jobs: [...this.#past, ...view.jobs] } : view;
      if (this.#outputChanged) this.#outputVersion.value++;
      this.#outputChanged = false;
    });
  }

  async #attempt(what: string, action: () => Promise<unknown>): Promise<void> {
    this.trouble.value = "";
    try {
      await action();
    } catch (error) {
      this.#complain(what, error);
    }
  }

  #complain(what: string, error: unknown): void {
    this.trouble.value = `${what}: ${reasonOf(error)}`;
  }

  #keep(saving: Promise<void>): void {
    saving.catch((error) => {
      this.trouble.value = `This browser does not keep the change (${reasonOf(error)}); it holds until you close the tab.`;
    });
  }
}

/** Codes are for programs. */
export function reasonOf(error: unknown): string {
  if (error instanceof RoostError) return error.message.slice(error.code.length + 2);
  return error instanceof Error ? error.message : String(error);
}
