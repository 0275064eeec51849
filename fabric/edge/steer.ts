/** `roost kill`, `migrate`, `logs`, `attach`: acting on a job from another terminal. */
import { rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import prettyBytes from "pretty-bytes";
import { RoostError } from "../base/errors.ts";
import { FIRST_PID } from "../base/ids.ts";
import type { RemoteOutput } from "../host/control-client.ts";
import { SIGNALS, type SignalName } from "../wire/calls.ts";
import type { JobReport } from "../wire/control.ts";
import { err } from "./colors.ts";
import { findJob, type JobHandle } from "./find.ts";
import { type LookOptions, noProcess, printJson } from "./look.ts";
import { lineReader } from "./terminal.ts";
import { exitCodeOf, plain, SIGNAL_NUMBERS, shortId } from "./words.ts";

const tell = (sentence: string) =>
  void (process.stderr.isTTY && process.stderr.write(`${err.dim(sentence)}\n`));

/** With or without `SIG`, in any case. */
function signalNamed(word: string): SignalName {
  const name = word.toUpperCase();
  const found = SIGNALS.find((signal) => signal === name || signal === `SIG${name}`);
  if (found) return found;
  throw new RoostError("EINVAL", `there is no signal ${word}; there are ${SIGNALS.join(", ")}`);
}

/** One process, or without a pid the whole job. */
export async function kill(options: LookOptions & { readonly pid?: number; readonly signal: string }) {
  const signal = signalNamed(options.signal);
  await using job = await findJob(options);
  const pid = options.pid ?? FIRST_PID;
  await job.kill(pid, signal);
  if (options.json) printJson({ pid, signal });
}

/** Resolves when it is there. A host goes by its id, or by its name or the beginning of its id where that is one. */
export async function migrate(options: LookOptions & { readonly pid: number; readonly host?: string }) {
  await using job = await findJob(options);
  const host = options.host === undefined ? undefined : hostNamed(await job.look(), options.host);
  await job.migrate(options.pid, host);
  const now = (await job.look()).processes.find((p) => p.pid === options.pid);
  if (options.json) printJson({ pid: options.pid, host: now?.host, hostName: now?.hostName });
  else process.stdout.write(`process ${options.pid} is on ${plain(now?.hostName || "its way")}\n`);
}

/** The job runs on; the file is there whole or not at all. */
export async function checkpoint(options: LookOptions & { readonly file: string }) {
  await using job = await findJob(options);
  const bytes = await job.checkpoint();
  const draft = `${options.file}.${process.pid}.new`;
  try {
    await writeFile(draft, bytes);
    await rename(draft, options.file);
  } catch (error) {
    await rm(draft, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    const how =
      code === "ENOENT" ? `there is no directory ${dirname(options.file)}; name one that is there` : message;
    throw new RoostError(code === "ENOENT" ? code : "EACCES", `the file cannot be written: ${how}`);
  }
  const { id, name } = await job.look();
  if (options.json) printJson({ job: id, file: options.file, bytes: bytes.length });
  else
    process.stdout.write(
      `${plain(name)} is in ${options.file} (${prettyBytes(bytes.length)}); \`roost run --restore ${options.file}\` goes on with it\n`,
    );
}

function hostNamed(job: JobReport, word: string): string {
  const exact = job.hosts.filter((h) => h.id === word || h.name === word);
  const [host, another] = exact.length > 0 ? exact : job.hosts.filter((h) => h.id.startsWith(word));
  if (!host)
    throw new RoostError(
      "ENOHOST",
      `no host ${word} is linked to this job; it has ${job.hosts.map((h) => `"${plain(h.name)}"`).join(", ") || "none"}`,
    );
  if (another)
    throw new RoostError(
      "EINVAL",
      `more than one host is called ${word}; use the id: ${host.id}, ${another.id}`,
    );
  return host.id;
}

/** What the job has written; with `follow`, until it ends. */
export async function logs(options: LookOptions & { readonly follow?: boolean; readonly pid?: number }) {
  await using job = await findJob(options);
  const wanted = options.pid;
  let isKnown = wanted === undefined;
  const report = await copy(job, {
    follow: options.follow ?? false,
    write: (entry) => {
      if (wanted !== undefined && entry.pid !== wanted) return;
      isKnown = true;
      if (options.json)
        printJson({ ...entry, type: undefined, id: undefined, data: undefined, text: textOf(entry) });
      else (entry.fd === 2 ? process.stderr : process.stdout).write(entry.data);
    },
  });
  if (!isKnown && !report.processes.some(({ pid }) => pid === wanted)) throw noProcess(wanted);
}

/** The job's output since its launch, its input from here, its end as the exit code. Ctrl-C leaves it running. */
export async function attach(options: LookOptions): Promise<number> {
  await using job = await findJob(options);
  const leave = new AbortController();
  const interrupt = (signal: NodeJS.Signals) => {
    if (leave.signal.aborted) process.exit(statusOf(signal)); // asked again: its home may not answer
    leave.abort(signal);
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const input = lineReader();
  job.onAsk = () => void input.next().then((line) => job.type(line));
  try {
    await job.attach();
    const report = await copy(job, {
      follow: true,
      signal: leave.signal,
      write: (entry) => {
        if (options.json)
          printJson({ type: "output", pid: entry.pid, fd: entry.fd, atMs: entry.atMs, text: textOf(entry) });
        else (entry.fd === 2 ? process.stderr : process.stdout).write(entry.data);
      },
    });
    if (options.json) printJson({ type: "ended", exitCode: exitCodeOf(report), job: report });
    return exitCodeOf(report);
  } catch (error) {
    if (!leave.signal.aborted) throw error;
    const { id } = await job.look();
    tell(`detached; the job runs on: \`roost attach ${shortId(id)}\`, \`roost kill ${shortId(id)}\``);
    return statusOf(String(leave.signal.reason));
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    input.close();
  }
}

const statusOf = (signal: string) => 128 + (SIGNAL_NUMBERS[signal] ?? 0);

async function copy(
  job: JobHandle,
  options: { follow: boolean; signal?: AbortSignal; write(entry: RemoteOutput): void },
): Promise<JobReport> {
  let position = 0;
  const output = job.output(options);
  for (;;) {
    const next = await output.next();
    if (next.done) return next.value;
    const entry = next.value;
    if (entry.position > position) tell(`(the ${entry.position - position} bytes before this are forgotten)`);
    position = entry.position + entry.data.length;
    options.write(entry);
  }
}

const textOf = ({ data }: RemoteOutput) => new TextDecoder().decode(data);
