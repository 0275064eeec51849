/**
 * Every copy of every process on every simulated host, and who is allowed to have one. A copy is made by a placement and
 * is gone when its machine is disposed of, or its worker or host is dead; frozen, it can never run again.
 */
import type { Pid } from "../../fabric/base/ids.ts";
import type { HomeState } from "../../fabric/home/state.ts";
import type { Machines, RunningMachine } from "../../fabric/host/machines.ts";
import type { StayKey } from "../../fabric/kernel/executor-messages.ts";
import type { KernelState } from "../../fabric/kernel/state.ts";
import type { EncodedImage, Stay as Named } from "../../fabric/wire/messages.ts";
import type { SimulatedLink } from "./network.ts";
import type { Party } from "./party.ts";

/** A rule that was broken. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Of a stay, wherever it is: hosts know it by their link to its home besides. */
export type StayName = `${string}/${number}/${number}`;

export const nameOf = ({ job, pid, epoch }: Named): StayName => `${job}/${pid}/${epoch}`;
export const nameIn = (key: StayKey) => key.slice(key.indexOf("/") + 1) as StayName;
const epochOf = (name: StayName): number => Number(name.split("/")[2]);
const pidOf = (name: StayName): Pid => Number(name.split("/")[1]) as Pid;

/** What has to do with one stay, on the host it is at. */
export interface Stay {
  /** Over which its placement came. */
  readonly link: SimulatedLink;
  /** The home has said `release`, and it is on its way. */
  releasing: boolean;
  /** The host's kernel has let go of it, and its worker is to hear of that. */
  dropping: boolean;
}

/** Where a copy is, as the rules see it. */
export interface Site {
  readonly name: string;
  readonly kernel: () => KernelState;
  readonly stays: Map<StayName, Stay>;
}

interface Copy {
  readonly name: StayName;
  readonly pid: Pid;
  readonly epoch: number;
  readonly site: Site;
  readonly worker: Party;
  frozen: boolean;
}

export class Copies {
  readonly #copies = new Set<Copy>();
  /** One that was found where the executor would take it for the guest's. */
  #broken: unknown;

  get size(): number {
    return this.#copies.size;
  }

  /** Machines whose copies are counted. `stayOf`: for whom an executor makes one, of these images or anew. */
  watch(
    machines: Machines,
    site: Site,
    worker: Party,
    stayOf: (images: readonly EncodedImage[] | undefined) => StayName,
    onStep: () => void,
  ): Machines {
    const counted = (machine: RunningMachine, name: StayName): RunningMachine => {
      if (!worker.alive) return machine;
      const copy = this.#add(name, site, worker);
      const { start, resume } = machine;
      const dispose = machine[Symbol.dispose];
      const step = () => {
        try {
          this.#mayRun(copy);
          onStep();
        } catch (error) {
          this.#broken ??= error;
          throw error;
        }
      };
      machine.start = (program, world) => {
        step();
        return start.call(machine, program, world);
      };
      machine.resume = (world, answer) => {
        step();
        return resume.call(machine, world, answer);
      };
      machine[Symbol.dispose] = () => {
        this.#copies.delete(copy);
        dispose.call(machine);
      };
      return machine;
    };
    return {
      fresh: (options) => counted(machines.fresh(options), stayOf(undefined)),
      prepare: (...how) => machines.prepare(...how),
      dropPrepared: () => machines.dropPrepared(),
      tidy: () => machines.tidy(),
      restore: async (chain, options) => {
        const name = stayOf(chain);
        const machine = await machines.restore(chain, options);
        return "polls" in machine ? counted(machine, name) : machine;
      },
    };
  }

  #add(name: StayName, site: Site, worker: Party): Copy {
    for (const other of this.#copies)
      if (other.name === name)
        this.#broken ??= new Violation(`stay ${name} is at ${site.name}, and at ${other.site.name} too`);
    const copy = { name, pid: pidOf(name), epoch: epochOf(name), site, worker, frozen: false };
    this.#copies.add(copy);
    return copy;
  }

  /** Its snapshot has left the worker. */
  froze(site: Site, name: StayName): void {
    for (const copy of this.#copies) if (copy.site === site && copy.name === name) copy.frozen = true;
  }

  #mayRun(copy: Copy): void {
    if (copy.frozen)
      throw new Violation(`${copy.name} runs at ${copy.site.name} after its snapshot has left`);
    if (!copy.worker.alive) throw new Violation(`${copy.name} runs at ${copy.site.name}, on a dead worker`);
  }

  /**
   * At most one copy of a process can run and be listened to, and another that could still run is one that cannot hear
   * yet that it must not: its link has gone, or what tells it is on its way.
   */
  check(home: HomeState): void {
    if (this.#broken) throw this.#broken;
    for (const copy of this.#copies) {
      if (!copy.worker.alive) {
        this.#copies.delete(copy);
        continue;
      }
      if (copy.frozen) continue;
      const p = home.processes.get(copy.pid);
      if (p?.where.kind === "at" && p.where.host === copy.site.name && p.epoch === copy.epoch && !home.ended)
        continue;
      const stay = copy.site.stays.get(copy.name);
      if (!stay || stay.releasing || stay.dropping || stay.link.isCutOff) continue;
      throw new Violation(
        `${copy.site.name} can run ${copy.name}, where the home has ${describe(home, copy.pid)}: nothing has told it`,
      );
    }
  }

  /** What is left when everything is over, in words. */
  remains(): string[] {
    return [...this.#copies]
      .filter(({ worker }) => worker.alive)
      .map(({ name, site }) => `${name} at ${site.name}`);
  }
}

function describe(home: HomeState, pid: Pid): string {
  const p = home.processes.get(pid);
  if (!p) return "no such process";
  return p.where.kind === "at" ? `epoch ${p.epoch} at ${p.where.host}` : `epoch ${p.epoch}, ${p.where.kind}`;
}
