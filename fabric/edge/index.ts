/** `import { join } from "roost"`, in Node. */

import { availableParallelism } from "node:os";
import { systemClock } from "../io/clock.ts";
import { NodeSensors } from "../io/node-sensors.ts";
import {
  type JoinOptions,
  joinWith,
  localWith,
  type ProgramText,
  type Roost,
  type Surroundings,
} from "../library.ts";
import { bundleProgram } from "./bundle.ts";
import { nodeEnvironment } from "./environment.ts";
import { stackRewriter } from "./stacks.ts";

export * from "../index.ts";
export { NodeDisk } from "../io/node-disk.ts";

async function node(): Promise<Surroundings> {
  const [{ installNodeRtc }, { connectRelay }] = await Promise.all([
    import("../io/node-rtc.ts"),
    import("../io/rendezvous.ts"),
  ]);
  const close = await installNodeRtc();
  return { ...LOCAL, connect: (url, self, log) => connectRelay({ url, self, log }), close };
}

const LOCAL: Surroundings = {
  clock: systemClock,
  processors: availableParallelism(),
  environment: ({ name, log, rendezvous }) =>
    nodeEnvironment({ log, ...(name ? { name } : {}), ...(rendezvous ? { rendezvous } : {}) }),
  connect: () => {
    throw new Error("bug: a local fabric has no relay");
  },
  sensors: () => new NodeSensors(),
  close: () => {},
};

/** Joins a relay. Throws RoostError ENOHOST when none answers. */
export async function join(relay: string | URL, options: JoinOptions = {}): Promise<Roost> {
  const surroundings = await node();
  return joinWith(surroundings, relay, options).catch((error) => {
    surroundings.close();
    throw error;
  });
}

/** A fabric of `hosts` hosts inside this process, without any network. */
export function local(hosts = 1, options: JoinOptions = {}): Roost {
  return localWith(LOCAL, hosts, options);
}

/** A program from its file: TypeScript erased, imports bundled, stacks put back to its sources. */
export async function bundle(file: string): Promise<ProgramText> {
  const program = await bundleProgram(file);
  return { source: program.source, fileName: program.fileName, rewriteOutput: stackRewriter(program) };
}
