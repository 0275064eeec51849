/** `npm start`: the relay and the page on one port, and the example job once on two hosts, so that one sees it fly. */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import pc from "picocolors";
import prettyMs from "pretty-ms";
import { type Relay, startRelay } from "../../relay/index.ts";
import { RoostError } from "../base/errors.ts";
import type { JobView } from "../host/view.ts";
import { bundleProgram } from "./bundle.ts";
import { runLocal } from "./run.ts";
import { summarizeJob } from "./terminal.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = fileURLToPath(new URL("../web", import.meta.url));

/** Starts serving; throws RoostError with a sentence when the port is taken. */
export async function serve(port: number): Promise<Relay> {
  const relay = await startRelay({ port, pageDirectory: PAGE });
  process.stdout.write(
    `${pc.bold("Roost")} is at ${pc.cyan(`http://localhost:${relay.port}`)}\n` +
      `Open it in a few tabs: donate in some, launch a job in another. Ctrl-C ends everything.\n`,
  );
  return relay;
}

/** Compiles Roost's own sources on one host, then on two, and says how much faster that was. */
export async function demonstrate(): Promise<void> {
  const program = await bundleProgram(`${ROOT}/examples/pmake/pmake.ts`);
  process.stdout.write(
    `\n${pc.bold("The example, pmake")}: every TypeScript file of Roost, compiled by forked processes inside sandboxes.\n`,
  );
  const elapsedMs: number[] = [];
  for (const hosts of [1, 2]) {
    const launch = {
      program,
      args: [".", "dist/pmake"],
      directory: ROOT,
      status: (job: JobView) => progress(job, hosts),
      ...(hosts === 1 ? { print: () => {} } : {}),
    };
    const { exitCode, job } = await runLocal(launch, hosts);
    if (exitCode !== 0) throw new RoostError("EIO", `the example ended with status ${exitCode}`);
    const took = (job.endedMs ?? 0) - job.startedMs;
    elapsedMs.push(took);
    process.stdout.write(
      `${hosts === 1 ? "one host: " : "two hosts:"} ${pc.bold(prettyMs(took))}  ${pc.dim(summarizeJob(job, 0))}\n`,
    );
  }
  const [one = 0, two = 1] = elapsedMs;
  process.stdout.write(`${pc.green("speed-up:")}  ${pc.bold((one / two).toFixed(2))}×${coresRemark()}\n\n`);
}

const coresRemark = () =>
  availableParallelism() < 2 ? pc.dim("  (this machine has one core: two hosts share it)") : "";

/** `one host   ████████░░░░  5/9 processes`: the forks come first, so the total is known early. */
function progress(job: JobView, hosts: number): string {
  const total = job.processes.length;
  const ended = job.processes.filter((p) => p.state === "ended").length;
  const width = 24;
  const filled = total > 1 ? Math.round((width * ended) / total) : 0;
  const where = job.hosts.map(
    (h) => job.processes.filter((p) => p.host === h.id && p.state !== "ended").length,
  );
  return `${hosts === 1 ? "one host: " : "two hosts:"} ${pc.cyan("█".repeat(filled))}${pc.dim("░".repeat(width - filled))} ${ended}/${total} processes done, ${where.join(" + ")} here`;
}
