/** Launches a program and sees it through: `roost run`, and the demonstration of `npm start`. */
import { resolve } from "node:path";
import { RoostError } from "../base/errors.ts";
import type { JobEvent } from "../home/effects.ts";
import { Fabric } from "../host/fabric.ts";
import type { Job, Terminal } from "../host/job.ts";
import type { HomeOptions, RunOptions } from "../host/run-options.ts";
import type { JobAtRest } from "../host/saved-job.ts";
import { type JobView, viewOfJob } from "../host/view.ts";
import { systemClock } from "../io/clock.ts";
import type { Roost } from "../library.ts";
import type { SignalName } from "../wire/calls.ts";
import type { Program } from "./bundle.ts";
import { err } from "./colors.ts";
import { nodeEnvironment } from "./environment.ts";
import { jobDisk } from "./job-disk.ts";
import { type Published, publish } from "./publish.ts";
import { stackRewriter } from "./stacks.ts";
import { keptJobsStore } from "./state.ts";
import { describeJob, processTerminal, StatusLine } from "./terminal.ts";
import { counted, exitCodeOf, SIGNAL_NUMBERS } from "./words.ts";

export interface Launch {
  /** What is run: a program, or a job that goes on. */
  readonly program?: Program;
  readonly atRest?: JobAtRest;
  /** That job is kept on this machine, and stays that until it has ended here. */
  readonly kept?: boolean;
  readonly args: readonly string[];
  /** The job's directory. */
  readonly directory: string;
  readonly preemptEvery?: number;
  readonly durable?: boolean;
  readonly memoryBytesMax?: number;
  /** What the line below the output says; by default the job in one line. */
  readonly status?: (job: JobView) => string;
  /** Where the job's output goes instead of this terminal. */
  readonly print?: (fd: number, data: Uint8Array) => void;
  /** Everything that happens, and all output, as it comes; instead of this terminal. */
  readonly onEvent?: (event: JobEvent | OutputEvent, atMs: number) => void;
  /** Nobody is at a terminal: output is kept for those who look later, input comes from those who attach. */
  readonly detached?: { onLaunched(job: Job): void };
}

export interface OutputEvent {
  readonly type: "output";
  readonly pid: number;
  readonly fd: number;
  readonly text: string;
}

export interface Outcome {
  /** As a shell would say it: the status, or 128 and the signal's number. */
  readonly exitCode: number;
  readonly job: JobView;
}

/** A detached job's output is all there is of it: more of it is kept. */
const DETACHED_KEPT_BYTES = 64 << 20;

/** Runs a job on `hostCount` hosts inside this process, each with a worker thread, without any network. */
export async function runLocal(launch: Promise<Launch> | Launch, hostCount: number): Promise<Outcome> {
  const environments = Array.from({ length: hostCount }, (_, n) =>
    nodeEnvironment({ name: `host ${n + 1}`, soon: true }),
  );
  const hosts = environments.map((environment) => new Fabric(environment, { workers: 1 }));
  const [home, ...others] = hosts;
  if (!home) throw new RoostError("EINVAL", "at least one host is needed: --local=1");
  try {
    // The hosts boot while the program is bundled.
    const [ready] = await Promise.all([launch, home.prepare(), ...others.map((host) => host.donate())]);
    return await seeThrough(home, ready, { local: hostCount }, async (job) => {
      for (const host of others) await home.lend(job, host);
    });
  } finally {
    for (const host of hosts) host.close();
  }
}

/** Runs a job whose home is this process, on the hosts that take work at a relay, and here. */
export async function runAtRelay(launch: Promise<Launch> | Launch, relay: URL): Promise<Outcome> {
  const [participant, ready] = await bothOrNeither(joined(relay), launch);
  await using _ = participant;
  return await seeThrough(participant.fabric, ready, { relay });
}

/** WebRTC takes a while to load, and local jobs do without. */
async function joined(relay: URL): Promise<Roost> {
  const { join } = await import("./index.ts");
  return join(relay, { prepare: true });
}

/** When one fails, the other is let go of. */
async function bothOrNeither<A extends AsyncDisposable, B>(first: Promise<A>, second: Promise<B> | B) {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === "fulfilled" && b.status === "fulfilled") return [a.value, b.value] as const;
  if (a.status === "fulfilled") await a.value[Symbol.asyncDispose]();
  throw b.status === "rejected" ? b.reason : (a as PromiseRejectedResult).reason;
}

/** The relay whose hosts serve the job, or how many there are inside this process. */
type Where =
  | { readonly relay: URL; readonly local?: undefined }
  | { readonly relay?: undefined; readonly local: number };

/** From the launch to the end, with the terminal and Ctrl-C in between. */
async function seeThrough(
  home: Fabric,
  launch: Launch,
  { relay, local }: Where,
  whenLaunched: (job: Job) => Promise<void> = async () => {},
): Promise<Outcome> {
  const { disk, layOut } = jobDisk(launch.directory, launch.atRest);
  let job: Job | undefined;
  let published: Published | undefined;
  /** Whether the job goes on in another home when this one ends. */
  let goesOn = launch.kept ?? false;
  let broken: NodeJS.ErrnoException | undefined;
  const line = new StatusLine(() => {
    if (!job || launch.onEvent) return "";
    const view = viewOfJob(job);
    return launch.status ? launch.status(view) : describeJob(view, systemClock.now());
  });
  const each = (signal: SignalName) => {
    for (const p of job?.state.processes.values() ?? []) if (!p.end) job?.kill(p.pid, signal);
  };
  const terminal = processTerminal(line, {
    onBroken: (error) => {
      broken = error;
      each("SIGKILL");
    },
    onFull: () => each("SIGSTOP"),
    onRoom: () => each("SIGCONT"),
  });
  let leave = () => {};
  const leaving = new Promise<undefined>((resolve) => {
    leave = () => resolve(undefined);
  });
  const interrupts = onInterrupt(each, () => job !== undefined, launch.detached && leave);
  try {
    job = await begin(home, launch, {
      disk,
      ...(launch.detached ? { keepIn: keptJobsStore(), keepEnded: true } : {}),
      ...input(launch, terminal),
      ...events(launch),
    });
    if (launch.onEvent) tellOutput(job, launch.onEvent);
    await whenLaunched(job);
    published = await publish(home, job, {
      relay,
      detached: launch.detached !== undefined,
      launch: launch.detached && { directory: resolve(launch.directory), local },
    }).catch((error) => {
      if (launch.detached) throw error;
      if (process.stderr.isTTY) process.stderr.write(`${err.yellow("roost:")} ${error.message}\n`);
      return undefined; // it runs all the same
    });
    launch.detached?.onLaunched(job);
    goesOn = launch.detached !== undefined;
    const end = await Promise.race([job.ended, leaving]);
    if (!end) return { exitCode: 0, job: viewOfJob(job) };
    const laidOut = layOut();
    if (launch.detached) await published?.record();
    goesOn = false;
    await terminal.close(); // whether all of it could be written is known only then
    if (laidOut > 0 && !launch.detached)
      process.stderr.write(
        err.dim(`${counted(laidOut, "file")} it wrote: in ${resolve(launch.directory)}\n`),
      );
    if (broken && broken.code !== "EPIPE")
      throw new RoostError("EIO", `what the job writes cannot be written: ${broken.message}`);
    return { exitCode: broken ? 128 + BROKEN_PIPE : exitCodeOf(end), job: viewOfJob(job) };
  } finally {
    interrupts();
    if (job && goesOn)
      await home.leave(job).catch(() => {}); // then it goes on from a moment before
    else each("SIGKILL"); // what could not be seen through does not go on where nobody finds it
    await terminal.close();
    line.close();
    if (job && !goesOn) await home.forget(job).catch(() => {}); // then it is forgotten with the job's record
    await published?.close();
  }
}

function begin(home: Fabric, launch: Launch, options: HomeOptions): Promise<Job> {
  const { program, atRest } = launch;
  if (atRest) return home.revive(atRest, options);
  if (!program) throw new Error("bug: a launch has a program or a job at rest");
  return home.run({
    ...options,
    name: program.fileName,
    source: program.source,
    fileName: program.fileName,
    args: launch.args,
    env: environmentOfJob(),
    preemptEvery: launch.preemptEvery ?? 0,
    durable: launch.durable ?? true,
    rewriteOutput: stackRewriter(program),
    ...(launch.memoryBytesMax ? { memoryBytesMax: launch.memoryBytesMax } : {}),
  });
}

/** What a program gets that writes where nobody reads: SIGPIPE. */
const BROKEN_PIPE = 13;

function input(launch: Launch, terminal: Terminal): Pick<RunOptions, "terminal" | "outputKeptBytes"> {
  if (launch.detached) return { outputKeptBytes: DETACHED_KEPT_BYTES };
  if (launch.onEvent) return { terminal: { print: () => {}, readLine: () => terminal.readLine() } };
  if (launch.print) return { terminal: { print: launch.print, readLine: () => terminal.readLine() } };
  return { terminal };
}

/** With ROOST_TRACE set: everything that happens, as JSON lines on stderr. */
function events({ onEvent }: Launch): Pick<RunOptions, "onEvent"> {
  if (onEvent) return { onEvent };
  if (!process.env.ROOST_TRACE) return {};
  return { onEvent: (event, atMs) => void process.stderr.write(`${JSON.stringify({ atMs, ...event })}\n`) };
}

function tellOutput({ output }: Job, onEvent: NonNullable<Launch["onEvent"]>): void {
  const decoder = new TextDecoder();
  let next = 0;
  const tell = () => {
    for (let entry = output.from(next); entry; entry = output.from(next)) {
      next = entry.position + entry.data.length;
      const { pid, fd, data, atMs } = entry;
      onEvent({ type: "output", pid, fd, text: decoder.decode(data) }, atMs);
    }
  };
  output.onAdd(tell);
  tell();
}

/**
 * Ctrl-C goes to every process, as in any terminal; a second one ends them all at once. The home of a job that outlives it
 * leaves instead (`leave`): the system says the same as it shuts down, and `roost kill` ends the job.
 */
function onInterrupt(
  each: (signal: SignalName) => void,
  runs: () => boolean,
  leave: (() => void) | undefined,
): () => void {
  let asked = false;
  const interrupt = (signal: NodeJS.Signals) => {
    const exit = () => process.exit(128 + (SIGNAL_NUMBERS[signal] ?? 0));
    if (!runs() || (leave && asked)) return exit();
    if (leave) leave();
    else each(asked ? "SIGKILL" : signal === "SIGINT" ? "SIGINT" : "SIGTERM");
    if (asked) setTimeout(exit, LAST_WORDS_MS).unref();
    asked = true;
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, interrupt);
  return () => {
    if (!asked) for (const signal of signals) process.off(signal, interrupt);
  };
}

/** To say goodbye to the hosts. */
const LAST_WORDS_MS = 300;

/** Nothing of the launcher's environment is a job's business, except how its terminal likes its output. */
function environmentOfJob(): Record<string, string> {
  const shared = ["TERM", "NO_COLOR", "FORCE_COLOR", "LANG"];
  return Object.fromEntries(shared.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}
