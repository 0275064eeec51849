/**
 * One participant of the fabric: it can donate (be a host), launch jobs (be their home), or both. The page and the
 * command are built on exactly this; what differs between a tab and a Node process comes in as `Environment`.
 */
import { utf8Encode } from "../base/codec.ts";
import { must, RoostError } from "../base/errors.ts";
import { type BaseId, FIRST_PID, type HostId, hostId, idFromRandom, jobId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock, Disk, Link, Random, Signer, Store } from "../base/ports.ts";
import type { JobEvent } from "../home/effects.ts";
import { specOf } from "../home/saved.ts";
import type { JobSpec } from "../home/state.ts";
import { countedLink, type Traffic } from "../io/counted-link.ts";
import { linkPair } from "../io/memory-link.ts";
import type { ExecutorPort } from "../kernel/executor-messages.ts";
import type { Receipt } from "../kernel/state.ts";
import type { Terms } from "../kernel/terms.ts";
import { isControl } from "../wire/control.ts";
import { groupKey, groupName, type Identity, identityFrom, identityOf } from "../wire/identity.ts";
import { RemoteJob } from "./control-client.ts";
import { type Homes, serveControl } from "./control-server.ts";
import { readable, type Self } from "./greeting.ts";
import { type Admission, HostDaemon } from "./host-daemon.ts";
import { Job, type Terminal } from "./job.ts";
import { type JobKeeper, keptJob } from "./job-keeper.ts";
import type { JobAtRest } from "./saved-job.ts";
import { type DonorView, type JobView, viewOfDonor, viewOfJob } from "./view.ts";

/** What the directory says of a host that is reachable. */
export interface Presence {
  readonly host: HostId;
  readonly name: string;
  readonly platform: string;
  readonly taking: boolean;
  /** What its group is known by; empty: none. */
  readonly group: string;
}

export type RelayState =
  | { readonly state: "none" }
  | { readonly state: "online" }
  /** Links that exist go on working meanwhile. */
  | { readonly state: "connecting"; readonly sinceMs: number; readonly reason: string };

/** How participants find each other and link up. */
export interface Rendezvous {
  readonly relay: RelayState;
  /** Everybody who announced, this host included. */
  readonly hosts: readonly Presence[];
  announce(presence: Presence): void;
  connect(host: HostId): Promise<Link>;
  /** Set once. */
  onLink: (link: Link) => void;
  onChange: () => void;
  close(): void;
}

/** What a participant stands on: a browser, Node, or a test. */
export interface Environment {
  readonly name: string;
  /** Browser or runtime, and system, in words. */
  readonly platform: string;
  readonly clock: Clock;
  readonly random: Random;
  /** IANA time zone. */
  readonly zone: string;
  /** Starts workers; each has booted the engine when this resolves. Their base images are the same. */
  startExecutors(count: number, hostName: string): Promise<{ executors: ExecutorPort[]; base: BaseId }>;
  /** Undefined: no network; the hosts of this process are all there are. */
  rendezvous(self: Identity): Rendezvous | undefined;
  log(sentence: string): void;
  /** The secret of a group, of at least 20 characters: then this participant deals with nobody who does not know it. */
  readonly group?: string | undefined;
  /** Who it is, also the next time; by nobody else at the same time. Undefined: somebody new. */
  readonly signer?: Signer | undefined;
}

/** A program, and what it is given. */
export interface RunOptions {
  readonly name: string;
  /** A bundled ES module; may import from "roost". */
  readonly source: string;
  readonly fileName: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly disk: Disk;
  /** Without one, output is only kept (`Job.output`), and lines of input are given to `Job.input`. */
  readonly terminal?: Terminal;
  /** What becomes of output before anybody sees it: a stack can be put back to its source. */
  readonly rewriteOutput?: ((fd: number, data: Uint8Array) => Uint8Array) | undefined;
  /** Bytes of output that are remembered for those who look later; 1 MiB unless given. */
  readonly outputKeptBytes?: number;
  /** Ends the job when it is aborted. */
  readonly signal?: AbortSignal;
  readonly memoryBytesMax?: number;
  readonly processesMax?: number;
  readonly preemptEvery?: number;
  /**
   * Whether running processes are checkpointed now and then, so that a lost host costs seconds at most (the default).
   * Without, a lost process begins again where it last moved or forked; its effects are there once all the same.
   */
  readonly durable?: boolean;
  readonly onEvent?: (event: JobEvent, atMs: number) => void;
  /**
   * Keeps the job there while it runs, so that `revive` can go on with it when this home has ended. A `durable` job whose files
   * are on a disk that outlives the home changes none of them before what led to it is kept; without, what it changed in its last
   * moments may be done again.
   */
  readonly keepIn?: Store;
  /** What is kept of it is there when it has ended, as it was before, until `Fabric.forget`. */
  readonly keepEnded?: boolean;
}

/** What a job needs of where it is launched or revived, beside what it is. */
export type HomeOptions = Pick<
  RunOptions,
  "disk" | "terminal" | "rewriteOutput" | "outputKeptBytes" | "signal" | "onEvent" | "keepIn" | "keepEnded"
>;

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

/** A host whose link was lost is tried again after this; one that cannot be reached, or refuses, less and less often. */
const RETRY_MS = { first: 2_000, most: 60_000 };

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
  /** By job and host: not to be tried before, by the monotonic clock, and how long the next wait is. */
  readonly #connecting = new Map<string, { notBeforeMs: number; waitMs: number }>();
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
    if (!this.#rendezvous) return;
    this.#rendezvous.onChange = () => {
      this.#linkJobs();
      this.#changed();
    };
    this.#rendezvous.onLink = (link) => this.accept(countedLink(link, this.#traffic));
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
      receipts: [],
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
      jobWith: (holds) =>
        this.#jobs.find((job) => {
          const secret = this.#secrets.get(job);
          return secret !== undefined && holds(secret);
        }),
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
    check(options);
    options.signal?.throwIfAborted();
    const { random, zone } = this.#env;
    const seed = new DataView(random.bytes(8).slice().buffer).getBigUint64(0);
    return this.#launch(
      {
        id: jobId(idFromRandom(random.bytes(26))),
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
    const { clock, random, log } = this.#env;
    const { keepIn } = options;
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
    await kept.catch((error) => log(`the job cannot be kept: ${String(error)}`));
    this.#jobs.push(job);
    this.#forgetOldest();
    this.#secrets.set(job, idFromRandom(random.bytes(26)));
    const [ours, theirs] = linkPair();
    daemon.serve(theirs, true);
    job.addHost(ours, true);
    this.#linkJobs();
    this.#changed();
    const { signal } = options;
    const abort = () => job.kill(FIRST_PID, "SIGKILL");
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    job.ended.then(() => {
      signal?.removeEventListener("abort", abort);
      for (const key of this.#connecting.keys()) if (key.startsWith(job.id)) this.#connecting.delete(key);
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

  /** Links every running job to every host that takes work. */
  #linkJobs(): void {
    const rendezvous = this.#rendezvous;
    if (!rendezvous) return;
    const now = this.#env.clock.monotonic();
    for (const job of this.#jobs) {
      if (job.endedMs !== undefined) continue;
      for (const { host, taking } of this.#peers()) {
        const key = `${job.id} ${host}`;
        const { notBeforeMs, waitMs } = this.#connecting.get(key) ?? {
          notBeforeMs: now,
          waitMs: RETRY_MS.first,
        };
        if (!taking || host === this.id || job.has(host) || notBeforeMs > now) continue;
        this.#connecting.set(key, { notBeforeMs: Number.POSITIVE_INFINITY, waitMs });
        /** `known`: who was greeted. */
        const again = (known?: HostId) => {
          if (job.endedMs !== undefined) return void this.#connecting.delete(key);
          const restMs = known ? RETRY_MS.first : waitMs;
          this.#connecting.set(key, {
            notBeforeMs: this.#env.clock.monotonic() + restMs,
            waitMs: Math.min(2 * restMs, RETRY_MS.most),
          });
          this.#env.clock.after(restMs + 1, () => this.#linkJobs());
        };
        rendezvous.connect(host).then(
          (link) => job.addHost(countedLink(link, this.#traffic), false, again, host),
          (error) => {
            this.#env.log(
              `could not link to ${host}: ${error instanceof Error ? error.message : String(error)}`,
            );
            again();
          },
        );
      }
    }
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

/** Holds what a job begins with to what the wire carries, here, where somebody can still be told. */
function check({
  source,
  fileName,
  name,
  args = [],
  env = {},
  memoryBytesMax = 0,
  processesMax = 0,
}: RunOptions): void {
  const hold = (what: string, text: string, bytesMax: number) => {
    const { length } = utf8Encode(text);
    if (length > bytesMax)
      throw new RoostError(
        "EINVAL",
        `${what} has ${length} bytes, where ${bytesMax} are allowed; shorten it`,
      );
  };
  hold("the program", source, LIMITS.programBytes);
  hold("the program's name", fileName, LIMITS.nameBytes);
  hold("the job's name", name, LIMITS.nameBytes);
  for (const arg of args) hold("an argument", arg, LIMITS.pathBytes);
  for (const [name, value] of Object.entries(env)) {
    hold("the name of an environment variable", name, LIMITS.nameBytes);
    hold(`the environment variable ${name}`, value, LIMITS.pathBytes);
  }
  if (args.length > LIMITS.args)
    throw new RoostError("EINVAL", `${args.length} arguments, where ${LIMITS.args} are allowed; use a file`);
  if (memoryBytesMax > LIMITS.guestMemoryBytesMost)
    throw new RoostError(
      "EINVAL",
      `${memoryBytesMax / 2 ** 20} MiB of memory, where a process can have ${LIMITS.guestMemoryBytesMost / 2 ** 20}`,
    );
  if (processesMax > LIMITS.processesPerJobMost)
    throw new RoostError(
      "EINVAL",
      `${processesMax} processes, where a job can have ${LIMITS.processesPerJobMost}`,
    );
}
