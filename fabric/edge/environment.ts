/** What a participant needs, on Node: worker threads, the built engine from disk, this machine's clock. */
import { readFile } from "node:fs/promises";
import * as os from "node:os";
import { Worker } from "node:worker_threads";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { RoostError } from "../base/errors.ts";
import type { HostId } from "../base/ids.ts";
import { type Engine, loadEngine } from "../engine/index.ts";
import { type Endpoint, startExecutors } from "../host/executor-worker.ts";
import type { Environment, Rendezvous } from "../host/fabric.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";

/** Beside the built command, wherever that is. */
const ENGINE_FILE = new URL("../engine/engine.wasm", import.meta.url);
const WORKER_FILE = new URL("./executor.worker.js", import.meta.url);

let engine: Promise<Engine> | undefined;

async function readEngine(): Promise<Engine> {
  const bytes = await readFile(ENGINE_FILE).catch((cause) => {
    throw new RoostError("ENOENT", "the engine is not built; run `npm run build` in the checkout", { cause });
  });
  return loadEngine(bytes);
}

function spawn(): Endpoint {
  const worker = new Worker(WORKER_FILE, { name: "roost-executor" });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (receive) => worker.on("message", receive),
    onEnd: (end) => {
      worker.on("error", (error) => end(error.message));
      worker.on("exit", (code) => end(`exit ${code}`));
    },
    terminate: () => void worker.terminate(),
  };
}

export interface NodeEnvironmentOptions {
  readonly name?: string;
  readonly rendezvous?: (self: HostId) => Rendezvous | undefined;
  readonly log?: (sentence: string) => void;
}

export function nodeEnvironment(options: NodeEnvironmentOptions = {}): Environment {
  return {
    name: options.name ?? os.hostname(),
    platform: `Node ${process.versions.node} on ${os.platform()} ${os.arch()}`,
    clock: systemClock,
    random: systemRandom,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    async startExecutors(count, hostName) {
      engine ??= readEngine();
      return startExecutors(count, spawn, { engine: await engine, guestLibrary: GUEST_LIBRARY, hostName });
    },
    rendezvous: options.rendezvous ?? (() => undefined),
    log: options.log ?? (() => {}),
    group: process.env.ROOST_GROUP || undefined,
  };
}
