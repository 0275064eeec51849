/** `roost run`: from the words of the command to a launch. */
import { readFile } from "node:fs/promises";
import { RoostError } from "../base/errors.ts";
import { idFromBytes, type JobId, jobId } from "../base/ids.ts";
import { readKeptJob } from "../host/job-keeper.ts";
import { asAnotherJob, decodeCheckpoint } from "../host/saved-job.ts";
import { systemRandom } from "../io/random.ts";
import { bundleProgram } from "./bundle.ts";
import { claim } from "./claim.ts";
import { err } from "./colors.ts";
import { asHome, detach } from "./detach.ts";
import { type Launch, type Outcome, runAtRelay, runLocal } from "./launch.ts";
import { keptJobsStore } from "./state.ts";
import { summarizeJob } from "./terminal.ts";

export interface RunCommand {
  readonly local?: number;
  readonly relay: URL;
  readonly preemptEvery?: number;
  readonly dir: string;
  readonly memory?: number;
  readonly json?: boolean;
  readonly detach?: boolean;
  readonly durable?: "on" | "off";
  /** A checkpoint to go on from, instead of a program. */
  readonly restore?: string;
  /** The same, for a job that is kept on this machine: its id. */
  readonly kept?: string;
  /** This is the process that `--detach` has started. */
  readonly asHome?: boolean;
}

/** Answers with the exit code. */
export async function run(
  file: string | undefined,
  args: readonly string[],
  options: RunCommand,
): Promise<number> {
  if (options.preemptEvery && !options.local)
    throw new RoostError("EINVAL", "--preempt-every goes with --local");
  const again = options.restore ?? options.kept;
  if (file === undefined && again === undefined)
    throw new RoostError("EINVAL", "say which program to run, or with --restore a checkpoint to go on from");
  const brought = file ?? settingGiven(options);
  if (brought !== undefined && again !== undefined)
    throw new RoostError(
      "EINVAL",
      `${brought}: a checkpoint brings its own program, arguments and settings; leave it out`,
    );
  if (options.detach) return detach(file, args, options);
  if (options.asHome) return asHome((detached) => launchFrom(file, args, options, { detached }));
  const { exitCode, job } = await launchFrom(
    file,
    args,
    options,
    options.json ? { onEvent: printEvent } : {},
  );
  if (options.json) process.stdout.write(`${JSON.stringify({ type: "job", exitCode, job })}\n`);
  else if (process.stderr.isTTY) process.stderr.write(`${err.dim(summarizeJob(job))}\n`);
  return exitCode;
}

/** An option that says how the processes of a new job run. */
function settingGiven({ preemptEvery, memory, durable }: RunCommand): string | undefined {
  if (preemptEvery) return "--preempt-every";
  if (memory) return "--memory";
  return durable && "--durable";
}

const printEvent: NonNullable<Launch["onEvent"]> = (event, atMs) =>
  void process.stdout.write(`${JSON.stringify({ atMs, ...event })}\n`);

function launchFrom(
  file: string | undefined,
  args: readonly string[],
  options: RunCommand,
  how: Pick<Launch, "onEvent" | "detached">,
): Promise<Outcome> {
  const launch = whatToRun(file, options).then((what) => ({
    ...what,
    args,
    directory: options.dir,
    preemptEvery: options.preemptEvery ?? 0,
    durable: options.durable !== "off",
    ...(options.memory ? { memoryBytesMax: options.memory * 1024 * 1024 } : {}),
    ...how,
  }));
  return options.local ? runLocal(launch, options.local) : runAtRelay(launch, options.relay);
}

async function whatToRun(
  file: string | undefined,
  { restore, kept }: RunCommand,
): Promise<Pick<Launch, "program" | "atRest" | "kept">> {
  if (file !== undefined) return { program: await bundleProgram(file) };
  if (restore !== undefined) {
    const saved = decodeCheckpoint(await readCheckpoint(restore));
    return { atRest: asAnotherJob(saved, jobId(idFromBytes(systemRandom.bytes(26)))) };
  }
  const id = kept as JobId;
  await claim(id); // before it is read: it does not go on elsewhere meanwhile
  const atRest = await readKeptJob(keptJobsStore(), id);
  if (!atRest) throw new RoostError("ESRCH", `no job ${id} is kept on this machine`);
  return { atRest, kept: true };
}

async function readCheckpoint(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const known = code === "EISDIR" || code === "EACCES" ? code : "ENOENT";
    throw new RoostError(known, `the checkpoint cannot be read: ${message}`);
  }
}
