/** pmake over Roost's own sources, as `npm start` shows it, with all hosts in one Node process. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../fabric/edge/bundle.ts";
import { runLocal } from "../../fabric/edge/launch.ts";

/** From dist/node. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** How long it takes, in milliseconds. */
export async function pmakeMs(hosts: number, durable = true): Promise<number> {
  const program = await bundleProgram(join(ROOT, "examples/pmake/pmake.ts"));
  const out = mkdtempSync(join(ROOT, "dist/pmake-"));
  try {
    const args = [".", out.slice(ROOT.length)];
    const { exitCode, job } = await runLocal(
      { program, args, directory: ROOT, durable, print: () => {}, status: () => "" },
      hosts,
    );
    if (exitCode !== 0) throw new Error(`pmake ended with ${exitCode}`);
    return (job.endedMs ?? Number.NaN) - job.startedMs;
  } finally {
    rmSync(out, { recursive: true });
  }
}
