/**
 * A simulated machine that takes work: the real daemon, kernel and executors, on a party that may sleep, be slow or die.
 * A worker is a party of its own: it can be stuck in a guest, or crash, without the machine.
 */
import { must } from "../../fabric/base/errors.ts";
import { hostId } from "../../fabric/base/ids.ts";
import type { Clock } from "../../fabric/base/ports.ts";
import { Executor } from "../../fabric/host/executor.ts";
import type { Self } from "../../fabric/host/greeting.ts";
import { HostDaemon } from "../../fabric/host/host-daemon.ts";
import type { Machines } from "../../fabric/host/machines.ts";
import type { Command, ExecutorPort } from "../../fabric/kernel/executor-messages.ts";
import type { EncodedImage, Message } from "../../fabric/wire/messages.ts";
import { type Copies, nameIn, nameOf, type Site, type Stay, type StayName, Violation } from "./copies.ts";
import type { SimulatedLink } from "./network.ts";
import type { Pace } from "./pace.ts";
import { Party } from "./party.ts";
import type { World } from "./world.ts";

export interface HostOptions {
  readonly name: string;
  readonly workers: number;
  readonly pace: Pace;
  readonly skewMs: number;
  readonly rate: number;
  readonly self: Omit<Self, "id" | "name">;
  readonly copies: Copies;
  /** Another for each worker. `work`: a slice computes for so many milliseconds. */
  readonly machines: (host: SimulatedHost, work: (ms: number) => void) => Machines;
  /** Undefined: a machine of its own. The launcher's host shares the home's. */
  readonly party?: Party;
}

interface Worker {
  readonly party: Party;
  readonly port: ExecutorPort;
}

export class SimulatedHost implements Site {
  readonly name: string;
  readonly party: Party;
  readonly clock: Clock;
  readonly daemon: HostDaemon;
  readonly stays = new Map<StayName, Stay>();
  readonly links = new Set<SimulatedLink>();
  readonly #world: World;
  readonly #options: HostOptions;
  #workers: Worker[] = [];

  constructor(world: World, options: HostOptions) {
    this.#world = world;
    this.#options = options;
    this.name = options.name;
    this.party = options.party ?? new Party(world);
    this.clock = world.clock(options.skewMs, this.party.enter, options.rate);
    this.daemon = new HostDaemon({
      self: { ...options.self, id: hostId(options.name), name: options.name },
      executors: Array.from({ length: options.workers }, () => this.#startWorker()),
      startExecutor: () =>
        new Promise((resolve) =>
          world.after(world.between(1, 50), () => this.party.enter(() => resolve(this.#startWorker()))),
        ),
      clock: this.clock,
      log: (sentence) => world.note(() => `${this.name}: ${sentence}`),
      onChange: () => {},
    });
  }

  readonly kernel = () => this.daemon.state;

  get alive(): boolean {
    return this.party.alive;
  }

  die(): void {
    this.party.alive = false;
    for (const { party } of this.#workers) party.alive = false;
  }

  /** Nothing happens on the machine, its workers included. `confirms`: packets are, as by a browser whose page sleeps. */
  sleep(ms: number, confirms: boolean): void {
    this.party.sleep(ms);
    for (const { party } of this.#workers) party.sleep(ms);
    for (const link of this.links) link.mute(1, ms, confirms);
  }

  /** One worker is inside something that polls nothing; undefined: until it is ended. */
  stick(ms: number | undefined): void {
    this.#anyWorker()?.party.sleep(ms ?? Number.POSITIVE_INFINITY);
  }

  crashWorker(): void {
    const worker = this.#anyWorker();
    if (!worker) return;
    worker.party.alive = false;
    this.#world.after(this.#world.between(0, 5), () =>
      this.party.enter(() => worker.port.onEnd("it crashed")),
    );
  }

  /** To be called at the end of whatever made it stand still. */
  recover(): void {
    this.party.slowness = 1;
    this.party.wake();
    for (const { party } of this.#workers) party.wake();
  }

  /** Follows what the home sends here, for the rules. */
  sent(link: SimulatedLink, message: Message): void {
    if (message.type === "place")
      this.stays.set(nameOf(message), { link, releasing: false, dropping: false });
    if (message.type !== "release") return;
    const stay = this.stays.get(nameOf(message));
    if (stay?.link === link) stay.releasing = true;
  }

  /** After the host has heard it. */
  heard(link: SimulatedLink, message: Message): void {
    if (message.type !== "release") return;
    const stay = this.stays.get(nameOf(message));
    if (stay?.link === link) stay.releasing = false;
    const name = nameOf(message);
    if ([...this.daemon.state.guests.values()].some((guest) => nameOf(guest) === name))
      throw new Violation(`${this.name} still has ${name} after its home's release`);
  }

  #anyWorker(): Worker | undefined {
    return this.#world.pick(this.#workers.filter(({ party }) => party.alive));
  }

  #startWorker(): ExecutorPort {
    const world = this.#world;
    const { sliceMs, taskMs, crossingMs } = this.#options.pace;
    const party = new Party(world);
    if (this.party.asleep) party.sleep(this.party.sleepsMs);
    party.alive = this.party.alive;
    const port: ExecutorPort = {
      command: () => {},
      onReport: () => {},
      onEnd: () => {},
      close: () => {
        party.alive = false;
      },
    };
    let busyUntilMs = 0;
    /** The executor makes a machine of the very list of images that it was sent, or of the program it was sent last. */
    const stays = new Map<readonly EncodedImage[] | undefined, StayName>();
    let halted = false;
    const work = (ms: number) => {
      busyUntilMs = Math.max(busyUntilMs, world.nowMs) + this.party.slowness * ms;
      party.sleep(busyUntilMs - world.nowMs);
    };
    const sliced = () => {
      if (halted)
        throw new Violation(`a guest runs at ${this.name}, where its worker has said that none does`);
      work(world.between(sliceMs.least, sliceMs.most));
    };
    const machines = this.#options.copies.watch(
      this.#options.machines(this, work),
      this,
      party,
      (images) => must(stays.get(images), "placement"),
      sliced,
    );
    // Within a slice time goes on for the worker, and only for it; it does nothing else before that time has come.
    const clock = world.clock(this.#options.skewMs, party.enter, this.#options.rate);
    const aheadMs = () => Math.max(0, busyUntilMs - world.nowMs);
    const executor = new Executor({
      machines,
      hostName: this.name,
      clock: { ...clock, monotonic: () => clock.monotonic() + aheadMs() },
      random: world.randomBytes(),
      report: (() => {
        const send = world.pipe<Parameters<ExecutorPort["onReport"]>[0]>(crossingMs, (report) =>
          this.party.enter(() => port.onReport(report)),
        );
        return (report) => {
          if (!party.alive) return;
          if (report.type === "snapshot" && report.why !== "save")
            this.#options.copies.froze(this, nameIn(report.key));
          send(report);
        };
      })(),
      yieldThen: (run) =>
        world.after(this.party.slowness * world.between(taskMs.least, taskMs.most), () => party.enter(run)),
    });
    const handle = (command: Command) => {
      world.note(
        () => `          ${this.name} worker: ${command.type} ${"key" in command ? command.key : ""}`,
      );
      if (command.type === "place")
        stays.set(command.place.snapshot && command.place.images, nameOf(command.place));
      if (command.type === "halt" || command.type === "go") halted = command.type === "halt";
      executor.handle(command);
      if (command.type === "drop") this.stays.delete(nameIn(command.key));
    };
    const deliver = world.pipe<Command>(crossingMs, (command) => party.enter(() => handle(command)));
    port.command = (command) => {
      const stay = command.type === "drop" ? this.stays.get(nameIn(command.key)) : undefined;
      if (stay) stay.dropping = true;
      deliver(command);
    };
    this.#workers = [...this.#workers.filter(({ party }) => party.alive), { party, port }];
    return port;
  }
}
