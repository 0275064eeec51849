/** `roost run`: from the words of the command to a launch. */
import { RoostError } from "../base/errors.ts";
import { bundleProgram } from "./bundle.ts";
import { err } from "./colors.ts";
import { asHome, detach } from "./detach.ts";
import { type Launch, type Outcome, runAtRelay, runLocal } from "./run.ts";
import { summarizeJob } from "./terminal.ts";

export interface RunCommand {
  readonly local?: number;
  readonly relay: URL;
  readonly preemptEvery?: number;
  readonly dir: string;
  readonly memory?: number;
  readonly json?: boolean;
  readonly detach?: boolean;
  /** This is the process that `--detach` has started. */
  readonly asHome?: boolean;
}

/** Answers with the exit code. */
export async function run(file: string, args: readonly string[], options: RunCommand): Promise<number> {
  if (options.preemptEvery && !options.local)
    throw new RoostError("EINVAL", "--preempt-every goes with --local");
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

const printEvent: NonNullable<Launch["onEvent"]> = (event, atMs) =>
  void process.stdout.write(`${JSON.stringify({ atMs, ...event })}\n`);

function launchFrom(
  file: string,
  args: readonly string[],
  options: RunCommand,
  how: Pick<Launch, "onEvent" | "detached">,
): Promise<Outcome> {
  const launch = bundleProgram(file).then((program) => ({
    program,
    args,
    directory: options.dir,
    preemptEvery: options.preemptEvery ?? 0,
    ...(options.memory ? { memoryBytesMax: options.memory * 1024 * 1024 } : {}),
    ...how,
  }));
  return options.local ? runLocal(launch, options.local) : runAtRelay(launch, options.relay);
}
