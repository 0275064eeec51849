/**
 * `roost bench [SUITE…] [--json FILE]`: measures, and says on what and how. A suite is named by its name, or by what
 * stands before the dot in its figures. Needs a checkout: the rivals and browsers it measures against are development
 * dependencies.
 */
import { writeFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { must, RoostError } from "../../fabric/base/errors.ts";
import { deathSuite } from "./death.ts";
import { durableSuite } from "./durable.ts";
import { engineSuite, forkSuite, imageSuite } from "./engine.ts";
import { localSuite } from "./fabric.ts";
import { flightSuite } from "./flight.ts";
import { migrateSuite } from "./migrate.ts";
import { SIM_HOW, simSuite } from "./sim.ts";
import { speedupSuite } from "./speedup.ts";
import { syscallSuite } from "./syscalls.ts";

interface Suite {
  readonly how: string;
  /** What stands before the dot in its figures, where that is not its name. */
  readonly gives?: readonly string[];
  readonly measure: () => Promise<Record<string, number>>;
}

const SUITES: Record<string, Suite> = {
  engine: {
    how: "our engine against the stock synchronous build, the same programs in turn in one Node process; 1 is no difference",
    measure: engineSuite,
  },
  image: {
    how: "in one Node process; a small program, and one with 8 MiB of objects: its first image, another after one more call, and a machine made of it, over one of another and then once more",
    measure: imageSuite,
  },
  fork: {
    how: "in one Node process, without its protocol: image of a parent with 1 MiB of live heap, a child made of it, and run to its first call",
    measure: forkSuite,
  },
  local: {
    how: "a whole fabric in one Node process, host, worker and home: forking, ending and waiting with 1 MiB of live heap; thousands of processes that sleep",
    gives: ["fork", "host"],
    measure: localSuite,
  },
  durable: {
    how: "in one Node process: pmake on two hosts, and a program of seconds on one, with checkpoints and without, in turn; file writes at a home that is kept in a store and one that is not",
    measure: durableSuite,
  },
  speedup: {
    how: "pmake over Roost's own sources, on one host and on several in one Node process, a worker each, in turn: the time on one over the time on all",
    measure: speedupSuite,
  },
  sim: {
    how: SIM_HOW,
    measure: simSuite,
  },
  flight: {
    how: "two Chromium processes, WebRTC over loopback, through the page: forks to a remote tab, and reclaims of four busy processes",
    gives: ["fork", "evict", "image"],
    measure: flightSuite,
  },
  migrate: {
    how: "two Chromium processes, WebRTC over loopback, through the page: a busy process moved to and fro, of 1 MiB and of 64 of which it changes one a second; letters meanwhile, and during the first copy of 34 MiB, the median of three",
    gives: ["message"],
    measure: migrateSuite,
  },
  death: {
    how: "two Chromium processes, WebRTC over loopback: the donor's is killed after a second of silence; until its process is to go on elsewhere, the worst of several",
    gives: ["host"],
    measure: deathSuite,
  },
  syscalls: {
    how: "two Node processes, WebRTC over loopback; each call where its home is in the same process, and across the link. A move costs fixed_ms + its factors, fitted by least squares",
    gives: ["syscall", "message", "move"],
    measure: syscallSuite,
  },
};

/** The suites that have such a name or figures. Throws EINVAL for a name that none has. */
export function suitesNamed(names: readonly string[]): string[] {
  const suites = Object.entries(SUITES).map(([suite, { gives = [] }]) => ({
    suite,
    called: [suite, ...gives],
  }));
  const unknown = names.filter((name) => !suites.some(({ called }) => called.includes(name)));
  if (unknown.length > 0) {
    const known = [...new Set(suites.flatMap(({ called }) => called))].join(", ");
    throw new RoostError("EINVAL", `no suite ${unknown.join(", ")}; there are ${known}`);
  }
  const isMeant = (called: readonly string[]) =>
    names.length === 0 || called.some((name) => names.includes(name));
  return suites.filter(({ called }) => isMeant(called)).map(({ suite }) => suite);
}

/** `jsonFile`: where the figures go as JSON too; `-` is stdout, and what is for people goes to stderr then. */
export async function bench(names: readonly string[], jsonFile: string | undefined): Promise<void> {
  const suites = suitesNamed(names);
  const people = jsonFile === "-" ? process.stderr : process.stdout;
  const say = (sentence: string) => people.write(`${sentence}\n`);
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown CPU"}, ${platform()} ${arch()}, Node ${process.versions.node}`;
  say(`On ${machine}`);
  const all: Record<string, number> = {};
  for (const name of suites) {
    const { how, measure } = must(SUITES[name], "suite");
    say(`\n${name}: ${how}`);
    const figures = await measure();
    for (const [metric, value] of Object.entries(figures)) say(`  ${metric.padEnd(44)} ${rounded(value)}`);
    Object.assign(all, figures);
  }
  const json = `${JSON.stringify(all, null, 2)}\n`;
  if (jsonFile === "-") process.stdout.write(json);
  else if (jsonFile) writeFileSync(jsonFile, json);
}

const rounded = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
