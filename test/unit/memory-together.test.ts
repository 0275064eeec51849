/** Processes that together have more than owners give come to rest: real kernels and homes, and workers that only say what they would. */
import { expect, test } from "vitest";
import { callNumber, hostId, imageId, type JobId, jobId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { HomeEvent } from "../../fabric/home/effects.ts";
import { step as homeStep, newHome } from "../../fabric/home/home.ts";
import type { HomeState } from "../../fabric/home/state.ts";
import type { KernelEvent } from "../../fabric/kernel/events.ts";
import type { HomeLink, Report, StayKey } from "../../fabric/kernel/executor-messages.ts";
import { step as kernelStep } from "../../fabric/kernel/kernel.ts";
import { type KernelState, newKernel } from "../../fabric/kernel/state.ts";
import { NO_TERMS } from "../../fabric/kernel/terms.ts";
import { encodeCall } from "../../fabric/wire/calls.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";

const MIB = 2 ** 20;

class Scene {
  nowMs = 1_000;
  placements = 0;
  readonly #homes = new Map<HomeLink, HomeState>();
  readonly #hosts = new Map<string, KernelState>();
  /** What a worker says of whom it is given. */
  readonly #sizes = new Map<string, number>();
  /** What is on its way, in order. */
  readonly #underWay: (() => void)[] = [];

  home(link: number): void {
    const id = jobId(`job ${link}`);
    const state = newHome(
      {
        id,
        name: "job",
        program: { source: "", fileName: "x.js" },
        args: [],
        env: {},
        zone: "UTC",
        memoryBytesMax: LIMITS.guestMemoryBytes,
        processesMax: 99,
        durable: false,
        preemptEvery: 0,
        seed: 1n,
      },
      this.nowMs,
    );
    this.#homes.set(link as HomeLink, state);
  }

  host(name: string, mib: number, ownOf?: number): void {
    this.#hosts.set(name, newKernel([0]));
    this.#atHost(name, { type: "terms", terms: { ...NO_TERMS, taking: true, memoryBytes: mib * MIB } });
    for (const link of this.#homes.keys()) {
      if (ownOf !== undefined && ownOf !== link) continue;
      const local = ownOf === link;
      this.#atHome(link, { type: "hostLinked", host: hostId(name), name, platform: "", local });
      this.#atHost(name, { type: "linked", link, own: local, host: hostId(`home ${link}`), name: "" });
    }
    this.settle();
  }

  /** The first process of the job forks; the child will be found to have so much. Says its pid. */
  fork(link: number, mib: number): void {
    const home = this.#homes.get(link as HomeLink) as HomeState;
    const pid = home.nextPid;
    this.#sizes.set(`${home.spec.id}/${pid}`, mib * MIB);
    const first = [...home.processes.values()][0];
    if (first?.where.kind !== "at") throw new Error("the first process is nowhere");
    const call = callNumber(pid);
    const chain = [imageId(`fork ${pid}`)];
    this.#atHome(link as HomeLink, {
      type: "message",
      host: first.where.host,
      message: {
        type: "call",
        job: home.spec.id,
        pid: first.pid,
        epoch: first.epoch,
        call,
        request: encodeCall("fork", { on: "remote" }),
        waits: true,
        learned: NOTHING_LEARNED,
        snapshot: { chain, calls: callNumber(pid + 1), waiting: true, moment: 0, clockMs: 0 },
        images: chain.map((id) => ({ id, bytes: new Uint8Array(1) })),
        tookMs: 0,
      },
    });
  }

  /** Carries out all that is under way, as long as something is. */
  settle(): void {
    for (let steps = 0; ; steps++) {
      const next = this.#underWay.shift();
      if (!next) return;
      if (steps > 5_000) throw new Error("it does not come to rest");
      next();
    }
  }

  /** Where its processes are, the first aside. */
  places(link: number): (string | undefined)[] {
    const home = this.#homes.get(link as HomeLink) as HomeState;
    return [...home.processes.values()]
      .slice(1)
      .map(({ where }) => (where.kind === "at" ? where.host : undefined));
  }

  #atHome(link: HomeLink, event: HomeEvent): void {
    const home = this.#homes.get(link) as HomeState;
    this.nowMs += 1;
    for (const effect of homeStep(home, event, this.nowMs)) {
      if (effect.type !== "send") continue;
      const { host, message } = effect;
      if (message.type === "place") this.placements++;
      this.#underWay.push(() => this.#atHost(host, { type: "message", link, message }));
    }
  }

  #atHost(name: string, event: KernelEvent): void {
    const host = this.#hosts.get(name) as KernelState;
    for (const effect of kernelStep(host, event, this.nowMs)) {
      if (effect.type === "send") {
        const { link, message } = effect;
        this.#underWay.push(() => this.#atHome(link, { type: "message", host: hostId(name), message }));
      }
      if (effect.type !== "command") continue;
      const { command } = effect;
      if (command.type === "place") {
        const { job, pid } = command.place;
        this.#reports(name, {
          type: "usage",
          key: command.key,
          used: { cpuMs: 1, memoryBytes: this.#size(job, pid), polls: 1 },
        });
      }
      if (command.type === "snapshot") this.#reports(name, back(command.key));
    }
  }

  readonly #size = (job: JobId, pid: number) => this.#sizes.get(`${job}/${pid}`) ?? MIB;

  #reports(name: string, report: Report): void {
    this.#underWay.push(() => this.#atHost(name, { type: "report", executor: 0, report }));
  }
}

const back = (key: StayKey): Report => ({
  type: "snapshot",
  key,
  why: "reclaimed",
  snapshot: undefined,
  images: [],
  learned: NOTHING_LEARNED,
  tookMs: 0,
});

test("of one job: each is tried at each host at most once, and what has room nowhere waits", () => {
  const scene = new Scene();
  scene.home(1);
  scene.host("launcher", 1, 1);
  scene.host("one", 100);
  scene.host("two", 100);
  const before = scene.placements;
  for (let n = 0; n < 5; n++) scene.fork(1, 60);
  scene.settle();
  expect(scene.places(1).filter((host) => host === undefined)).toHaveLength(3);
  expect(scene.places(1)).toEqual(expect.arrayContaining(["one", "two"]));
  expect(scene.placements - before).toBeLessThanOrEqual(10);
});

test("of two jobs that know nothing of each other", () => {
  const scene = new Scene();
  scene.home(1);
  scene.home(2);
  scene.host("launcher", 1, 1);
  scene.host("other launcher", 1, 2);
  scene.host("one", 100);
  scene.host("two", 100);
  const before = scene.placements;
  for (let n = 0; n < 3; n++) {
    scene.fork(1, 60);
    scene.fork(2, 60);
  }
  scene.settle();
  const placed = [...scene.places(1), ...scene.places(2)].filter((host) => host !== undefined);
  expect(placed.toSorted()).toEqual(["one", "two"]);
  expect(scene.placements - before).toBeLessThanOrEqual(12);
});
