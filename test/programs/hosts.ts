/**
 * A fabric in this process for running job programs: real participants, each with a worker thread of its own and a clock
 * that is wrong by hours. What happened comes back with the outcome, for whoever has to find out why it is not the right one.
 */
import { readFile, rename } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { rolldown } from "rolldown";
import { must } from "../../fabric/base/errors.ts";
import { FIRST_PID } from "../../fabric/base/ids.ts";
import type { Disk } from "../../fabric/base/ports.ts";
import type { Program } from "../../fabric/edge/bundle.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { type Engine, loadEngine } from "../../fabric/engine/index.ts";
import type { JobEvent } from "../../fabric/home/effects.ts";
import type { Environment } from "../../fabric/host/environment.ts";
import { type Endpoint, startExecutors } from "../../fabric/host/executor-worker.ts";
import { Fabric } from "../../fabric/host/fabric.ts";
import type { Job } from "../../fabric/host/job.ts";
import { viewOfJob } from "../../fabric/host/view.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { systemRandom } from "../../fabric/io/random.ts";
import { Network } from "./network.ts";
import { skewedClock } from "./skewed-clock.ts";

const HOUR_MS = 3_600_000;
/** Of the launcher and the hosts after it: no two agree within hours. */
const SKEWS_MS = [0, -5 * HOUR_MS, 9 * HOUR_MS, -30 * HOUR_MS];
/** A job that takes longer hangs: none should take more than a few seconds. */
const PATIENCE_MS = 40_000;

export interface RunOptions {
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly disk?: Disk;
  readonly preemptEvery?: number;
  /** Is called when the job runs; what it returns, when it has ended. */
  readonly meanwhile?: (job: Job, fabric: LocalFabric) => () => void;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  readonly signal: string | undefined;
  readonly files: MemoryDisk;
  /** Times that a process arrived on a host. */
  readonly moves: number;
  /** Messages that crossed links to other hosts meanwhile, by their types. */
  readonly messages: ReadonlyMap<string, number>;
  /** What happened, a line each. */
  readonly transcript: readonly string[];
}

export class LocalFabric {
  readonly #network: Network;
  readonly #hosts: readonly Fabric[];

  private constructor(network: Network, hosts: readonly Fabric[]) {
    this.#network = network;
    this.#hosts = hosts;
  }

  /** The first host is the launcher. */
  static async start(count: number): Promise<LocalFabric> {
    const network = new Network();
    const hosts = Array.from(
      { length: count },
      (_, n) => new Fabric(environment(n, network), { workers: 1 }),
    );
    await Promise.all(hosts.slice(1).map((host) => host.donate()));
    return new LocalFabric(network, hosts);
  }

  /** Runs a job to its end. Rejects with the transcript when it does not come to one. */
  async run(program: Program, options: RunOptions = {}): Promise<Outcome> {
    const home = must(this.#hosts[0], "host");
    const encode = (content: string | Uint8Array) =>
      typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
    const given = Object.entries(options.files ?? {});
    const files = new MemoryDisk(given.map(([path, content]) => [path, encode(content)] as const));
    const written: Record<number, Uint8Array[]> = { 1: [], 2: [] };
    const transcript: string[] = [];
    const startedMs = Date.now();
    const note = (sentence: string) =>
      transcript.push(`${String(Date.now() - startedMs).padStart(6)}  ${sentence}`);
    let moves = 0;
    this.#network.messages.clear();
    const job = await home.run({
      name: program.fileName,
      ...program,
      args: options.args ?? [],
      disk: options.disk ?? files,
      terminal: {
        print: (fd, data) => {
          written[fd]?.push(data.slice());
          note(`fd ${fd}: ${JSON.stringify(Buffer.from(data).toString())}`);
        },
        readLine: async () => undefined,
      },
      preemptEvery: options.preemptEvery ?? 0,
      onEvent: (event) => {
        if (event.type === "placed") moves++;
        note(describe(event, this.#hosts));
      },
    });
    const hurry = setTimeout(() => {
      for (const line of whereTheyAre(job)) note(line);
      job.kill(FIRST_PID, "SIGKILL");
    }, PATIENCE_MS);
    const stop = options.meanwhile?.(job, this);
    const { status, signal } = await job.ended;
    stop?.();
    clearTimeout(hurry);
    const text = (fd: number) => Buffer.concat(written[fd] ?? []).toString("utf8");
    return {
      stdout: text(1),
      stderr: text(2),
      status,
      signal,
      files,
      moves,
      messages: new Map(this.#network.messages),
      transcript,
    };
  }

  /** Pulls the plug of one of the hosts, not the launcher; after 2 s the job finds it again. */
  lose(n: number): void {
    const remote = this.#hosts.slice(1);
    this.#network.cut(must(remote[n % remote.length], "host besides the launcher").id);
  }

  close(): void {
    for (const host of this.#hosts) host.close();
  }
}

function describe(event: JobEvent, hosts: readonly Fabric[]): string {
  const { type, ...rest } = event;
  const facts = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  return hosts.reduce((text, { id, name }) => text.replaceAll(id, name), `${type}: ${facts.join(", ")}`);
}

function whereTheyAre(job: Job): string[] {
  return viewOfJob(job)
    .processes.filter((p) => p.state !== "ended")
    .map(
      (p) => `hangs: process ${p.pid} of ${p.ppid} on ${p.hostName || "no host"}: ${p.state}, ${p.detail}`,
    );
}

function environment(n: number, network: Network): Environment {
  const skewMs = SKEWS_MS[n % SKEWS_MS.length] ?? 0;
  return {
    name: `host ${n + 1}`,
    platform: "Node",
    clock: skewedClock(skewMs),
    random: systemRandom,
    zone: "UTC",
    startExecutors: async (count, hostName) =>
      startExecutors(count, await spawner(skewMs), { ...(await boot()), hostName }),
    rendezvous: (self) => network.join(self),
    log: () => {},
  };
}

const ENGINE_FILE = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));

let booting: Promise<{ engine: Engine; guestLibrary: string }> | undefined;

function boot() {
  booting ??= ensureEngine(ENGINE_FILE).then(async () => ({
    engine: await loadEngine(await readFile(ENGINE_FILE)),
    guestLibrary: GUEST_LIBRARY,
  }));
  return booting;
}

let workerFile: Promise<string> | undefined;

async function spawner(skewMs: number): Promise<() => Endpoint> {
  workerFile ??= bundleWorker();
  const file = await workerFile;
  return () => {
    const worker = new Worker(file, { workerData: { skewMs } });
    return {
      post: (message) => worker.postMessage(message),
      onMessage: (receive) => worker.on("message", receive),
      onEnd: (end) => {
        worker.on("error", (error) => end(error.message));
        worker.on("exit", (code) => end(`exit ${code}`));
      },
      terminate: () => void worker.terminate(),
    };
  };
}

/** From the sources, not from a build that may be older. Several processes may do it at once: each puts a whole file in place. */
async function bundleWorker(): Promise<string> {
  const file = fileURLToPath(new URL("../../dist/test/skewed.worker.mjs", import.meta.url));
  const own = `${file}.${process.pid}`;
  await using bundle = await rolldown({
    input: fileURLToPath(new URL("./skewed.worker.ts", import.meta.url)),
    platform: "node",
    logLevel: "warn",
  });
  await bundle.write({ file: own, format: "es", codeSplitting: false });
  await rename(own, file);
  return file;
}
