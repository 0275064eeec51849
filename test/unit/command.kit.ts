/** The real command in a process of its own, with a state directory of its own. */
import { spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";

export const ROOT = resolve(import.meta.dirname, "../..");
export const COMMAND = join(ROOT, "fabric/edge/roost.mjs");

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RoostOptions {
  /** All of stdin; without it stdin stays open. */
  readonly input?: string;
  /** SIGINT, once, as soon as stdout looks like this. */
  readonly interruptAt?: RegExp;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A detached home may be writing its last file there: what Node tries again by itself is to remove the directory, and not that file. */
function removeAll(directory: string, tries = 20): void {
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 1 });
  } catch (error) {
    if (tries === 0) throw error;
    removeAll(directory, tries - 1);
  }
}

/** A directory to work in, and the command in it. */
export function workplace(name: string) {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), `roost-${name}-`)));
  const env = { ...process.env, NO_COLOR: "1", ROOST_STATE: join(directory, "state") };

  /** `said` grows while it runs. */
  function start(args: readonly string[], options: RoostOptions = {}) {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      cwd: directory,
      env: { ...env, ...options.env },
    });
    const said = { stdout: "", stderr: "" };
    let { interruptAt } = options;
    child.stdout.on("data", (data) => {
      said.stdout += data;
      if (!interruptAt?.test(said.stdout)) return;
      interruptAt = undefined;
      child.kill("SIGINT");
    });
    child.stderr.on("data", (data) => {
      said.stderr += data;
    });
    child.stdin.on("error", () => {}); // it need not read what it is given
    if (options.input !== undefined) child.stdin.end(options.input);
    const outcome = new Promise<Outcome>((done) => {
      child.on("close", (code) => done({ code, ...said }));
    });
    outcome.then(() => child.stdin.destroy());
    return { child, said, outcome };
  }

  return {
    directory,
    env,
    start,
    roost: (args: readonly string[], options?: RoostOptions): Promise<Outcome> =>
      start(args, options).outcome,
    /** What a command with `--json` printed. */
    async json(args: readonly string[]) {
      const { code, stdout, stderr } = await start([...args, "--json"]).outcome;
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return JSON.parse(stdout);
    },
    program(name: string, source: string): string {
      writeFileSync(join(directory, name), source);
      return name;
    },
    remove: () => removeAll(directory),
  };
}
