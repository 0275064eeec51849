/**
 * One history: a job of several parts, at a home with some hosts, in some weather, with every rule looked at after every
 * step. SIM.md beside this file says what is real, what is simulated and which rules there are.
 */
import { Invalid, utf8Decode } from "../../fabric/base/codec.ts";
import { baseId, type HostId, hostId, jobId, type Pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Clock } from "../../fabric/base/ports.ts";
import type { End } from "../../fabric/home/state.ts";
import { Job } from "../../fabric/host/job.ts";
import type { Machines } from "../../fabric/host/machines.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { decodeCall } from "../../fabric/wire/calls.ts";
import type { Entry } from "../../fabric/wire/directory.ts";
import { decodeMessage, type Message } from "../../fabric/wire/messages.ts";
import { checkHome, checkKernel, Epochs } from "./bookkeeping.ts";
import { Copies, Violation } from "./copies.ts";
import { Effects } from "./effects.ts";
import { SimulatedLink } from "./network.ts";
import { anyPace, type Pace } from "./pace.ts";
import { Party } from "./party.ts";
import { SimulatedRelay } from "./relay.ts";
import { SimulatedHost } from "./simulated-host.ts";
import { cause } from "./troubles.ts";
import type { Weather } from "./weather.ts";
import type { World } from "./world.ts";

const HOUR_MS = 3_600_000;
/** A home tries a host again that it could not link to, or has lost. */
const RETRY_MS = 2_000;
/** How often what takes long to look at is looked at. */
const LOOK_CLOSELY_EVERY = 37;
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

/** A fabric in which one job runs. */
export class History {
  readonly world: World;
  readonly plan: Plan;
  readonly job: Job;
  readonly hosts: SimulatedHost[] = [];
  readonly homeParty: Party;
  readonly relay: SimulatedRelay;
  readonly effects: Effects;
  readonly #pace: Pace;
  readonly #copies = new Copies();
  readonly #epochs = new Epochs();
  readonly #disk: MemoryDisk;
  readonly #clock: Clock;
  readonly #self;
  readonly #connecting = new Set<HostId>();
  #listed: readonly Entry[] = [];
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
    this.homeParty = new Party(world);
    this.effects = new Effects(plan.printsOnce);
    this.#disk = new MemoryDisk(Object.entries(plan.files ?? {}), () => world.nowMs);
    this.#clock = world.clock(this.#skewMs(), this.homeParty.enter, this.#rate());
    this.#self = { platform: "simulated", base: baseId("stand-in") };
    const lines = [...plan.lines];
    this.job = new Job({
      spec: {
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
      },
      self: { ...this.#self, id: hostId("home"), name: "home" },
      disk: this.#disk,
      terminal: {
        print: (fd, data) => this.effects.print(fd, utf8Decode(data)),
        readLine: () =>
          new Promise((resolve) =>
            world.after(world.between(0, 20), () => this.homeParty.enter(() => resolve(lines.shift()))),
          ),
      },
      clock: this.#clock,
      log: (sentence) => world.note(() => `home: ${sentence}`),
      onChange: () => {},
      onEvent: (event) => world.note(() => `        ${JSON.stringify(event)}`),
    });
    this.job.ended.then((end) => {
      this.end = end;
    });
    this.relay = new SimulatedRelay(world);
    this.relay.join({
      id: hostId("home"),
      party: this.homeParty,
      taking: () => false,
      onHosts: (hosts) => {
        this.#listed = hosts;
        this.#linkListed();
      },
    });
    this.#link(this.#newHost("home", this.homeParty), true);
    for (let n = 0; n < weather.hosts; n++) world.after(world.between(0, 300), () => this.join());
    world.onStep = () => this.#look();
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
    host.daemon.take();
    this.announce(host);
  }

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
      files: new Map(this.#disk.files()),
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
    const { state } = this.job;
    this.#copies.check(state);
    this.#epochs.check(state);
    if (this.world.steps % LOOK_CLOSELY_EVERY !== 0) return;
    if (!state.ended) checkHome(state);
    for (const host of this.hosts) checkKernel(host.kernel());
  }

  /** The launcher's own host. */
  get own(): SimulatedHost {
    return this.#home;
  }
  #home!: SimulatedHost;

  #newHost(name: string, party?: Party): SimulatedHost {
    const { world } = this;
    const host = new SimulatedHost(world, {
      name,
      workers: !party && world.random() < this.#pace.twoWorkers ? 2 : 1,
      pace: this.#pace,
      skewMs: this.#skewMs(),
      rate: this.#rate(),
      self: this.#self,
      copies: this.#copies,
      machines: this.plan.machines,
      ...(party && { party }),
    });
    if (party) this.#home = host;
    return host;
  }

  #skewMs(): number {
    const { skewHours } = this.plan.weather;
    return this.world.between(-skewHours, skewHours) * HOUR_MS;
  }
  #rate(): number {
    const { drift } = this.plan.weather;
    return 1 + this.world.between(-drift, drift);
  }

  /** As a participant does (host/fabric.ts): to all that take work and are not linked. */
  #linkListed(): void {
    for (const { host, taking } of this.#listed) {
      if (!taking || this.job.has(host) || this.#connecting.has(host) || this.end) continue;
      const found = this.hosts.find(({ name }) => name === host);
      if (!found) continue;
      this.#connecting.add(host);
      this.world.after(this.world.between(1, 200), () =>
        this.homeParty.enter(() => {
          if (found.alive && !found.party.asleep && !this.end) this.#link(found, false);
          else this.#again(host);
        }),
      );
    }
  }

  #again(host: HostId): void {
    this.world.after(RETRY_MS, () =>
      this.homeParty.enter(() => {
        this.#connecting.delete(host);
        this.#linkListed();
      }),
    );
  }

  #link(host: SimulatedHost, own: boolean): void {
    const { way } = this.#pace;
    const parties = [this.homeParty, host.party] as const;
    const link = new SimulatedLink(this.world, parties, [way(parties[0], own), way(parties[1], own)]);
    const [ours, theirs] = link.ends;
    ours.tap = {
      sent: (bytes) => host.sent(link, this.#decoded(bytes, `→ ${host.name}`)),
      heard: (bytes) => this.#heardAtHome(host, this.#decoded(bytes, `${host.name} →`)),
    };
    host.links.add(link);
    host.daemon.serve(theirs, own);
    const hear = theirs.onMessage;
    theirs.onMessage = (bytes) => {
      hear(bytes);
      const message = decodeMessage(bytes);
      if (!(message instanceof Invalid)) host.heard(link, message);
    };
    this.job.addHost(ours, own, () => {
      host.links.delete(link);
      if (!own) this.#again(hostId(host.name));
    });
  }

  #decoded(bytes: Uint8Array, way: string): Message {
    const message = decodeMessage(bytes);
    if (message instanceof Invalid) throw new Violation(`a message that is none: ${message.reason}`);
    this.world.note(() => `${way.padStart(10)} ${told(message)}`);
    return message;
  }

  /** A process that runs again asks what it asked before, as long as the home has heard of that. */
  #heardAtHome(host: SimulatedHost, message: Message): void {
    if (message.type !== "call") return;
    const p = this.job.state.processes.get(message.pid);
    if (p?.where.kind !== "at" || p.where.host !== host.name || p.epoch !== message.epoch) return;
    this.effects.asked(message.pid, message.call, message.request);
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
