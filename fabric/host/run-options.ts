/** What a job is launched with. */
import { utf8Encode } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import type { Disk, Store } from "../base/ports.ts";
import type { JobEvent } from "../home/effects.ts";
import type { Terminal } from "./job.ts";

/** A program, and what it is given. */
export interface RunOptions {
  readonly name: string;
  /** A bundled ES module; may import from "roost". */
  readonly source: string;
  readonly fileName: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly disk: Disk;
  /** Without one, output is only kept (`Job.output`), and lines of input are given to `Job.input`. */
  readonly terminal?: Terminal;
  /** What becomes of output before anybody sees it: a stack can be put back to its source. */
  readonly rewriteOutput?: ((fd: number, data: Uint8Array) => Uint8Array) | undefined;
  /** Bytes of output that are remembered for those who look later; 1 MiB unless given. */
  readonly outputKeptBytes?: number;
  /** Ends the job when it is aborted. */
  readonly signal?: AbortSignal;
  readonly memoryBytesMax?: number;
  readonly processesMax?: number;
  readonly preemptEvery?: number;
  /**
   * Whether running processes are checkpointed now and then, so that a lost host costs seconds at most (the default).
   * Without, a lost process begins again where it last moved or forked; its effects are there once all the same.
   */
  readonly durable?: boolean;
  readonly onEvent?: (event: JobEvent, atMs: number) => void;
  /**
   * Keeps the job there while it runs, so that `revive` can go on with it when this home has ended. A `durable` job whose files
   * are on a disk that outlives the home changes none of them before what led to it is kept; without, what it changed in its last
   * moments may be done again.
   */
  readonly keepIn?: Store;
  /** Called when it cannot be kept there, with the reason, and without when it is again. */
  readonly onKept?: ((trouble: string | undefined) => void) | undefined;
  /** What is kept of it is there when it has ended, as it was before, until `Fabric.forget`. */
  readonly keepEnded?: boolean;
}

/** What a job needs of where it is launched or revived, beside what it is. */
export type HomeOptions = Pick<
  RunOptions,
  | "disk"
  | "terminal"
  | "rewriteOutput"
  | "outputKeptBytes"
  | "signal"
  | "onEvent"
  | "keepIn"
  | "onKept"
  | "keepEnded"
>;

/** Holds what a job begins with to what the wire carries, here, where somebody can still be told. */
export function checkRun({
  source,
  fileName,
  name,
  args = [],
  env = {},
  memoryBytesMax = 0,
  processesMax = 0,
}: RunOptions): void {
  const hold = (what: string, text: string, bytesMax: number) => {
    const { length } = utf8Encode(text);
    if (length > bytesMax)
      throw new RoostError(
        "EINVAL",
        `${what} has ${length} bytes, where ${bytesMax} are allowed; shorten it`,
      );
  };
  hold("the program", source, LIMITS.programBytes);
  hold("the program's name", fileName, LIMITS.nameBytes);
  hold("the job's name", name, LIMITS.nameBytes);
  for (const arg of args) hold("an argument", arg, LIMITS.pathBytes);
  for (const [name, value] of Object.entries(env)) {
    hold("the name of an environment variable", name, LIMITS.nameBytes);
    hold(`the environment variable ${name}`, value, LIMITS.pathBytes);
  }
  if (args.length > LIMITS.args)
    throw new RoostError("EINVAL", `${args.length} arguments, where ${LIMITS.args} are allowed; use a file`);
  const variables = Object.keys(env).length;
  if (variables > LIMITS.environment)
    throw new RoostError(
      "EINVAL",
      `${variables} environment variables, where ${LIMITS.environment} are allowed; use a file`,
    );
  if (memoryBytesMax > LIMITS.guestMemoryBytesMost)
    throw new RoostError(
      "EINVAL",
      `${memoryBytesMax / 2 ** 20} MiB of memory, where a process can have ${LIMITS.guestMemoryBytesMost / 2 ** 20}`,
    );
  if (processesMax > LIMITS.processesPerJobMost)
    throw new RoostError(
      "EINVAL",
      `${processesMax} processes, where a job can have ${LIMITS.processesPerJobMost}`,
    );
}
