/**
 * Chaos in real browsers: jobs run in a tab that stays, on tabs of other Chromium processes that are killed, stopped, cut
 * off, reloaded and reclaimed, while the relay comes and goes, all by one seed. Nothing of it may show in what jobs print.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Page } from "playwright";
import { must } from "../../fabric/base/errors.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Relay } from "../../relay/index.ts";
import { JOBS, type JobProgram, load } from "../programs/jobs.ts";
import { chance } from "../sim/world.ts";
import { buildParticipantPage, loaded, type ParticipantPage, Participants, relayOf } from "./participants.ts";

/** Browsers beside the launcher's; the first has two tabs. */
const BROWSERS = 3;
const BETWEEN_MS = { least: 50, most: 500 };
/** While the relay is away nobody can join. */
const RETRY_MS = 300;
const JOBS_AT_ONCE = 2;
/** A job that takes longer hangs. */
const PATIENCE_MS = 180_000;

const TROUBLES = [
  "kill",
  "stop",
  "cut",
  "cut",
  "reload",
  "reclaim",
  "relay",
  "move",
  "move",
  "move",
] as const;
type Trouble = (typeof TROUBLES)[number];
/** A process under which hosts die as often as LIMITS.hostsLostPerProcess before it comes further is given up, rightly. These can be such a death. */
const LOSING: readonly Trouble[] = ["kill", "stop", "cut", "reload"];

interface Donor {
  participants: Participants;
  pages: Page[];
  /** Being killed, or on its way back. */
  away: boolean;
}

export interface Report {
  readonly jobs: number;
  readonly troubles: Readonly<Record<string, number>>;
  /** What was not as it should be, in words. */
  readonly wrong: readonly string[];
}

export class Chaos {
  readonly #page: ParticipantPage;
  #relay: Relay;
  readonly #launcher: Participants;
  readonly #home: Page;
  readonly #random: () => number;
  readonly #log: (sentence: string) => void;
  readonly #donors: Donor[] = [];
  readonly #counts: Record<string, number> = {};
  readonly #wrong: string[] = [];
  /** Of each job that runs: how many losses it may have had. */
  readonly #losses = new Map<string, number>();
  #jobs = 0;
  #over = false;
  #restarting: Promise<void> | undefined;
  #born = 0;

  private constructor(
    page: ParticipantPage,
    relay: Relay,
    launcher: Participants,
    home: Page,
    seed: number,
    log: (sentence: string) => void,
  ) {
    this.#page = page;
    this.#relay = relay;
    this.#launcher = launcher;
    this.#home = home;
    this.#random = chance(seed);
    this.#log = log;
  }

  static async start(seed: number, log: (sentence: string) => void): Promise<Chaos> {
    const page = await buildParticipantPage();
    const relay = await relayOf(page);
    const launcher = await Participants.start();
    const home = await launcher.open(relay, "launcher");
    const chaos = new Chaos(page, relay, launcher, home, seed, log);
    for (let n = 0; n < BROWSERS; n++) chaos.#donors.push(await chaos.#newDonor(n === 0 ? 2 : 1));
    await home.evaluate((count) => window.steered.hosts(count), BROWSERS + 1);
    return chaos;
  }

  /** Jobs, one after the other in two lanes, and trouble, for so long; then the jobs that run may end. */
  async run(forMs: number): Promise<Report> {
    const untilMs = performance.now() + forMs;
    const lanes = Array.from({ length: JOBS_AT_ONCE }, (_, lane) => this.#runJobs(lane, untilMs));
    const troubles = this.#makeTrouble();
    await Promise.all(lanes);
    this.#over = true;
    await troubles;
    return { jobs: this.#jobs, troubles: this.#counts, wrong: this.#wrong };
  }

  async close(): Promise<void> {
    this.#over = true;
    const browsers = [this.#launcher, ...this.#donors.map(({ participants }) => participants)];
    for (const browser of browsers) browser.signal("SIGKILL");
    await this.#relay.close();
    this.#page[Symbol.dispose]();
  }

  async #newDonor(tabs: number): Promise<Donor> {
    const participants = await Participants.start();
    const pages: Page[] = [];
    for (let n = 0; n < tabs; n++) {
      const name = `donor ${++this.#born}`;
      pages.push(await this.#again(() => participants.donor(this.#relay, name)));
    }
    return { participants, pages, away: false };
  }

  async #runJobs(lane: number, untilMs: number): Promise<void> {
    for (let n = 0; performance.now() < untilMs; n++) {
      const job = must(JOBS[Math.floor(this.#random() * JOBS.length)], "job");
      await this.#runJob(`${lane}.${n}`, job);
    }
  }

  async #runJob(name: string, job: JobProgram): Promise<void> {
    const { program, files, expected } = await load(job);
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
    const order = {
      ...program,
      args: job.args,
      files: Object.fromEntries(Object.entries(files).map(([path, bytes]) => [path, base64(bytes)])),
    };
    this.#losses.set(name, 0);
    this.#log(`job ${name} (${job.name}) begins`);
    const ended = this.#home.evaluate(([name, order]) => window.steered.run(name, order), [
      name,
      order,
    ] as const);
    const outcome = await Promise.race([ended, pause(PATIENCE_MS, undefined, { ref: false })]);
    this.#losses.delete(name);
    this.#jobs++;
    if (!outcome) {
      const { alive } = await this.#home.evaluate((name) => window.steered.look(name), name);
      this.#wrong.push(`job ${name} (${job.name}) does not end: ${JSON.stringify(alive)}`);
      await this.#home.evaluate((name) => window.steered.kill(name), name);
      return;
    }
    const { stdout, stderr, status } = outcome;
    this.#log(`job ${name} (${job.name}) ends: ${status}`);
    const good =
      stdout === expected.stdout &&
      stderr === "" &&
      status === 0 &&
      Object.entries(expected.files).every(([path, bytes]) => outcome.files[path] === base64(bytes));
    if (good) return;
    const story = outcome.noted.slice(-80).map((noted) => JSON.stringify(noted));
    this.#wrong.push(
      `job ${name} (${job.name}) gave ${status} and printed\n${stdout}${stderr}\ninstead of\n${expected.stdout}\nafter\n${story.join("\n")}`,
    );
  }

  /** Several at once, but one for each browser. */
  async #makeTrouble(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    while (!this.#over) {
      await pause(BETWEEN_MS.least + this.#random() * (BETWEEN_MS.most - BETWEEN_MS.least));
      const what = TROUBLES[Math.floor(this.#random() * TROUBLES.length)];
      const donor = this.#donors[Math.floor(this.#random() * this.#donors.length)];
      if (!what || !donor || donor.away || this.#over) continue;
      if (LOSING.includes(what)) {
        if ([...this.#losses.values()].some((count) => count >= LIMITS.hostsLostPerProcess - 1)) continue;
        for (const [name, count] of this.#losses) this.#losses.set(name, count + 1);
      }
      this.#log(what);
      this.#counts[what] = (this.#counts[what] ?? 0) + 1;
      donor.away = true;
      const trouble = this.#cause(what, donor)
        .catch((error) => void this.#wrong.push(`${what}: ${String(error)}`))
        .finally(() => {
          donor.away = false;
          underWay.delete(trouble);
        });
      underWay.add(trouble);
    }
    await Promise.all(underWay);
  }

  async #cause(what: Trouble, donor: Donor): Promise<void> {
    const page = must(donor.pages[Math.floor(this.#random() * donor.pages.length)], "page of a donor");
    switch (what) {
      case "kill":
        return this.#replace(donor);
      case "stop": {
        // Longer than silence may last, or not.
        donor.participants.signal("SIGSTOP");
        await pause(this.#random() * 2 * LIMITS.silenceMs);
        donor.participants.signal("SIGCONT");
        return;
      }
      case "cut": {
        const random = this.#random();
        await page.evaluate((random) => window.steered.cut(random), random);
        return;
      }
      case "reload":
        return this.#again(async () => {
          await loaded(page, () => page.reload());
          await page.evaluate(() => window.steered.donate());
        });
      case "reclaim":
        await page.evaluate(() => window.steered.reclaim());
        await page.evaluate(() => window.steered.donate());
        return;
      case "relay":
        this.#restarting ??= this.#restartRelay().finally(() => {
          this.#restarting = undefined;
        });
        return this.#restarting;
      case "move":
        return this.#move();
    }
  }

  async #restartRelay(): Promise<void> {
    const { port } = this.#relay;
    await this.#relay.close();
    await pause(this.#random() * 1_000);
    this.#relay = await relayOf(this.#page, port);
  }

  /** Does it until it can be done. */
  async #again<T>(act: () => Promise<T>): Promise<T> {
    for (;;)
      try {
        return await act();
      } catch (error) {
        if (!this.#restarting && !/ERR_(CONNECTION|EMPTY_RESPONSE)/.test(String(error))) throw error;
        await pause(RETRY_MS);
      }
  }

  /** Kills a browser with all its tabs; another takes its place. */
  async #replace(donor: Donor): Promise<void> {
    donor.participants.signal("SIGKILL");
    await pause(this.#random() * 2_000);
    Object.assign(donor, await this.#newDonor(donor.pages.length));
  }

  async #move(): Promise<void> {
    const [name] = this.#losses.keys();
    if (name === undefined) return;
    const { hosts, alive } = await this.#home.evaluate((name) => window.steered.look(name), name);
    const process = alive[Math.floor(this.#random() * alive.length)];
    const to = hosts[Math.floor(this.#random() * hosts.length)];
    if (!process || !to) return;
    const order = [name, process.pid, to] as const;
    await this.#home.evaluate(([name, pid, to]) => window.steered.migrate(name, pid, to), order);
  }
}
