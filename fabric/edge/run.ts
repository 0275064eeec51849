/** Launches a program and sees it through: `roost run`, and the demonstration of `npm start`. */
import { RoostError } from "../base/errors.ts";
import { FIRST_PID } from "../base/ids.ts";
import type { JobEvent } from "../home/effects.ts";
import { Fabric } from "../host/fabric.ts";
import type { Job } from "../host/job.ts";
import { type JobView, viewOfJob } from "../host/view.ts";
import { NodeDisk } from "../io/node-disk.ts";
import type { Program } from "./bundle.ts";
import { nodeEnvironment } from "./environment.ts";
import { joinRelay } from "./join.ts";
import { describeJob, processTerminal, StatusLine } from "./terminal.ts";

export interface Launch {
  readonly program: Program;
  readonly args: readonly string[];
  /** The job's directory. */
  readonly directory: string;
  readonly preemptEvery?: number;
  readonly memoryBytesMax?: number;
  /** What the line below the output says; by default the job in one line. */
  readonly status?: (job: JobView) => string;
  /** Where the job's output goes instead of this terminal. */
  readonly print?: (fd: number, data: Uint8Array) => void;
}

export interface Outcome {
  /** As a shell would say it: the status, or 128 and the signal's number. */
  readonly exitCode: number;
  readonly job: JobView;
}

const SIGNAL_NUMBERS: Record<string, number> = {
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
  SIGUSR1: 10,
  SIGUSR2: 12,
};

/** Runs a job on `count` hosts inside this process, each with a worker thread, without any network. */
export async function runLocal(launch: Launch, count: number): Promise<Outcome> {
  const hosts = Array.from(
    { length: count },
    (_, n) => new Fabric(nodeEnvironment({ name: `host ${n + 1}` }), { workers: 1 }),
  );
  const [home, ...others] = hosts;
  if (!home) throw new RoostError("EINVAL", "at least one host is needed: --local=1");
  try {
    await Promise.all(others.map((host) => host.donate()));
    return await seeThrough(home, launch, async (job) => {
      for (const host of others) await home.lend(job, host);
    });
  } finally {
    for (const host of hosts) host.close();
  }
}

/** Runs a job whose home is this process, on the hosts that take work at a relay, and here. */
export async function runAtRelay(launch: Launch, relay: URL): Promise<Outcome> {
  await using participant = await joinRelay(relay, { workers: 1 });
  return await seeThrough(participant.fabric, launch);
}

/** From the launch to the end, with the terminal and Ctrl-C in between. */
async function seeThrough(
  home: Fabric,
  launch: Launch,
  whenLaunched: (job: Job) => Promise<void> = async () => {},
): Promise<Outcome> {
  let job: Job | undefined;
  const line = new StatusLine(() => {
    if (!job) return "";
    const view = viewOfJob(job);
    return launch.status ? launch.status(view) : describeJob(view, Date.now());
  });
  const terminal = processTerminal(line.clear);
  if (launch.print) terminal.print = launch.print;
  const interrupts = onInterrupt(() => job);
  try {
    job = await home.run({
      name: launch.program.fileName,
      source: launch.program.source,
      fileName: launch.program.fileName,
      args: launch.args,
      env: environmentOfJob(),
      disk: new NodeDisk(launch.directory),
      terminal,
      preemptEvery: launch.preemptEvery ?? 0,
      ...(process.env.ROOST_TRACE ? { onEvent: trace } : {}),
      ...(launch.memoryBytesMax ? { memoryBytesMax: launch.memoryBytesMax } : {}),
    });
    await whenLaunched(job);
    const { status, signal } = await job.ended;
    const exitCode = signal ? 128 + (SIGNAL_NUMBERS[signal] ?? 0) : status & 255;
    return { exitCode, job: viewOfJob(job) };
  } finally {
    interrupts();
    line.close();
    terminal.close();
  }
}

/** With ROOST_TRACE set: everything that happens, as JSON lines on stderr. */
function trace(event: JobEvent, atMs: number): void {
  process.stderr.write(`${JSON.stringify({ atMs, ...event })}\n`);
}

/** Ctrl-C ends the whole job; a second one ends this process at once. */
function onInterrupt(job: () => Job | undefined): () => void {
  let asked = false;
  const interrupt = (signal: "SIGINT" | "SIGTERM") => {
    if (asked || !job()) process.exit(128 + (SIGNAL_NUMBERS[signal] ?? 0));
    asked = true;
    job()?.kill(FIRST_PID, signal);
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return () => {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  };
}

/** Nothing of the launcher's environment is a job's business, except how its terminal likes its output. */
function environmentOfJob(): Record<string, string> {
  const shared = ["TERM", "NO_COLOR", "FORCE_COLOR", "LANG"];
  return Object.fromEntries(shared.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
