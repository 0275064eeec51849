/**
 * How well many hosts are used: one process deals out equal, independent tasks, a child each, in the simulator (test/sim):
 * the very code of homes, hosts and executors, in virtual time. The same figures on every machine.
 */
import type { Doing, Guest } from "../sim/guest.ts";
import { History } from "../sim/history.ts";
import type { Pace } from "../sim/pace.ts";
import type { Party } from "../sim/party.ts";
import { SMALL, standIns } from "../sim/stand-in.ts";
import { fairWeather } from "../sim/weather.ts";
import { World } from "../sim/world.ts";

const HOSTS = [1, 10, 100, 300];
const TASKS_PER_HOST = 4;
/** From one poll to the next, of everything that computes. */
const POLL_MS = 10;
const LATENCY_MS = 5;
/** What each machine can send, over all its links together: 50 Mbit/s. */
const BYTES_PER_MS = 50e6 / 8 / 1000;
/** As measured of a small program with the real engine (`roost bench flight`): a first image, and one that continues it. */
const IMAGE_BYTES = { first: 19_800, later: 2_800 };

export const SIM_HOW =
  "the fabric's own code in virtual time, the same on every machine: a process on the launcher's host forks 4 children for each of n hosts, 1 s of computing each (fine: 100 ms), over links of 5 ms each way, each machine sending at 50 Mbit/s; images as large as a small program's; the home itself decides in no time. What was computed over what n hosts could have computed meanwhile";

/** What a fork, a call or a switch costs a worker and the way to it, by `roost bench local` and `syscalls`. */
function lanPace(world: World): Pace {
  const sentByMs = new Map<Party, number>();
  return {
    sliceMs: { least: 0.2, most: 0.3 },
    taskMs: { least: 0.01, most: 0.05 },
    crossingMs: 0.2,
    twoWorkers: 0,
    way: (from, own) => (bytes) => {
      if (own) return 0.05;
      const doneMs = Math.max(world.nowMs, sentByMs.get(from) ?? 0) + bytes / BYTES_PER_MS;
      sentByMs.set(from, doneMs);
      return doneMs - world.nowMs + LATENCY_MS;
    },
  };
}

/** Its value is how long it took from the first fork to the end of the last child, in milliseconds. */
function* farm(g: Guest, source: string): Doing<void> {
  const { hosts, taskMs } = JSON.parse(source) as { readonly hosts: number; readonly taskMs: number };
  while ((yield* g.call("hosts", undefined)).hosts.filter(({ free }) => free).length < hosts)
    yield* g.call("sleep", { dueMs: (yield* g.now()) + 100 });
  const beganMs = yield* g.now();
  for (let n = 0; n < TASKS_PER_HOST * hosts; n++)
    yield* g.spawn(function* () {
      yield* g.compute(taskMs / POLL_MS);
      return "";
    }, "remote");
  for (let n = 0; n < TASKS_PER_HOST * hosts; n++) yield* g.wait();
  yield* g.exit(String((yield* g.now()) - beganMs));
}

/** Part of what the hosts could have computed in the time that it took. */
async function efficiency(hosts: number, taskMs: number): Promise<number> {
  const world = new World(1, { recording: false });
  const history = new History(world, 1, {
    program: { source: JSON.stringify({ hosts, taskMs }), fileName: "farm" },
    weather: { ...fairWeather, hosts },
    pace: lanPace(world),
    steps: 0,
    lines: [],
    printsOnce: true,
    machines: (_, work) =>
      standIns({
        ...SMALL,
        program: farm,
        computed: () => work(POLL_MS),
        imageBytes: (continues) => (continues ? IMAGE_BYTES.later : IMAGE_BYTES.first),
      }),
  });
  world.onStep = () => {}; // the rules are looked at elsewhere, and take long with so many processes
  const { value } = await history.run();
  return (TASKS_PER_HOST * taskMs) / Number(value);
}

export async function simSuite(): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const hosts of HOSTS) {
    figures[`sim.hosts_${hosts}_efficiency`] = await efficiency(hosts, 1_000);
    figures[`sim.hosts_${hosts}_fine_efficiency`] = await efficiency(hosts, 100);
  }
  return figures;
}
