/**
 * Runs jobs in the real engine with the real guest library and the real file service, all processes in one thread, on
 * a clock that moves only when everybody sleeps. In place of home and hosts it has what a test can see through.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { must, RoostError } from "../../fabric/base/errors.ts";
import { FIRST_PID, type Pid, pid as toPid } from "../../fabric/base/ids.ts";
import { bundleProgram } from "../../fabric/edge/bundle.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import {
  type BaseImage,
  bootBase,
  loadEngine,
  Machine,
  type Stop,
  type World,
} from "../../fabric/engine/index.ts";
import { decodeValue } from "../../fabric/guest/value.ts";
import { Files } from "../../fabric/home/files.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import {
  type Call,
  type CallArgs,
  type ChildEnd,
  decodeCall,
  encodeAnswer,
  encodeError,
} from "../../fabric/wire/calls.ts";

export const STARTED_MS = Date.UTC(2025, 0, 1);
const MEMORY = { memoryBytesMax: 64 * 2 ** 20 };
/** Runs, not milliseconds, so that it fails the same everywhere. */
const TURNS_MAX = 200_000;

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const bundle = async (path: string) => (await bundleProgram(at(path))).source;

let booted: Promise<BaseImage> | undefined;

async function boot(): Promise<BaseImage> {
  const file = at("dist/engine/engine.wasm");
  await ensureEngine(file);
  return bootBase(await loadEngine(await readFile(file)), { source: GUEST_LIBRARY });
}

export interface Options {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly lines?: readonly string[];
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Suspends and moves to a fresh machine at every call and every `preemptEvery`th poll. */
  readonly preemptEvery?: number;
  /** Forks beyond this many living processes fail with EAGAIN. */
  readonly processesMax?: number;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  readonly value: unknown;
  readonly tookMs: number;
  readonly disk: MemoryDisk;
  readonly calls: readonly Call[];
  readonly forks: number;
}

/** Runs a job until its first process has ended; fails when nobody can ever run again. */
export async function runJob(source: string, options: Options = {}): Promise<Outcome> {
  booted ??= boot();
  return new Job(await booted, source, options).run();
}

interface Process {
  readonly pid: Pid;
  ppid: Pid;
  machine: Machine;
  /** Runs next with this; undefined when it has not called. */
  answer: Uint8Array | undefined;
  state: "new" | "ready" | "waiting" | "ended";
  wait: { readonly pid: number } | undefined;
  dueMs: number | undefined;
  end: ChildEnd | undefined;
}

class Job {
  readonly #base: BaseImage;
  readonly #source: string;
  readonly #options: Options;
  readonly #disk: MemoryDisk;
  readonly #files: Files;
  readonly #processes = new Map<Pid, Process>();
  readonly #calls: Call[] = [];
  readonly #output = { 1: [] as Uint8Array[], 2: [] as Uint8Array[] };
  readonly #lines: string[];
  readonly #world: World;
  #nowMs = STARTED_MS;
  #lastPid = 0;

  constructor(base: BaseImage, source: string, options: Options) {
    this.#base = base;
    this.#source = source;
    this.#options = options;
    this.#lines = [...(options.lines ?? [])];
    const encode = (content: string | Uint8Array) =>
      typeof content === "string" ? new TextEncoder().encode(content) : content;
    const files = Object.entries(options.files ?? {}).map(([path, text]) => [path, encode(text)] as const);
    this.#disk = new MemoryDisk(files, () => this.#nowMs);
    this.#files = new Files(this.#disk);
    let polls = 0;
    const every = options.preemptEvery;
    this.#world = {
      now: () => this.#nowMs,
      zone: "UTC",
      poll: () => every !== undefined && ++polls % every === 0,
    };
  }

  run(): Outcome {
    const first = this.#add(Machine.fresh(this.#base, MEMORY), toPid(0), "new");
    for (let turns = 0; !first.end; turns++) {
      if (turns > TURNS_MAX) throw new Error("the job neither ends nor sleeps");
      const next = [...this.#processes.values()].find((p) => p.state === "new" || p.state === "ready");
      if (next) this.#turn(next);
      else this.#sleep();
    }
    const text = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString("utf8");
    const { status, value } = first.end;
    return {
      stdout: text(this.#output[1]),
      stderr: text(this.#output[2]),
      status,
      value: value.length ? decodeValue(value) : undefined,
      tookMs: this.#nowMs - STARTED_MS,
      disk: this.#disk,
      calls: this.#calls,
      forks: this.#lastPid - 1,
    };
  }

  #add(machine: Machine, ppid: Pid, state: "new" | "ready"): Process {
    const pid = toPid(++this.#lastPid);
    const process: Process = {
      pid,
      ppid,
      machine,
      answer: undefined,
      state,
      wait: undefined,
      dueMs: undefined,
      end: undefined,
    };
    this.#processes.set(pid, process);
    return process;
  }

  #turn(p: Process) {
    if (this.#options.preemptEvery !== undefined && p.state === "ready")
      p.machine = Machine.restore(this.#base, p.machine.image(), MEMORY);
    const { answer } = p;
    p.answer = undefined;
    const stop =
      p.state === "new"
        ? p.machine.start({ source: this.#source, fileName: "job.js" }, this.#world)
        : p.machine.resume(this.#world, answer);
    p.state = "waiting";
    this.#stopped(p, stop);
    // To the end of the queue: everybody gets a turn.
    if (this.#processes.delete(p.pid)) this.#processes.set(p.pid, p);
  }

  #stopped(p: Process, stop: Stop) {
    switch (stop.kind) {
      case "preempted":
        p.state = "ready";
        return;
      case "fault":
        throw new Error(`process ${p.pid} broke its machine: ${stop.code}: ${stop.message}`);
      case "call": {
        const call = decodeCall(stop.request);
        if (call instanceof RoostError) return this.#answer(p, encodeError(call));
        this.#calls.push(call);
        this.#serve(p, call);
      }
    }
  }

  #answer(p: Process, answer: Uint8Array) {
    p.answer = answer;
    p.state = "ready";
    p.wait = undefined;
    p.dueMs = undefined;
  }

  /** Nobody can run: the clock goes to the first who is due. */
  #sleep() {
    const sleepers = [...this.#processes.values()].filter((p) => p.dueMs !== undefined);
    sleepers.sort((a, b) => must(a.dueMs, "due") - must(b.dueMs, "due"));
    const first = sleepers[0];
    if (!first) throw new Error("every process waits for another");
    this.#nowMs = Math.max(this.#nowMs, must(first.dueMs, "due"));
    this.#answer(
      first,
      first.wait ? encodeAnswer("wait", { end: undefined }) : encodeAnswer("sleep", undefined),
    );
  }

  #ended(p: Process, end: Omit<ChildEnd, "pid">) {
    p.end = { pid: p.pid, ...end };
    p.state = "ended";
    this.#files.closed(p.pid);
    for (const child of this.#processes.values()) if (child.ppid === p.pid) child.ppid = FIRST_PID;
    for (const q of this.#processes.values()) if (q.wait) this.#settleWait(q, q.wait.pid);
  }

  #settleWait(p: Process, pid: number): boolean {
    const children = [...this.#processes.values()].filter(
      (c) => c.ppid === p.pid && (pid < 0 || c.pid === pid),
    );
    const ended = children.find((child) => child.end);
    if (ended) {
      this.#processes.delete(ended.pid);
      this.#answer(p, encodeAnswer("wait", { end: ended.end }));
    } else if (children.length === 0)
      this.#answer(p, encodeError(new RoostError("ECHILD", "this process has no such child")));
    return ended !== undefined || children.length === 0;
  }

  #fork(p: Process) {
    const alive = [...this.#processes.values()].filter((q) => !q.end).length;
    if (alive >= (this.#options.processesMax ?? 200))
      return this.#answer(p, encodeError(new RoostError("EAGAIN", `${alive} processes are the limit`)));
    const child = this.#add(Machine.restore(this.#base, p.machine.image(), MEMORY), p.pid, "ready");
    child.machine.seedRandom(BigInt(child.pid));
    this.#files.forked(p.pid, child.pid);
    this.#answer(child, encodeAnswer("fork", { child: 0, self: child.pid, parent: p.pid }));
    this.#answer(p, encodeAnswer("fork", { child: child.pid, self: p.pid, parent: p.ppid }));
  }

  #kill(p: Process, { pid, signal }: CallArgs<"kill">) {
    const target = this.#processes.get(toPid(pid));
    if (!target || target.end)
      return this.#answer(p, encodeError(new RoostError("ESRCH", `no process ${pid} is alive`)));
    this.#answer(p, encodeAnswer("kill", undefined));
    this.#ended(target, { status: 1, signal, value: new Uint8Array() });
  }

  #serve(p: Process, call: Call) {
    switch (call.name) {
      case "exit":
        return this.#ended(p, { status: call.args.status, signal: undefined, value: call.args.value });
      case "fork":
        return this.#fork(p);
      case "wait": {
        if (this.#settleWait(p, call.args.pid)) return;
        p.wait = { pid: call.args.pid };
        p.dueMs = call.args.timeoutMs === undefined ? undefined : this.#nowMs + call.args.timeoutMs;
        return;
      }
      case "kill":
        return this.#kill(p, call.args);
      case "sleep":
        p.dueMs = call.args.dueMs;
        return;
      case "print":
        this.#output[call.args.fd === 1 ? 1 : 2].push(call.args.data);
        return this.#answer(p, encodeAnswer("print", undefined));
      case "identify": {
        const { argv = [], env = {} } = this.#options;
        const list = Object.entries(env).map(([name, value]) => ({ name, value }));
        const self = { pid: p.pid, ppid: p.ppid, argv: ["roost", "job.js", ...argv], env: list };
        return this.#answer(p, encodeAnswer("identify", self));
      }
      case "hostname":
        return this.#answer(p, encodeAnswer("hostname", { name: "here" }));
      case "hosts": {
        const host = (id: string, free: boolean) => ({ id, name: id.toUpperCase(), free });
        const answer = { hosts: [host("h1", true), host("h2", false)], here: "h1" };
        return this.#answer(p, encodeAnswer("hosts", answer));
      }
      case "migrate":
        p.machine = Machine.restore(this.#base, p.machine.image(), MEMORY);
        return this.#answer(p, encodeAnswer("migrate", undefined));
      case "random": {
        const bytes = crypto.getRandomValues(new Uint8Array(call.args.length));
        return this.#answer(p, encodeAnswer("random", { bytes }));
      }
      case "readLine":
        return this.#answer(p, encodeAnswer("readLine", { line: this.#lines.shift() }));
      default:
        return this.#answer(p, this.#files.serve(p.pid, call));
    }
  }
}
