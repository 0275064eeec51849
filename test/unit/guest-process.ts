/**
 * Runs jobs in the real engine, with real home, kernel and executor, on a clock that moves only when everybody sleeps.
 * Hosts and links are of this thread; nothing takes time but sleeping.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { must } from "../../fabric/base/errors.ts";
import { hostId, jobId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Link } from "../../fabric/base/ports.ts";
import { bundleProgram } from "../../fabric/edge/bundle.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { type BaseImage, bootBase, loadEngine } from "../../fabric/engine/index.ts";
import { decodeValue } from "../../fabric/guest/value.ts";
import type { End } from "../../fabric/home/state.ts";
import { engineMachines } from "../../fabric/host/engine-machines.ts";
import { Executor } from "../../fabric/host/executor.ts";
import type { Self } from "../../fabric/host/greeting.ts";
import { HostDaemon } from "../../fabric/host/host-daemon.ts";
import { Job } from "../../fabric/host/job.ts";
import type { Machines, RunningMachine } from "../../fabric/host/machines.ts";
import { decodeCheckpoint, encodeCheckpoint, type JobAtRest } from "../../fabric/host/saved-job.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import type { ExecutorPort } from "../../fabric/kernel/executor-messages.ts";
import { type Call, decodeCall } from "../../fabric/wire/calls.ts";
import { World } from "../sim/world.ts";

export const STARTED_MS = Date.UTC(2025, 0, 1);
const MEMORY_BYTES_MAX = 64 * 2 ** 20;
/** What a home does after it was last saved, and what is done again by the next. */
const LOST_CALLS = 7;
const SLICE_POLLS = 10;
/** Of the job's own time: a job that takes longer waits for something that never comes. */
const PATIENCE_MS = 3_600_000;

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const bundle = async (path: string) => (await bundleProgram(at(path))).source;

let booted: Promise<BaseImage> | undefined;

export async function boot(): Promise<BaseImage> {
  const file = at("dist/engine/engine.wasm");
  await ensureEngine(file);
  return bootBase(await loadEngine(await readFile(file)), { source: GUEST_LIBRARY });
}

export interface Options {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly lines?: readonly string[];
  /** So long after somebody asks for a line, it is there. */
  readonly typingMs?: number;
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Suspends and moves to a fresh machine at every call and every `preemptEvery`th poll. */
  readonly preemptEvery?: number;
  /** Forks beyond this many processes fail with EAGAIN. */
  readonly processesMax?: number;
  /** After so many calls to the home, all told, it is saved; and ends with its hosts some calls later, to go on from there. */
  readonly homeEndsAt?: readonly number[];
  /** The job is kept, which takes so long each time: changes of files wait for it. */
  readonly keepMs?: number;
  /** Hosts; the first is the launcher's own. */
  readonly hosts?: number;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  readonly value: unknown;
  readonly tookMs: number;
  readonly disk: MemoryDisk;
  /** Those that the home was asked. */
  readonly calls: readonly Call[];
  readonly forks: number;
}

/** Runs a job until its first process has ended; fails when nobody can ever run again. */
export async function runJob(source: string, options: Options = {}): Promise<Outcome> {
  booted ??= boot();
  const base = await booted;
  const world = new World(1);
  world.nowMs = STARTED_MS;
  const calls: Call[] = [];
  const lines = [...(options.lines ?? [])];
  const encode = (content: string | Uint8Array) =>
    typeof content === "string" ? new TextEncoder().encode(content) : content;
  let files = Object.entries(options.files ?? {}).map(([path, text]) => [path, encode(text)] as const);
  const self = (name: string) => ({ id: hostId(name), name, platform: "test", base: base.id });
  const spec = {
    id: jobId("job"),
    name: "job.js",
    program: { source, fileName: "job.js" },
    args: options.argv ?? [],
    env: options.env ?? {},
    zone: "UTC",
    memoryBytesMax: MEMORY_BYTES_MAX,
    processesMax: options.processesMax ?? LIMITS.processesPerJob,
    durable: true,
    preemptEvery: options.preemptEvery ?? 0,
    seed: 1n,
  };
  const homeEnds = [...(options.homeEndsAt ?? [])];
  let atRest: JobAtRest | undefined;
  for (let forks = 0; ; ) {
    let on = true;
    const alive = () => on;
    const disk = new MemoryDisk(files, () => world.nowMs);
    const job = new Job({
      spec,
      atRest,
      self: self("here"),
      disk,
      terminal: {
        print: () => {},
        readLine: () =>
          new Promise((resolve) =>
            world.after(options.typingMs ?? 0, () => alive() && resolve(lines.shift())),
          ),
      },
      outputKeptBytes: 2 ** 30,
      clock: world.clock(0, (run) => alive() && run()),
      log: (sentence) => world.note(sentence),
      onChange: () => {},
      whenKept:
        options.keepMs === undefined
          ? undefined
          : () => new Promise((kept) => world.after(options.keepMs ?? 0, kept)),
      onEvent: ({ type }) => {
        if (type === "forked") forks++;
      },
    });
    let end: End | undefined;
    job.ended.then((how) => {
      end = how;
    });
    for (let n = 0; n < (options.hosts ?? 1); n++) {
      const name = n === 0 ? "here" : `host${n + 1}`;
      const daemon = startHost(world, base, self(name), calls, alive);
      const [ours, theirs] = links(world, alive);
      daemon.serve(theirs, n === 0);
      daemon.allow({ taking: true, reason: "" });
      job.addHost(ours, n === 0);
    }
    const print = (fd: number) =>
      Buffer.concat(job.output.kept.filter((o) => o.fd === fd).map((o) => o.data)).toString("utf8");
    const untilCalls = async (count: number) => {
      if (await world.run(() => end !== undefined || calls.length >= count, PATIENCE_MS)) return;
      const said = `${world.transcript.join("\n")}\n${print(1)}${print(2)}`;
      throw new Error(`every process waits for another\n${said}`);
    };
    const homeEnd = homeEnds.shift();
    await untilCalls(homeEnd ?? Number.POSITIVE_INFINITY);
    if (end === undefined && homeEnd !== undefined) {
      atRest = decodeCheckpoint(encodeCheckpoint(job.atRest()));
      await untilCalls(calls.length + LOST_CALLS);
      on = false;
      const { job: saved, contents } = atRest;
      files = (saved.disk ?? []).map(({ path, revision }) => [path, contents.get(revision) ?? encode("")]);
      continue;
    }
    const { status, value } = must(end as End | undefined, "end");
    return {
      stdout: print(1),
      stderr: print(2),
      status,
      value: value.length ? decodeValue(value) : undefined,
      tookMs: world.nowMs - STARTED_MS,
      disk,
      calls,
      forks,
    };
  }
}

function startHost(
  world: World,
  base: BaseImage,
  self: Self,
  calls: Call[],
  alive: () => boolean,
): HostDaemon {
  const clock = world.clock(0, (run) => alive() && run());
  const soon = (run: () => void) => world.after(0, () => alive() && run());
  const newExecutor = (): ExecutorPort => {
    const port: ExecutorPort = { command: () => {}, onReport: () => {}, onEnd: () => {}, close: () => {} };
    const executor = new Executor({
      machines: held(world, engineMachines(base)),
      hostName: self.name,
      clock,
      random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
      report: (report) => {
        if (report.type === "call") {
          const call = decodeCall(report.request);
          if (!(call instanceof Error)) calls.push(call);
        }
        soon(() => port.onReport(report));
      },
      yieldThen: soon,
    });
    port.command = (command) => soon(() => executor.handle(command));
    return port;
  };
  return new HostDaemon({
    self,
    executors: [newExecutor()],
    startExecutor: async () => newExecutor(),
    clock,
    log: (sentence) => world.note(sentence),
    onChange: () => {},
  });
}

/** Reading and writing images is real work, during which no time passes and nobody else runs; a slice is some polls. */
export function held(world: World, machines: Machines): Machines {
  const hold = (machine: RunningMachine): RunningMachine => {
    const { encodeImage, resume } = machine;
    machine.encodeImage = () => world.hold(encodeImage.call(machine));
    let polls = 0;
    machine.resume = (outside, answer) => {
      const poll = () => outside.poll() || ++polls % SLICE_POLLS === 0;
      return resume.call(machine, { ...outside, poll }, answer);
    };
    return machine;
  };
  return {
    fresh: (options) => hold(machines.fresh(options)),
    prepare: (chain, options) => world.hold(machines.prepare(chain, options)),
    dropPrepared: () => machines.dropPrepared(),
    tidy: () => machines.tidy(),
    restore: async (chain, options) => {
      const machine = await world.hold(machines.restore(chain, options));
      return "encodeImage" in machine ? hold(machine) : machine;
    },
  };
}

/** Two ends of a link on which nothing takes time. */
function links(world: World, alive: () => boolean): [Link, Link] {
  const make = (): Link & { other?: Link } => ({
    queuedBytes: 0,
    onMessage: () => {},
    onEnd: () => {},
    send(message) {
      world.after(0, () => alive() && this.other?.onMessage(message));
    },
    close(reason) {
      for (const end of [this, this.other]) world.after(0, () => alive() && end?.onEnd({ reason }));
    },
  });
  const [a, b] = [make(), make()];
  a.other = b;
  b.other = a;
  return [a, b];
}
