/**
 * `roost run --detach`: the job's home is a process of its own that stays when the terminal closes. The launcher starts it,
 * waits until the job runs, prints its id, and is done.
 */
import { spawn } from "node:child_process";
import { ERROR_CODES, RoostError } from "../base/errors.ts";
import type { Job } from "../host/job.ts";
import type { Launch, Outcome } from "./launch.ts";
import type { RunCommand } from "./run.ts";
import type { JobRecord } from "./state.ts";
import { shortId } from "./words.ts";

type News =
  | { readonly launched: string }
  | { readonly failed: { readonly code: string; readonly reason: string } };

/** In the launcher. Answers with its exit code; throws RoostError where the job could not be launched. */
export async function detach(
  file: string | undefined,
  args: readonly string[],
  options: RunCommand,
): Promise<number> {
  const id = await launched(file, args, options);
  if (options.json) process.stdout.write(`${JSON.stringify({ job: id })}\n`);
  else {
    process.stdout.write(`${shortId(id)}\n`);
    if (process.stderr.isTTY)
      process.stderr.write(`It runs by itself now: \`roost attach ${shortId(id)}\` comes back to it.\n`);
  }
  return 0;
}

function launched(file: string | undefined, args: readonly string[], options: RunCommand): Promise<string> {
  const { relay, local, preemptEvery, dir, memory, durable, restore } = options;
  return startHome([
    ...["--dir", dir],
    ...(local ? [`--local=${local}`] : ["--relay", relay.href]),
    ...(preemptEvery ? ["--preempt-every", String(preemptEvery)] : []),
    ...(memory ? ["--memory", String(memory)] : []),
    ...(durable ? ["--durable", durable] : []),
    ...(restore ? ["--restore", restore] : []),
    ...(file === undefined ? [] : ["--", file, ...args]),
  ]);
}

/** Starts another home for a job that was kept; resolves when it runs there. */
export async function startAgain(
  id: string,
  { directory, local }: NonNullable<JobRecord["launch"]>,
  relay: string | undefined,
): Promise<void> {
  const where = local ? [`--local=${local}`] : relay ? ["--relay", relay] : [];
  await startHome(["--kept", id, "--dir", directory, ...where]);
}

function startHome(words: readonly string[]): Promise<string> {
  const home = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? "", "run", "--as-home", ...words],
    {
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      windowsHide: true,
    },
  );
  return new Promise((resolve, reject) => {
    home.on("error", reject);
    // After the last message, where `exit` may come before it.
    home.on("disconnect", () => reject(new RoostError("EIO", "the job's home ended before the job ran")));
    home.on("message", (news: News) => {
      home.disconnect();
      home.unref();
      if ("launched" in news) return resolve(news.launched);
      const code = ERROR_CODES.find((known) => known === news.failed.code) ?? "EIO";
      reject(new RoostError(code, news.failed.reason));
    });
  });
}

/** In the home. */
export async function asHome(
  launch: (how: NonNullable<Launch["detached"]>) => Promise<Outcome>,
): Promise<number> {
  const tell = (news: News) => {
    if (process.connected) process.send?.(news);
  };
  try {
    const onLaunched = (job: Job) => {
      // Nobody would know of it.
      if (!process.connected) throw new RoostError("ESRCH", "who started this job has gone");
      tell({ launched: job.id });
    };
    const { exitCode } = await launch({ onLaunched });
    return exitCode;
  } catch (error) {
    if (!(error instanceof RoostError)) throw error;
    tell({ failed: { code: error.code, reason: error.message.slice(error.code.length + 2) } });
    return 1;
  }
}
