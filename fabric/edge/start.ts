/** `npm start`: the relay and the page on one port, and the example job once on two hosts, so that one sees it fly. */
import { availableParallelism, networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import prettyMs from "pretty-ms";
import { type Relay, type RelayOptions, startRelay } from "../../relay/index.ts";
import { RoostError } from "../base/errors.ts";
import type { JobView } from "../host/view.ts";
import { bundleProgram, type Program } from "./bundle.ts";
import { out } from "./colors.ts";
import { runLocal } from "./launch.ts";
import { bar, summarizeJob } from "./terminal.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = fileURLToPath(new URL("../web", import.meta.url));

/** Starts serving; throws RoostError with a sentence when the port is taken. */
export async function serve(options: RelayOptions, json = false): Promise<Relay> {
  const relay = await startRelay({ pageDirectory: PAGE, ...options });
  if (json)
    process.stdout.write(`${JSON.stringify({ type: "listening", url: relay.url, port: relay.port })}\n`);
  else
    process.stdout.write(
      `${out.bold("Roost")} is at ${out.cyan(`http://localhost:${relay.port}`)}\n` +
        elsewhere(relay.port) +
        `Open it in a few tabs: donate in some, launch a job in another. Ctrl-C ends it.\n`,
    );
  return relay;
}

/** What other machines open: this one's first address in a network. */
function elsewhere(port: number): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.find(({ family, internal }) => family === "IPv4" && !internal);
  return outside ? `Other machines reach it at ${out.cyan(`http://${outside.address}:${port}`)}\n` : "";
}

/**
 * Compiles Roost's own sources on one host, then on two, and says how much faster that was. Before, unmeasured, a part
 * of them: else the first run would pay for the engine's compilation by this machine, and the second look too good.
 */
export async function demonstrate(): Promise<void> {
  const program = await bundleProgram(`${ROOT}/examples/pmake/pmake.ts`);
  process.stdout.write(
    `\n${out.bold("The example, pmake")}: all TypeScript of Roost, compiled by forked processes\nin sandboxes.\n`,
  );
  await pmake(program, "warming up", ["fabric", "dist/pmake"], 1);
  const one = await pmake(program, "one host", [".", "dist/pmake"], 1);
  say("one host", one);
  const two = await pmake(program, "two hosts", [".", "dist/pmake"], 2);
  say("two hosts", two);
  process.stdout.write(`${two.lastLine}\n`);
  const speedUp = (elapsed(one.job) / elapsed(two.job)).toFixed(2);
  process.stdout.write(`${label("speed-up")} ${out.bold(out.green(`${speedUp}×`))}${coresRemark()}\n\n`);
}

interface Made {
  readonly job: JobView;
  /** Of the job's output: how many files, how many bytes. */
  readonly lastLine: string;
}

async function pmake(program: Program, what: string, args: readonly string[], hosts: number): Promise<Made> {
  const output: string[] = [];
  const print = (fd: number, data: Uint8Array) => {
    if (fd === 2) process.stderr.write(data);
    else output.push(new TextDecoder().decode(data));
  };
  const status = (job: JobView) => `${label(what)} ${progress(job)}`;
  const { exitCode, job } = await runLocal({ program, args, directory: ROOT, print, status }, hosts);
  if (exitCode !== 0) throw new RoostError("EIO", `the example ended with status ${exitCode}`);
  return { job, lastLine: output.join("").trimEnd().split("\n").at(-1) ?? "" };
}

const elapsed = (job: JobView) => (job.endedMs ?? job.startedMs) - job.startedMs;
const label = (what: string) => `${what}:`.padEnd(11);

function say(what: string, { job }: Made): void {
  process.stdout.write(`${label(what)} ${out.bold(prettyMs(elapsed(job)))}  ${out.dim(summarizeJob(job))}\n`);
}

const coresRemark = () =>
  availableParallelism() < 2 ? out.dim("  (this machine has one core: two hosts share it)") : "";

/** `████████░░░░ 5/9 processes done, 2 + 2 here`: the forks come first, so the total is known early. */
function progress(job: JobView): string {
  const total = job.processes.length;
  const ended = job.processes.filter((p) => p.state === "ended").length;
  const alive = job.processes.filter((p) => p.state !== "ended");
  const where = job.hosts.map((h) => alive.filter((p) => p.host === h.id).length);
  return `${out.cyan(bar(total > 1 ? ended / total : 0, 24))} ${ended}/${total} processes done, ${where.join(" + ")} here`;
}
