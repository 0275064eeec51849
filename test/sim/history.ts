/**
 * One history: a job of several parts, at a home with some hosts, in some weather, with every rule looked at after every
 * step. SIM.md beside this file says what is real, what is simulated and which rules there are.
 */
import { Invalid, utf8Decode } from "../../fabric/base/codec.ts";
import { must } from "../../fabric/base/errors.ts";
import { hostId, jobId, type Pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Disk } from "../../fabric/base/ports.ts";
import type { End, JobSpec, Process } from "../../fabric/home/state.ts";
import type { Job } from "../../fabric/host/job.ts";
import { readKeptJob } from "../../fabric/host/job-keeper.ts";
import type { Machines } from "../../fabric/host/machines.ts";
import type { JobAtRest } from "../../fabric/host/saved-job.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { decodeCall } from "../../fabric/wire/calls.ts";
import { decodeMessage, type Message, type MessageOf } from "../../fabric/wire/messages.ts";
import { checkHome, checkKernel, Epochs } from "./bookkeeping.ts";
import { Copies, Violation } from "./copies.ts";
import { Effects } from "./effects.ts";
import type { SimulatedLink } from "./network.ts";
import { anyPace, type Pace } from "./pace.ts";
import { Party } from "./party.ts";
import { SimulatedRelay } from "./relay.ts";
import { type HomeOptions, SELF, SimulatedHome } from "./simulated-home.ts";
import { SimulatedHost } from "./simulated-host.ts";
import { SimulatedStore } from "./simulated-store.ts";
import { cause } from "./troubles.ts";
import type { Weather } from "./weather.ts";
import type { World } from "./world.ts";

const HOUR_MS = 3_600_000;
/** How often what takes long to look at is looked at. */
const LOOK_CLOSELY_EVERY = 101;
/** Without trouble, a job must end within this, beside the patience of homes with hosts. */
const HEALED_MS = 60_000;

export interface Plan {
  readonly program: { readonly source: string; readonly fileName: string };
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly weather: Weather;
  /** Undefined: any that the weather allows. */
  readonly pace?: Pace;
  /** Steps that the job takes undisturbed. */
  readonly steps: number;
  /** Lines of input. */
  readonly lines: readonly string[];
  /** Whether it never prints a line twice. */
  readonly printsOnce: boolean;
  /** For the workers of a host: called for each. */
  readonly machines: (host: SimulatedHost, work: (ms: number) => void) => Machines;
}

export interface Outcome {
  readonly value: string;
  readonly stdout: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly steps: number;
}

interface Heard {
  readonly p: Process;
  readonly message: MessageOf<"call">;
}

/** A fabric in which one job runs. */
export class History {
  readonly world: World;
  readonly plan: Plan;
  readonly hosts: SimulatedHost[] = [];
  readonly relay: SimulatedRelay;
  readonly effects: Effects;
  readonly #spec: JobSpec;
  readonly #pace: Pace;
  readonly #skewOfHomeMs: number;
  readonly #rateOfHome: number;
  readonly #copies = new Copies();
  readonly #epochs = new Epochs();
  /** Of a kept home. */
  readonly #store: SimulatedStore | undefined;
  #files: MemoryDisk;
  #home: SimulatedHome;
  /** How many names it has had. */
  #homes = 0;
  /** Why another home could not go on. */
  #broken: unknown;
  #born = 0;
  /** No more trouble: everything that is broken is whole again. */
  healed = false;
  /** How the job ended. */
  end: End | undefined;

  constructor(world: World, seed: number, plan: Plan) {
    this.world = world;
    this.plan = plan;
    const { weather } = plan;
    this.#pace = plan.pace ?? anyPace(world, weather.delayMs);
    this.#skewOfHomeMs = this.#skewMs();
    this.#rateOfHome = this.#rate();
    this.effects = new Effects(plan.printsOnce);
    this.#files = new MemoryDisk(Object.entries(plan.files ?? {}), () => world.nowMs);
    this.#store = weather.kept && new SimulatedStore(world, weather.kept.writeMs);
    this.#spec = {
      id: jobId(`job-${seed}`),
      name: "simulated",
      program: plan.program,
      args: plan.args ?? [],
      env: {},
      zone: "UTC",
      memoryBytesMax: LIMITS.guestMemoryBytes,
      processesMax: LIMITS.processesPerJobMost,
      durable: true,
      preemptEvery: weather.preemptEvery,
      seed: BigInt(seed),
    };
    this.relay = new SimulatedRelay(world);
    this.#home = this.#newHome(undefined);
    for (let n = 0; n < weather.hosts; n++) world.after(world.between(0, 300), () => this.join());
    world.onStep = () => this.#look();
  }

  get job(): Job {
    return this.#home.job;
  }
  get homeParty(): Party {
    return this.#home.party;
  }
  /** The launcher's own host. */
  get own(): SimulatedHost {
    return this.#home.own;
  }

  /** The home dies, and its host with it; some time later another goes on from what was kept. */
  restartHome(): void {
    const { world } = this;
    if (!this.homeParty.alive || !this.#store) return;
    this.#home.die();
    world.after(world.between(1, 4_000), () =>
      this.#revive().catch((error) => {
        this.#broken = error;
      }),
    );
  }

  async #revive(): Promise<void> {
    const before = this.#home;
    const store = must(this.#store, "store").openedBy(before.party);
    const atRest = await readKeptJob(store, this.#spec.id);
    if (!atRest && before.kept) throw new Violation("the job was kept, and its store does not have it");
    this.world.note(() => `*** another home, ${atRest ? "of what was kept" : "of nothing"}`);
    if (atRest) {
      this.#epochs.goBackTo(atRest.job.home);
      this.effects.goBackTo(atRest.job);
      const { disk } = atRest.job;
      if (disk) this.#files = MemoryDisk.again(disk, atRest.contents, () => this.world.nowMs);
    }
    this.#home = this.#newHome(atRest);
    // It is closed again while it opens.
    const { world } = this;
    if (world.random() < 0.3) world.after(world.between(0, 100), () => this.healed || this.restartHome());
  }

  #newHome(atRest: JobAtRest | undefined): SimulatedHome {
    const { world, plan } = this;
    const party = new Party(world);
    const clock = world.clock(this.#skewOfHomeMs, party.enter, this.#rateOfHome); // it is the same machine
    if (this.#homes === 0 || world.random() < 0.5) this.#homes++; // it may be who it was
    const name = `home${this.#homes}`;
    const lines = [...plan.lines];
    const home = new SimulatedHome(world, {
      name,
      spec: this.#spec,
      party,
      clock,
      pace: this.#pace,
      disk: plan.weather.kept?.diskOutlives ? outliving(this.#files) : this.#files,
      terminal: this.#store
        ? undefined
        : {
            print: () => {},
            readLine: () =>
              new Promise((resolve) =>
                world.after(world.between(0, 20), () => party.enter(() => resolve(lines.shift()))),
              ),
          },
      onOutput: (fd, data) => this.effects.print(fd, utf8Decode(data)),
      relay: this.relay,
      own: this.#newHost(name, party),
      hosts: () => this.hosts,
      tap: (host, link) => this.#tap(host, link),
      onEnd: (end) => {
        this.end = end;
      },
      store: this.#store,
      atRest,
    });
    if (this.#store && !atRest) for (const line of [...lines, undefined]) home.job.giveLine(line);
    return home;
  }

  #tap(host: SimulatedHost, link: SimulatedLink): ReturnType<HomeOptions["tap"]> {
    /** What the host has not heard, in order, by the byte that says of what type it is: it is decoded once for both ends. */
    const underWay = new Map<number | undefined, Message[]>();
    return {
      home: {
        sent: (bytes) => {
          const message = this.#decoded(bytes, `→ ${host.name}`);
          underWay.set(bytes[0], [...(underWay.get(bytes[0]) ?? []), message]);
          host.sent(link, message);
        },
        heard: (bytes) => {
          this.#heard = this.#callIn(host, this.#decoded(bytes, `${host.name} →`));
        },
        done: () => this.#note(this.#heard),
      },
      host: { heard: ([type]) => host.heard(link, must(underWay.get(type)?.shift(), "message")) },
    };
  }

  /** Another host joins, and offers to take work. */
  join(): void {
    const { world } = this;
    const host = this.#newHost(`host${++this.#born}`);
    this.hosts.push(host);
    world.note(() => `*** ${host.name} joins`);
    const { memoryProcesses } = this.plan.weather;
    if (memoryProcesses && world.random() < 0.5)
      host.daemon.allow({ memoryBytes: memoryProcesses * (1 << 20) });
    host.daemon.allow({ taking: true, reason: "" });
    this.announce(host);
  }

  /** What the home has just been told. */
  #heard: Heard | undefined;
  readonly #announcers = new Map<SimulatedHost, () => void>();

  /** Tells the relay what the host is ready for. */
  announce(host: SimulatedHost): void {
    const again = this.#announcers.get(host);
    if (again) return again();
    const announce = this.relay.join({
      id: hostId(host.name),
      party: host.party,
      taking: () => host.daemon.state.terms.taking,
      onHosts: () => {},
    });
    this.#announcers.set(host, announce);
  }

  /** Runs it to its end. Throws a Violation when a rule is broken, or it does not end. */
  async run(): Promise<Outcome> {
    const { world, plan } = this;
    const { troubles } = plan.weather;
    for (const { what, at } of troubles) {
      const step = at * plan.steps;
      const ended = await world.run(() => this.end !== undefined || world.steps >= step, Number.MAX_VALUE);
      if (!ended) throw new Violation("nothing will ever happen again");
      if (this.end) break;
      cause(this, what);
    }
    if (troubles.length > 0) this.#heal();
    const inTime = await world.run(() => this.end !== undefined, HEALED_MS + LIMITS.patienceMs);
    if (!inTime) throw new Violation(`without trouble it did not end in time: ${this.#standstill()}`);
    await this.#leaveNothing();
    const { status, signal, value } = this.end ?? {};
    if (status !== 0) throw new Violation(`the job ended with ${status} ${signal ?? ""}`);
    return {
      value: utf8Decode(value ?? new Uint8Array()),
      stdout: this.effects.stdout,
      files: new Map(this.#files.files()),
      steps: world.steps,
    };
  }

  #heal(): void {
    const { world } = this;
    this.healed = true;
    world.note("*** all is well again");
    this.homeParty.wake();
    for (const host of [...this.hosts, this.own]) {
      if (!host.alive) continue;
      host.recover();
      for (const link of host.links) link.heal();
    }
    for (const host of this.hosts)
      if (host.alive) {
        host.daemon.allow({ taking: true, reason: "", held: false, share: 1, workers: 9 });
        this.announce(host);
      }
    if (!this.hosts.some(({ alive }) => alive)) this.join();
  }

  /** When the job is over, nothing of it is anywhere, as soon as everybody has heard. */
  async #leaveNothing(): Promise<void> {
    const { world } = this;
    this.#heal();
    const hosts = () => [...this.hosts, this.own].filter(({ alive }) => alive);
    const clean = () =>
      this.#copies.remains().length === 0 &&
      hosts().every(({ daemon }) => daemon.state.guests.size + daemon.state.forgetting.length === 0);
    const cleanInTime = await world.run(clean, LIMITS.muteMs + LIMITS.stuckMs);
    if (cleanInTime) return;
    const guests = hosts().flatMap(({ name, daemon: { state } }) =>
      [...state.guests.keys(), ...state.forgetting.map(({ cached }) => `answers ${cached}`)].map(
        (what) => `${what} known to ${name}`,
      ),
    );
    throw new Violation(
      `the job is over, and there are ${[...this.#copies.remains(), ...guests].join(", ")}`,
    );
  }

  #look(): void {
    if (this.#broken) throw this.#broken;
    const { state } = this.job;
    this.#copies.check(state);
    this.#epochs.check(state);
    if (this.world.steps % LOOK_CLOSELY_EVERY !== 0) return;
    if (!state.ended) checkHome(state);
    for (const host of this.hosts) checkKernel(host.kernel());
  }

  #newHost(name: string, party?: Party): SimulatedHost {
    const { world } = this;
    return new SimulatedHost(world, {
      name,
      workers: !party && world.random() < this.#pace.twoWorkers ? 2 : 1,
      pace: this.#pace,
      skewMs: this.#skewMs(),
      rate: this.#rate(),
      self: SELF,
      copies: this.#copies,
      machines: this.plan.machines,
      ...(party && { party }),
    });
  }

  #skewMs(): number {
    const { skewHours } = this.plan.weather;
    return this.world.between(-skewHours, skewHours) * HOUR_MS;
  }
  #rate(): number {
    const { drift } = this.plan.weather;
    return 1 + this.world.between(-drift, drift);
  }

  #decoded(bytes: Uint8Array, way: string): Message {
    const message = decodeMessage(bytes);
    if (message instanceof Invalid) throw new Violation(`a message that is none: ${message.reason}`);
    this.world.note(() => `${way.padStart(10)} ${told(message)}`);
    return message;
  }

  /** A call of a process to whose stay the home listens. */
  #callIn(host: SimulatedHost, message: Message): Heard | undefined {
    if (message.type !== "call") return undefined;
    const p = this.job.state.processes.get(message.pid);
    const listens = p?.where.kind === "at" && p.where.host === host.name && p.epoch === message.epoch;
    return listens ? { p, message } : undefined;
  }

  /** What its home has taken up, a process that runs again asks again. */
  #note(heard: Heard | undefined): void {
    if (!heard) return;
    const { p, message } = heard;
    const isTaken = p.end || (p.epoch === message.epoch && p.where.kind === "at");
    if (isTaken) this.effects.asked(p.pid, message.call, message.request);
  }

  #standstill(): string {
    return Array.from(this.job.state.processes.values(), (p) =>
      p.end
        ? ""
        : `${p.pid} ${p.where.kind === "at" ? `at ${p.where.host}` : p.where.kind}${p.pending ? ` in ${p.pending.for}` : ""}${p.paused ? " paused" : ""}`,
    )
      .filter(Boolean)
      .join("; ");
  }

  /** Any of the job's processes, for troubles that choose one. */
  anyPid(): Pid | undefined {
    return this.world.pick([...this.job.state.processes.keys()]);
  }
}

/** A disk that is there when its home has gone. */
const outliving = (disk: MemoryDisk): Disk => ({
  open: (path, mode) => disk.open(path, mode),
  stat: (path) => disk.stat(path),
  canonical: (path) => disk.canonical(path),
  list: (path) => disk.list(path),
  makeDirectory: (path) => disk.makeDirectory(path),
  unlink: (path) => disk.unlink(path),
  rename: (from, to) => disk.rename(from, to),
});

/** A message in a line of a transcript. */
function told(message: Message): string {
  const short = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    if (Array.isArray(value)) return value.length > 4 ? `${value.length} items` : value.map(short);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, part]) =>
        name === "job" || part === undefined ? [] : [[name, short(part)]],
      ),
    );
  };
  const { type, ...rest } = message;
  if (message.type === "call") {
    const call = decodeCall(message.request);
    Object.assign(rest, { request: call instanceof Error ? call.message : short(call) });
  }
  return `${type} ${JSON.stringify(short(rest)).replaceAll('"', "")}`;
}
