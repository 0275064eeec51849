/**
 * Roost for programs: join a relay, launch jobs, watch and steer them, give this machine to others. What differs between
 * Node and a page is in `Surroundings`; `join` itself is exported by edge/index.ts and tab/index.ts.
 */

import { type ErrorCode, RoostError } from "./base/errors.ts";
import { FIRST_PID, type HostId, pid as toPid } from "./base/ids.ts";
import type { Clock, Disk, Presence, Rendezvous } from "./base/ports.ts";
import { decodeValue } from "./guest/value.ts";
import type { JobEvent } from "./home/effects.ts";
import type { RemoteJob } from "./host/control-client.ts";
import type { Environment } from "./host/environment.ts";
import { Fabric, type FabricView } from "./host/fabric.ts";
import { Feed } from "./host/feed.ts";
import type { Job } from "./host/job.ts";
import type { Output } from "./host/output-log.ts";
import type { RunOptions } from "./host/run-options.ts";
import { Steward } from "./host/steward.ts";
import { type JobView, viewOfJob } from "./host/view.ts";
import { MemoryDisk } from "./io/memory-disk.ts";
import type { Receipt } from "./kernel/state.ts";
import type { Sensors } from "./policy/readings.ts";
import { defaultOwnerSettings, type OwnerSettings } from "./policy/settings.ts";
import type { SignalName } from "./wire/calls.ts";
import type { Identity } from "./wire/identity.ts";

export interface JoinOptions {
  /** What others see this participant called. */
  readonly name?: string;
  /** Processes it runs at once; 1 unless given. */
  readonly workers?: number;
  /** Starts the workers meanwhile: a job is to be launched. */
  readonly prepare?: boolean;
  /** Gives up joining, and later leaves, when it is aborted. */
  readonly signal?: AbortSignal;
  /** What went wrong without harm: a link that did not come about, a peer of another version. */
  readonly log?: (sentence: string) => void;
}

/** What a platform brings. */
export interface Surroundings {
  readonly clock: Clock;
  readonly processors: number;
  environment(options: {
    readonly name: string | undefined;
    readonly log: (sentence: string) => void;
    readonly rendezvous: ((self: Identity) => Rendezvous | undefined) | undefined;
  }): Environment;
  connect(relay: URL, self: Identity, log: (sentence: string) => void): Rendezvous;
  sensors(): Sensors;
  /** When the participant has left. */
  close(): void;
}

/** A relay on the same machine answers in milliseconds, one far away in a second. */
const ANSWER_MS = 5_000;

/** Joins the relay at `relay`. Throws RoostError ENOHOST when none answers within five seconds. */
export async function joinWith(
  surroundings: Surroundings,
  relay: string | URL,
  options: JoinOptions = {},
): Promise<Roost> {
  const { signal, log = () => {} } = options;
  signal?.throwIfAborted();
  const url = new URL(relay);
  const environment = surroundings.environment({
    name: options.name,
    log,
    rendezvous: (self) => surroundings.connect(url, self, log),
  });
  const roost = new Roost(new Fabric(environment, { workers: options.workers ?? 1 }), [], surroundings);
  if (options.prepare) roost.fabric.prepare().catch(() => {}); // whoever needs them is told
  try {
    await online(roost.fabric, url, signal);
  } catch (error) {
    await roost.close();
    throw error;
  }
  signal?.addEventListener("abort", () => void roost.close());
  return roost;
}

/** `hosts` hosts in this very process, without any network: for tests, and for machines with many processors. */
export function localWith(surroundings: Surroundings, hosts: number, options: JoinOptions = {}): Roost {
  const { log = () => {}, workers = 1, signal } = options;
  signal?.throwIfAborted();
  const [home, ...others] = Array.from({ length: Math.max(1, hosts) }, (_, n) => {
    const name = `${options.name ?? "host"} ${n + 1}`;
    return new Fabric(surroundings.environment({ name, log, rendezvous: undefined }), { workers });
  });
  if (!home) throw new RoostError("EINVAL", "at least one host is needed");
  const roost = new Roost(home, others, surroundings);
  if (options.prepare) home.prepare().catch(() => {}); // whoever needs them is told
  signal?.addEventListener("abort", () => void roost.close());
  return roost;
}

function online(fabric: Fabric, url: URL, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (how: () => void) => {
      clearTimeout(timer);
      stop();
      signal?.removeEventListener("abort", abort);
      how();
    };
    const look = () => {
      const { relay } = fabric.view;
      if (relay.state === "online") settle(resolve);
      if (relay.state !== "connecting") return;
      // To ask again would not help.
      turnedAway(["EVERSION", "EPERM"]);
    };
    const turnedAway = (codes: readonly ErrorCode[]) => {
      const { relay } = fabric.view;
      const reason = relay.state === "connecting" ? relay.reason : "";
      const code = codes.find((known) => reason.startsWith(`${known}: `));
      if (code)
        refuse(
          code,
          `the relay at ${url.origin} turns this participant away: ${reason.slice(code.length + 2)}`,
        );
    };
    const refuse = (code: ErrorCode, sentence: string) =>
      settle(() => reject(new RoostError(code, sentence)));
    const abort = () => settle(() => reject(signal?.reason));
    const timer = setTimeout(() => {
      turnedAway(["EAGAIN", "EEXIST", "EINVAL"]);
      refuse(
        "ENOHOST",
        `no relay answers at ${url.origin}; start one with \`npx roost relay\`, or look at the address`,
      );
    }, ANSWER_MS);
    const stop = fabric.onChange(look);
    signal?.addEventListener("abort", abort);
    look();
  });
}

export interface LaunchOptions
  extends Pick<RunOptions, "args" | "env" | "memoryBytesMax" | "preemptEvery" | "rewriteOutput"> {
  /** For people; the program's file unless given. */
  readonly name?: string;
  /** The job's files: its own, in memory, unless given. */
  readonly disk?: Disk;
  /** Or simply their contents. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Bytes of output that can still be read later; 1 MiB unless given. */
  readonly outputKeptBytes?: number;
  /** Ends the job when it is aborted. */
  readonly signal?: AbortSignal;
}

/** One module that may import from "roost"; `bundle` makes it of files, in Node. */
export interface ProgramText {
  readonly source: string;
  readonly fileName: string;
  readonly rewriteOutput?: RunOptions["rewriteOutput"];
}

/** A participant: launches jobs, and takes others' work when it is told to. */
export class Roost implements AsyncDisposable {
  /** The machinery, for those who need more of it. */
  readonly fabric: Fabric;
  readonly #others: readonly Fabric[];
  readonly #surroundings: Surroundings;
  readonly #running = new Set<Job>();
  #steward: Steward | undefined;
  #stopDonating = () => {};
  #leaving: Promise<void> | undefined;

  constructor(fabric: Fabric, others: readonly Fabric[], surroundings: Surroundings) {
    this.fabric = fabric;
    this.#others = others;
    this.#surroundings = surroundings;
  }

  /** Who has announced at the relay. */
  get hosts(): readonly Presence[] {
    return this.fabric.view.directory;
  }

  /** Launches a job whose home is here; its first process runs here too. */
  async run(program: string | ProgramText, options: LaunchOptions = {}): Promise<LaunchedJob> {
    this.#mustBeHere();
    const { source, fileName, rewriteOutput } =
      typeof program === "string"
        ? { source: program, fileName: "job.js", rewriteOutput: undefined }
        : program;
    const { files, name = fileName, ...rest } = options;
    const utf8 = new TextEncoder();
    const given = Object.entries(files ?? {}).map(
      ([path, content]) => [path, typeof content === "string" ? utf8.encode(content) : content] as const,
    );
    const events = new Set<(event: TimedEvent) => void>();
    await Promise.all(this.#others.map((other) => other.donate()));
    this.#mustBeHere();
    const job = await this.fabric.run({
      disk: new MemoryDisk(given, () => this.#surroundings.clock.now()),
      rewriteOutput,
      ...rest,
      name,
      source,
      fileName,
      onEvent: (event, atMs) => {
        for (const listener of events) listener({ ...event, atMs });
      },
    });
    this.#running.add(job);
    job.ended.then(() => this.#running.delete(job));
    if (this.#leaving) await this.#end();
    this.#mustBeHere();
    for (const other of this.#others) await this.fabric.lend(job, other);
    return new LaunchedJob(job, this.fabric, events);
  }

  #mustBeHere(): void {
    if (this.#leaving)
      throw new RoostError("EINVAL", "this participant has left; join again to launch jobs, or to donate");
  }

  /** Takes others' work, under these settings; what is not said is as `defaultOwnerSettings` has it. */
  donate(
    settings: Partial<OwnerSettings> = {},
    onReceipt: (receipt: Receipt, reason: string) => void = () => {},
  ): Steward {
    this.#mustBeHere();
    this.#stopDonating();
    const steward = new Steward({
      fabric: this.fabric,
      sensors: this.#surroundings.sensors(),
      settings: { ...defaultOwnerSettings(this.#surroundings.processors), ...settings },
      clock: this.#surroundings.clock,
      onChange: () => {},
      onReceipt,
      onTrouble: () => {},
    });
    this.#steward = steward;
    const stop = this.fabric.onChange(() => steward.noticed());
    this.#stopDonating = () => {
      stop();
      steward.close();
    };
    steward.donate();
    return steward;
  }

  /** Stops others' work at once and sends it away; resolves when nothing of it is left here. */
  reclaim(): Promise<Receipt> {
    return this.#steward?.reclaim() ?? this.fabric.reclaim();
  }

  /** A job whose home is elsewhere, by its address (`LaunchedJob.address`). */
  steer(address: string): Promise<RemoteJob> {
    return this.fabric.steer(address);
  }

  /** What is to be seen of this participant, now and after every change; changes that nobody saw are one. */
  changes({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<FabricView> {
    return latest(this.fabric, () => this.fabric.view, signal);
  }

  /** Sends guests away and leaves the relay. Jobs that were launched here end, as if by `kill -9`. */
  close(): Promise<void> {
    this.#leaving ??= Promise.resolve().then(() => this.#leave()); // whom it tells of an end may close it, too
    return this.#leaving;
  }

  async #leave(): Promise<void> {
    for (const job of this.#running) job.kill(FIRST_PID, "SIGKILL");
    await this.#steward?.reclaim().catch(() => {});
    this.#stopDonating();
    await this.#end();
    this.#surroundings.close();
  }

  async #end(): Promise<void> {
    for (const job of this.#running) job.kill(FIRST_PID, "SIGKILL");
    await Promise.all(Array.from(this.#running, ({ ended }) => ended));
    for (const fabric of [this.fabric, ...this.#others]) fabric.close();
  }

  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export type TimedEvent = JobEvent & { readonly atMs: number };

export interface JobEnd {
  /** What its first process gave to `exit`; 1 where `signal` ended it. */
  readonly status: number;
  readonly signal: SignalName | undefined;
  /** What the first process gave to `exit`. */
  readonly value: unknown;
}

/** A job whose home is this participant. */
export class LaunchedJob {
  readonly job: Job;
  /** Resolves when the first process has ended, and with it the job. */
  readonly ended: Promise<JobEnd>;
  readonly #fabric: Fabric;
  readonly #events: Set<(event: TimedEvent) => void>;

  constructor(job: Job, fabric: Fabric, events: Set<(event: TimedEvent) => void>) {
    this.job = job;
    this.#fabric = fabric;
    this.#events = events;
    this.ended = job.ended.then(({ status, signal, value }) => ({
      status,
      signal,
      value: value.length > 0 ? decodeValue(value) : undefined,
    }));
  }

  get id(): string {
    return this.job.id;
  }

  /** With it, `Roost.steer` and `roost ps --relay` reach this job from elsewhere. As good as a password. */
  get address(): string {
    return this.#fabric.addressOf(this.job);
  }

  /** Its processes and hosts, as they are now. */
  get view(): JobView {
    return viewOfJob(this.job);
  }

  /** All that it writes, from what is still kept of its beginning to its end. */
  async *output({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Output, void, undefined> {
    const { output, ended } = this.job;
    const feed = new Feed<undefined>();
    const stop = output.onAdd(() => feed.push(undefined));
    ended.then(() => feed.end());
    feed.push(undefined);
    let next = 0;
    for await (const _ of feed.read(signal, stop))
      for (let entry = output.from(next); entry; entry = output.from(next)) {
        next = entry.position + entry.data.length;
        yield entry;
      }
  }

  /** Its standard output as text, whole, when it has ended; as far as it was kept. */
  async text(options: { readonly signal?: AbortSignal } = {}): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const { fd, data } of this.output(options))
      if (fd === 1) text += decoder.decode(data, { stream: true });
    return text + decoder.decode();
  }

  /** What happens to it from now on: hosts that come and go, forks, moves, ends. */
  events({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<TimedEvent, void, undefined> {
    const feed = new Feed<TimedEvent>();
    const push = (event: TimedEvent) => feed.push(event);
    this.#events.add(push);
    this.job.ended.then(() => feed.end());
    return feed.read(signal, () => this.#events.delete(push));
  }

  /** Its processes and hosts, now and after every change, to its end; changes that nobody saw are one. */
  changes({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<JobView, void, undefined> {
    return latest(this.#fabric, () => this.view, signal, this.job.ended);
  }

  /** A line of standard input; undefined is its end. */
  type(line: string | undefined): void {
    this.job.giveLine(line);
  }

  kill(pid: number = FIRST_PID, signal: SignalName = "SIGTERM"): void {
    this.job.kill(toPid(pid), signal);
  }

  /** Without a host: to where the home thinks best. */
  migrate(pid: number, host?: HostId): void {
    this.job.migrate(toPid(pid), host);
  }
}

async function* latest<T>(
  fabric: Fabric,
  look: () => T,
  signal: AbortSignal | undefined,
  ended: Promise<unknown> = new Promise(() => {}),
): AsyncGenerator<T, void, undefined> {
  const feed = new Feed<undefined>();
  let fresh = false;
  const change = () => {
    if (!fresh) feed.push(undefined);
    fresh = true;
  };
  const stop = fabric.onChange(change);
  ended.then(() => feed.end());
  change();
  for await (const _ of feed.read(signal, stop)) {
    fresh = false;
    yield look();
  }
  yield look();
}
