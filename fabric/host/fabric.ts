/**
 * One participant of the fabric: it can donate (be a host), launch jobs (be their home), or both. The page and the
 * command are built on exactly this; what differs between a tab and a Node process comes in as `Environment`.
 */
import { must, RoostError } from "../base/errors.ts";
import { FIRST_PID, type HostId, hostId, idFromBytes, jobId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Link, Presence, RelayState, Rendezvous } from "../base/ports.ts";
import { specOf } from "../home/saved.ts";
import type { JobSpec } from "../home/state.ts";
import { countedLink, type Traffic } from "../io/counted-link.ts";
import { linkPair } from "../io/memory-link.ts";
import type { Receipt } from "../kernel/state.ts";
import type { Terms } from "../kernel/terms.ts";
import { isControl } from "../wire/control.ts";
import {
  groupKey,
  groupName,
  type Identity,
  identityFrom,
  identityOf,
  secretOfJob,
} from "../wire/identity.ts";
import { RemoteJob } from "./control-client.ts";
import { type Homes, serveControl } from "./control-server.ts";
import type { Environment } from "./environment.ts";
import { readable, type Self } from "./greeting.ts";
import { type Admission, HostDaemon } from "./host-daemon.ts";
import { Job } from "./job.ts";
import { type JobKeeper, keptJob } from "./job-keeper.ts";
import { JobLinks } from "./job-links.ts";
import { checkRun, type HomeOptions, type RunOptions } from "./run-options.ts";
import type { JobAtRest } from "./saved-job.ts";
import { type DonorView, type JobView, viewOfDonor, viewOfJob } from "./view.ts";

/** All that is to be seen of a participant. */
export interface FabricView {
  readonly self: { readonly id: HostId; readonly name: string };
  readonly relay: RelayState;
  readonly donor: DonorView;
  /** Hosts in the relay's directory that this one deals with, itself included once it has donated. */
  readonly directory: readonly Presence[];
  /** How many others there are, of other groups or of none where this one has a group. */
  readonly strangers: number;
  readonly jobs: readonly JobView[];
  /** With all other participants, since this one began. */
  readonly traffic: Readonly<Traffic>;
}

const READERS_LOOK_MS = 20;

/** Jobs that have ended and are still seen in `Fabric.view`, the latest. */
const ENDED_JOBS_MAX = 100;

/** A participant without the conveniences of `Roost`: its jobs, its links, its workers. */
export class Fabric {
  readonly id: HostId;
  readonly name: string;
  readonly #env: Environment;
  readonly #identity: Identity;
  readonly #group: Uint8Array | undefined;
  /** In the directory. */
  readonly #groupName: string;
  readonly #workers: number;
  readonly #rendezvous: Rendezvous | undefined;
  readonly #jobs: Job[] = [];
  readonly #keepers = new WeakMap<Job, JobKeeper>();
  /** Who knows a job's may look at it and steer it. */
  readonly #secrets = new Map<Job, string>();
  readonly #links: JobLinks | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #readers = new Set<Link>();
  #daemon: HostDaemon | undefined;
  #starting: Promise<{ daemon: HostDaemon; self: Self }> | undefined;
  readonly #traffic: Traffic = { inBytes: 0, outBytes: 0 };
  #wantsToDonate = false;
  #terms: Partial<Terms> = {};
  /** To the daemon. */
  #termsGiven = false;
  #admits: Admission | undefined;

  /** `workers`: how many processes this host runs at once. */
  constructor(env: Environment, options: { workers: number }) {
    this.#env = env;
    this.#workers = options.workers;
    this.#identity = env.signer ? identityOf(env.signer) : identityFrom(env.random.bytes(32));
    this.#group = env.group === undefined ? undefined : groupKey(env.group);
    this.#groupName = this.#group ? groupName(this.#group) : "";
    this.id = this.#identity.id;
    this.name = readable(env.name);
    this.#rendezvous = env.rendezvous(this.#identity);
    const rendezvous = this.#rendezvous;
    if (!rendezvous) return;
    const links = new JobLinks({
      self: this.id,
      clock: env.clock,
      log: env.log,
      jobs: () => this.#jobs,
      peers: () => this.#peers(),
      isOnline: () => rendezvous.relay.state === "online",
      connect: async (host) => countedLink(await rendezvous.connect(host), this.#traffic),
    });
    this.#links = links;
    rendezvous.onChange = () => {
      links.link();
      this.#changed();
    };
    rendezvous.onLink = (link) => this.accept(countedLink(link, this.#traffic));
  }

  /** Calls back after every change; `view` has it. Returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** As in `view`, of which the rest is much where there have been many jobs. */
  get donor(): DonorView {
    if (this.#daemon) return viewOfDonor(this.#daemon, this.#workers, this.#env.clock.monotonic());
    return {
      state: this.#starting ? "starting" : "off",
      reason: this.#starting ? "the engine is starting" : "not donating",
      workers: this.#workers,
      held: false,
      guests: [],
      given: { hosted: 0, cpuMs: 0 },
    };
  }

  /** As in `view`. */
  get traffic(): Readonly<Traffic> {
    return { ...this.#traffic };
  }

  get view(): FabricView {
    const directory = this.#peers();
    return {
      self: { id: this.id, name: this.name },
      relay: this.#rendezvous?.relay ?? { state: "none" },
      donor: this.donor,
      directory,
      strangers: (this.#rendezvous?.hosts.length ?? 0) - directory.length,
      jobs: this.#jobs.map(viewOfJob),
      traffic: this.traffic,
    };
  }

  /** Who is there and may be dealt with: others would refuse, or be refused. */
  #peers(): readonly Presence[] {
    return this.#rendezvous?.hosts.filter(({ group }) => group === this.#groupName) ?? [];
  }

  /** Takes a link that somebody made to this participant. Its first message tells a controller from a job's home. */
  accept(link: Link): void {
    const cancel = this.#env.clock.after(LIMITS.greetingMs, () => link.close("it has said nothing"));
    link.onEnd = cancel;
    link.onMessage = (first) => {
      cancel();
      if (isControl(first)) return serveControl(link, first, this.#homes());
      if (!this.#daemon) return link.close("this host has not offered to take work");
      this.#daemon.serve(link, false);
      link.onMessage(first);
    };
  }

  /**
   * To be awaited before the end of a participant whose jobs have ended: resolves when those who read their output from
   * elsewhere have all of it and have hung up, or when none of them has taken anything for `patienceMs`.
   */
  readersServed(patienceMs: number): Promise<void> {
    const { clock } = this.#env;
    let before = "";
    let sinceMs = clock.monotonic();
    return new Promise((resolve) => {
      const look = () => {
        const waiting = Array.from(this.#readers, (link) => link.queuedBytes).join();
        if (waiting !== before) sinceMs = clock.monotonic();
        before = waiting;
        if (this.#readers.size === 0 || clock.monotonic() - sinceMs >= patienceMs) resolve();
        else clock.after(READERS_LOOK_MS, look);
      };
      look();
    });
  }

  #homes(): Homes {
    return {
      readers: this.#readers,
      clock: this.#env.clock,
      jobWith: (holds) => {
        for (const job of this.#jobs) {
          const secret = this.#secrets.get(job);
          if (secret !== undefined && holds(secret)) return { job, secret };
        }
        return undefined;
      },
      onChange: (listener) => this.onChange(listener),
    };
  }

  /** Starts taking others' work, on the terms given last. */
  async donate(): Promise<void> {
    this.#wantsToDonate = true;
    const { daemon } = await this.#host();
    if (this.#wantsToDonate) daemon.allow({ ...this.#terms, taking: true, reason: "" });
    this.#announce();
  }

  /** On what terms others' work is taken. More workers than there are get started. */
  limit(terms: Partial<Omit<Terms, "taking" | "reason">>): void {
    const same = (Object.keys(terms) as (keyof typeof terms)[]).every(
      (key) => this.#terms[key] === terms[key],
    );
    if (same && this.#termsGiven) return;
    this.#terms = { ...this.#terms, ...terms };
    this.#termsGiven = this.#daemon !== undefined;
    this.#daemon?.allow(terms);
    if (terms.workers !== undefined && Number.isFinite(terms.workers)) this.#daemon?.grow(terms.workers);
    this.#changed();
  }

  /** Whom this host serves, from now on. */
  admit(rule: Admission): void {
    this.#admits = rule;
    this.#daemon?.admit(rule);
  }

  /** Takes nothing new; what is here may finish. */
  refrain(reason: string): void {
    this.#wantsToDonate = false;
    this.#daemon?.allow({ taking: false, reason });
    this.#announce();
  }

  /** Sends homes what their processes are by now: this host may be gone before long, without another word. */
  saveGuests(): void {
    this.#daemon?.save();
  }

  /** Stops others' work at once and sends it away; resolves when nothing of it is left here. */
  async reclaim(reason = "its owner is back"): Promise<Receipt> {
    this.#wantsToDonate = false;
    this.#announce();
    if (!this.#daemon) return { cpuBackMs: 0, emptyMs: 0, left: [] };
    const receipt = this.#daemon.reclaim(reason);
    this.#announce();
    return receipt;
  }

  /** Starts the workers before they are needed. */
  async prepare(): Promise<void> {
    await this.#host();
  }

  /** Launches a job whose home is here; its first process runs here too. */
  async run(options: RunOptions): Promise<Job> {
    checkRun(options);
    options.signal?.throwIfAborted();
    const { random, zone } = this.#env;
    const seed = new DataView(random.bytes(8).slice().buffer).getBigUint64(0);
    return this.#launch(
      {
        id: jobId(idFromBytes(random.bytes(26))),
        name: options.name,
        program: { source: options.source, fileName: options.fileName },
        args: options.args ?? [],
        env: options.env ?? {},
        zone,
        memoryBytesMax: options.memoryBytesMax ?? LIMITS.guestMemoryBytes,
        processesMax: options.processesMax ?? LIMITS.processesPerJob,
        durable: options.durable ?? true,
        preemptEvery: options.preemptEvery ?? 0,
        seed,
      },
      options,
    );
  }

  /**
   * Goes on with a job that was kept, or written to a file, here or elsewhere. Its program, arguments and environment
   * come with it. Throws RoostError where that cannot be.
   */
  async revive(atRest: JobAtRest, options: HomeOptions): Promise<Job> {
    options.signal?.throwIfAborted();
    const { self } = await this.#host();
    const { job } = atRest;
    if (job.base !== self.base)
      throw new RoostError(
        "EVERSION",
        `the job was saved by another build of the engine (${job.base.slice(0, 12)}, this one is ${self.base.slice(0, 12)}); use the version of Roost that saved it`,
      );
    if (this.#jobs.some((running) => running.id === job.home.spec.id && running.endedMs === undefined))
      throw new RoostError("EEXIST", "that job runs here already");
    return this.#launch(specOf(job.home), options, atRest);
  }

  async #launch(spec: JobSpec, options: HomeOptions, atRest?: JobAtRest): Promise<Job> {
    const { daemon, self } = await this.#host();
    const { clock, log } = this.#env;
    const { keepIn } = options;
    const secret = await secretOfJob(this.#identity, spec.id);
    const jobOptions = {
      spec,
      atRest,
      self,
      disk: options.disk,
      terminal: options.terminal,
      rewriteOutput: options.rewriteOutput,
      outputKeptBytes: options.outputKeptBytes,
      clock,
      log,
      onChange: () => this.#changed(),
      onEvent: options.onEvent ?? (() => {}),
    };
    const { job, keeper, kept } = keepIn
      ? keptJob(keepIn, jobOptions, options)
      : { job: new Job(jobOptions), keeper: undefined, kept: Promise.resolve() };
    if (keeper) this.#keepers.set(job, keeper);
    await kept;
    this.#jobs.push(job);
    this.#forgetOldest();
    this.#secrets.set(job, secret);
    const [ours, theirs] = linkPair();
    daemon.serve(theirs, true);
    job.addHost(ours, true);
    this.#links?.link();
    this.#changed();
    const { signal } = options;
    const abort = () => job.kill(FIRST_PID, "SIGKILL");
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    job.ended.then(() => {
      signal?.removeEventListener("abort", abort);
      this.#links?.forget(job);
    });
    return job;
  }

  /** Those who launch job after job are not to carry all of them along. */
  #forgetOldest(): void {
    const ended = this.#jobs.filter(({ endedMs }) => endedMs !== undefined);
    for (const job of ended.slice(0, Math.max(0, ended.length - ENDED_JOBS_MAX))) {
      this.#jobs.splice(this.#jobs.indexOf(job), 1);
      this.#secrets.delete(job);
      this.#keepers.delete(job);
    }
  }

  /**
   * Leaves a job that is kept to `revive`, here or elsewhere: nothing happens to it any more, and it is kept as it is now. To be followed
   * by this participant's end. Rejects where the store does not take it; what was kept before is there.
   */
  async leave(job: Job): Promise<void> {
    job.leave();
    this.#jobs.splice(this.#jobs.indexOf(job), 1); // no host is linked to it any more
    await this.#keepers.get(job)?.keep();
  }

  /** Of a job that was launched with `keepEnded`: nothing is kept any more. */
  async forget(job: Job): Promise<void> {
    await this.#keepers.get(job)?.drop();
  }

  /** Where a job of this participant can be steered from elsewhere: `HOST.SECRET`, to be kept as a password is. */
  addressOf(job: Job): string {
    return `${this.id}.${this.#secrets.get(job)}`;
  }

  /** Looks at and steers a job whose home is elsewhere at this relay, by its address. Throws RoostError. */
  async steer(address: string): Promise<RemoteJob> {
    const { host, secret } = parseAddress(address);
    if (!this.#rendezvous) throw new RoostError("ENOHOST", "without a relay there are no jobs elsewhere");
    const link = await this.#rendezvous.connect(host);
    return RemoteJob.open(countedLink(link, this.#traffic), secret);
  }

  /** Adds a host of this very process to a job of this participant, without a network. */
  lend(job: Job, to: Fabric): Promise<void> {
    return to.#host().then(({ daemon }) => {
      const [ours, theirs] = linkPair();
      daemon.serve(theirs, false);
      job.addHost(ours, false);
    });
  }

  close(): void {
    this.#rendezvous?.close();
    this.#starting?.then(
      ({ daemon }) => daemon.close(),
      () => {},
    );
  }

  #host(): Promise<{ daemon: HostDaemon; self: Self }> {
    this.#starting ??= this.#startHost();
    this.#starting.catch(() => {
      this.#starting = undefined; // the next wish tries again
    });
    return this.#starting;
  }

  async #startHost(): Promise<{ daemon: HostDaemon; self: Self }> {
    const { platform, clock, log } = this.#env;
    const { executors, base } = await this.#env.startExecutors(this.#workers, this.name);
    const self = {
      id: this.id,
      name: this.name,
      platform,
      base,
      identity: this.#identity,
      group: this.#group,
    };
    const daemon = new HostDaemon({
      self,
      executors,
      startExecutor: async () => {
        const { executors } = await this.#env.startExecutors(1, this.name);
        return must(executors[0], "worker, though one was started");
      },
      clock,
      log,
      onChange: () => this.#changed(),
    });
    this.#daemon = daemon;
    this.limit(this.#terms);
    if (this.#admits) daemon.admit(this.#admits);
    this.#changed();
    return { daemon, self };
  }

  #announce(): void {
    const { name, platform } = this.#env;
    const taking = this.#daemon?.state.terms.taking === true;
    this.#rendezvous?.announce({ host: this.id, name, platform, taking, group: this.#groupName });
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** What `Fabric.addressOf` gave. Throws RoostError EINVAL. */
export function parseAddress(address: string): { host: HostId; secret: string } {
  const [, host = "", secret = ""] = /^([a-z2-7]{26})\.([a-z2-7]{26})$/.exec(address) ?? [];
  if (!host)
    throw new RoostError(
      "EINVAL",
      `${address} is no job's address: those are two words of 26 letters and digits, with a dot between them`,
    );
  return { host: hostId(host), secret };
}
