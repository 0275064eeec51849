/**
 * One life of a job's home, until its page or process dies: the real job, with the host that it has itself, and links to all hosts
 * that are listed. A home that is kept in a store is followed by another that goes on from what the store has.
 */
import { baseId, type HostId, hostId } from "../../fabric/base/ids.ts";
import type { Clock, Disk, Presence } from "../../fabric/base/ports.ts";
import type { End, JobSpec } from "../../fabric/home/state.ts";
import { Job, type JobOptions, type Terminal } from "../../fabric/host/job.ts";
import { keptJob } from "../../fabric/host/job-keeper.ts";
import type { JobAtRest } from "../../fabric/host/saved-job.ts";
import { Violation } from "./copies.ts";
import { SimulatedLink, type Tap } from "./network.ts";
import type { Pace } from "./pace.ts";
import type { Party } from "./party.ts";
import type { SimulatedRelay } from "./relay.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { SimulatedStore } from "./simulated-store.ts";
import type { World } from "./world.ts";

/** A home tries a host again that it could not link to, or has lost. */
const RETRY_MS = 2_000;

/** What only a host does that lies: all here are honest. */
const NEVER_SAID = /continues one it never sent|had never been given/;

/** Whose base image is whose: all have the same. */
export const SELF = { platform: "simulated", base: baseId("stand-in") };

export interface HomeOptions {
  /** Of its host too. */
  readonly name: string;
  readonly spec: JobSpec;
  readonly party: Party;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly disk: Disk;
  readonly terminal: Terminal | undefined;
  readonly onOutput: (fd: number, data: Uint8Array) => void;
  readonly relay: SimulatedRelay;
  /** The launcher's own. */
  readonly own: SimulatedHost;
  readonly hosts: () => readonly SimulatedHost[];
  /** Looks at what goes over a link. */
  readonly tap: (
    host: SimulatedHost,
    link: SimulatedLink,
  ) => { readonly home: Tap & { done(): void }; readonly host: { heard(message: Uint8Array): void } };
  readonly onEnd: (end: End) => void;
  /** Undefined: it is not kept. */
  readonly store: SimulatedStore | undefined;
  /** Undefined: the job begins. */
  readonly atRest: JobAtRest | undefined;
}

export class SimulatedHome {
  readonly job: Job;
  readonly party: Party;
  readonly own: SimulatedHost;
  /** Whether its store has had the job. */
  kept = false;
  readonly #world: World;
  readonly #options: HomeOptions;
  readonly #connecting = new Set<HostId>();
  #listed: readonly Presence[] = [];
  #ended = false;

  constructor(world: World, options: HomeOptions) {
    const { name, spec, party, own, store } = options;
    this.#world = world;
    this.#options = options;
    this.party = party;
    this.own = own;
    const jobOptions: JobOptions = {
      spec,
      self: { ...SELF, id: hostId(name), name },
      disk: options.disk,
      terminal: options.terminal,
      rewriteOutput: (fd, data) => {
        options.onOutput(fd, data);
        return data;
      },
      clock: options.clock,
      log: (sentence) => world.note(() => `${name}: ${sentence}`),
      onChange: () => {},
      onEvent: (event) => {
        world.note(() => `        ${JSON.stringify(event)}`);
        if (event.type === "left" && NEVER_SAID.test(event.why))
          throw new Violation(`process ${event.pid} left an honest host: ${event.why}`);
      },
      atRest: options.atRest,
    };
    if (!store) {
      this.job = new Job(jobOptions);
      this.#begin();
    } else {
      const { job, kept } = keptJob(store.openedBy(party), jobOptions);
      this.job = job;
      kept.then(() => {
        this.kept = true;
        this.#begin();
      });
    }
    this.job.ended.then((end) => {
      this.#ended = true;
      options.onEnd(end);
    });
  }

  /** From one step to the next. Its hosts hear of it at once, or of silence. */
  die(): void {
    const world = this.#world;
    const atOnce = world.random() < 0.5;
    for (const { links } of [...this.#options.hosts(), this.own]) {
      for (const link of links)
        if (atOnce) link.cut("the connection closed");
        else link.block(0, Number.POSITIVE_INFINITY);
      links.clear();
    }
    this.own.die();
    this.#options.store?.leftAlone();
  }

  #begin(): void {
    const { name, relay } = this.#options;
    relay.join({
      id: hostId(name),
      party: this.party,
      taking: () => false,
      onHosts: (hosts) => {
        this.#listed = hosts;
        this.#linkListed();
      },
    });
    this.#link(this.own, true);
  }

  /** As a participant does (host/fabric.ts): to all that take work and are not linked. */
  #linkListed(): void {
    for (const { host, taking } of this.#listed) {
      if (!taking || this.job.has(host) || this.#connecting.has(host) || this.#ended) continue;
      const found = this.#options.hosts().find(({ name }) => name === host);
      if (!found) continue;
      this.#connecting.add(host);
      this.#world.after(this.#world.between(1, 200), () =>
        this.party.enter(() => {
          if (found.alive && !found.party.asleep && !this.#ended) this.#link(found, false);
          else this.#again(host);
        }),
      );
    }
  }

  #again(host: HostId): void {
    this.#world.after(RETRY_MS, () =>
      this.party.enter(() => {
        this.#connecting.delete(host);
        this.#linkListed();
      }),
    );
  }

  #link(host: SimulatedHost, own: boolean): void {
    const { pace, tap } = this.#options;
    const parties = [this.party, host.party] as const;
    const ways = [pace.way(parties[0], own), pace.way(parties[1], own)] as const;
    const link = new SimulatedLink(this.#world, parties, ways);
    const [ours, theirs] = link.ends;
    const taps = tap(host, link);
    ours.tap = taps.home;
    host.links.add(link);
    host.daemon.serve(theirs, own);
    const hear = theirs.onMessage;
    theirs.onMessage = (bytes) => {
      hear(bytes);
      taps.host.heard(bytes);
    };
    this.job.addHost(ours, own, () => {
      host.links.delete(link);
      if (!own) this.#again(hostId(host.name));
    });
    const listen = ours.onMessage;
    ours.onMessage = (bytes) => {
      listen(bytes);
      taps.home.done();
    };
  }
}
