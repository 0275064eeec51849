/** What a participant needs, on Node: worker threads, the built engine from disk, this machine's clock. */

import { readFile } from "node:fs/promises";
import * as os from "node:os";
import { Worker } from "node:worker_threads";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { RoostError } from "../base/errors.ts";
import type { Rendezvous } from "../base/ports.ts";
import { type Engine, loadEngine, withKeptBase } from "../engine/index.ts";
import type { Environment } from "../host/environment.ts";
import { type Endpoint, startExecutors } from "../host/executor-worker.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";
import type { Identity } from "../wire/identity.ts";

/** Beside the built command, wherever that is. */
const ENGINE_FILE = new URL("../engine/engine.wasm", import.meta.url);
const BASE_FILE = new URL("../engine/base.image", import.meta.url);
const WORKER_FILE = new URL("./executor.worker.js", import.meta.url);

let engine: Promise<Engine> | undefined;
const theEngine = () => (engine ??= readEngine());

async function readEngine(): Promise<Engine> {
  const kept = readFile(BASE_FILE).catch(() => undefined);
  const bytes = await readFile(ENGINE_FILE).catch((cause) => {
    throw new RoostError("ENOENT", "the engine is not built; run `npm run build` in the checkout", { cause });
  });
  const engine = await loadEngine(bytes);
  const base = await kept;
  return base ? withKeptBase(engine, base, { source: GUEST_LIBRARY }) : engine;
}

function spawn(): Endpoint {
  const worker = new Worker(WORKER_FILE, { name: "roost-executor" });
  const ended = new Promise<string>((resolve) => {
    worker.on("error", (error) => resolve(error.message));
    worker.on("exit", (code) => resolve(`exit ${code}`));
  });
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (receive) => worker.on("message", receive),
    onEnd: (end) => void ended.then(end),
    terminate: () => void worker.terminate(),
  };
}

export interface NodeEnvironmentOptions {
  readonly name?: string;
  /** Executors are asked for at once: the engine is read, and the first worker starts, meanwhile. */
  readonly soon?: boolean;
  readonly rendezvous?: (self: Identity) => Rendezvous | undefined;
  readonly log?: (sentence: string) => void;
}

export function nodeEnvironment(options: NodeEnvironmentOptions = {}): Environment {
  const started: Endpoint[] = [];
  if (options.soon) {
    started.push(spawn());
    theEngine().catch(() => {}); // whoever asks for executors is told
  }
  return {
    name: options.name ?? os.hostname(),
    platform: `Node ${process.versions.node} on ${os.platform()} ${os.arch()}`,
    clock: systemClock,
    random: systemRandom,
    get zone() {
      return Intl.DateTimeFormat().resolvedOptions().timeZone;
    },
    async startExecutors(count, hostName) {
      const boot = { engine: await theEngine(), guestLibrary: GUEST_LIBRARY, hostName };
      return startExecutors(count, () => started.pop() ?? spawn(), boot);
    },
    rendezvous: options.rendezvous ?? (() => undefined),
    log: options.log ?? (() => {}),
    group: process.env.ROOST_GROUP || undefined,
  };
}
