/**
 * One job launched from this page: its files, its terminal, and the job itself. The page keeps it after the job has
 * ended, for people to read.
 */
import {
  decodeValue,
  type Fabric,
  type HomeOptions,
  type Job,
  type JobAtRest,
  type JobEvent,
  type JobView,
  LineInput,
  MemoryDisk,
  type Store,
} from "../fabric/index.ts";
import { jobsOutliveTabs } from "./home-lock.ts";
import type { Order, Run, WrittenFile } from "./run.ts";
import { type Line, TerminalLines } from "./terminal.ts";
import { forkTimer } from "./timing.ts";
import { Trace } from "./trace.ts";

/** `output` is called whenever lines, input or files may be different; `end` once the job is over. */
export interface Listeners {
  output(): void;
  event(event: JobEvent): void;
  end(launch: Launch): void;
}

interface Kept {
  trouble: string | undefined;
}

/** What was given carries this time, so that whatever is newer was written by the job. */
const GIVEN_AT_MS = 0;

export class Launch implements Run {
  readonly live = true;
  readonly interrupted = undefined;
  readonly order: Order;
  readonly trace: Trace;
  readonly job: Job;
  /** Where the job's home lives. */
  readonly fabric: Fabric;
  readonly #terminal: TerminalLines;
  readonly #input: LineInput;
  readonly #onOutput: () => void;
  readonly #disk: MemoryDisk;
  readonly #kept: Kept;
  #value: unknown;

  private constructor(
    order: Order,
    fabric: Fabric,
    job: Job,
    io: {
      trace: Trace;
      terminal: TerminalLines;
      input: LineInput;
      disk: MemoryDisk;
      kept: Kept;
      on: Listeners;
    },
  ) {
    this.order = order;
    this.fabric = fabric;
    this.job = job;
    this.#terminal = io.terminal;
    this.#input = io.input;
    this.#onOutput = io.on.output;
    this.#disk = io.disk;
    this.#kept = io.kept;
    this.trace = io.trace;
    void job.ended.then((end) => {
      this.#value = valueIn(end.value);
      io.on.end(this);
    });
  }

  /** The job is kept in `store` while it runs, for the page that comes after this one. */
  static start(fabric: Fabric, order: Order, store: Store, on: Listeners): Promise<Launch> {
    let nowMs: () => number = () => GIVEN_AT_MS;
    // Copies: the job may write to its files, and what the person gave is for the next job too.
    const given = Array.from(order.files, ([path, content]) => [path, content.slice()] as const);
    const disk = new MemoryDisk(given, () => nowMs());
    nowMs = Date.now;
    const { name, source, fileName, args } = order;
    return Launch.#begin(fabric, order, disk, store, on, (options) =>
      fabric.run({ ...options, name, source, fileName, args }),
    );
  }

  /** Goes on with a job whose page has gone. */
  static async revive(fabric: Fabric, atRest: JobAtRest, store: Store, on: Listeners): Promise<Launch> {
    const { home, disk: files = [], output } = atRest.job;
    const { name, program, args } = home.spec;
    const disk = MemoryDisk.again(files, atRest.contents);
    const order = { name, ...program, args, files: new Map() };
    const launch = await Launch.#begin(fabric, order, disk, store, on, (options) =>
      fabric.revive(atRest, options),
    );
    for (const { fd, data } of output) launch.#terminal.print(fd, data);
    return launch;
  }

  static async #begin(
    fabric: Fabric,
    order: Order,
    disk: MemoryDisk,
    store: Store,
    on: Listeners,
    begin: (options: HomeOptions) => Promise<Job>,
  ): Promise<Launch> {
    const terminal = new TerminalLines();
    const trace = new Trace();
    const timeForks = forkTimer();
    const input = new LineInput();
    input.onAsk(on.output);
    const kept: Kept = { trouble: undefined };
    const job = await begin({
      ...(jobsOutliveTabs() ? { keepIn: store } : {}),
      onKept: (trouble) => {
        kept.trouble = trouble;
        on.output();
      },
      onEvent: (event, atMs) => {
        timeForks(event);
        trace.happened(event, atMs);
        on.event(event);
      },
      disk,
      terminal: {
        print: (fd, data) => {
          terminal.print(fd, data);
          on.output();
        },
        readLine: () => input.readLine(),
      },
    });
    return new Launch(order, fabric, job, { trace, terminal, input, disk, kept, on });
  }

  get id() {
    return this.job.id;
  }
  /** Where it can be steered from elsewhere, by whoever knows it. */
  get address(): string {
    return this.fabric.addressOf(this.job);
  }
  /** Why this browser does not keep the job, so that it would end with its tab; undefined: it does, or keeps nothing at all. */
  get notKept(): string | undefined {
    return this.job.endedMs === undefined ? this.#kept.trouble : undefined;
  }
  get value(): unknown {
    return this.#value;
  }
  get lines(): readonly Line[] {
    return this.#terminal.snapshot();
  }
  get droppedLines(): number {
    return this.#terminal.dropped;
  }
  /** Whether the program waits for somebody to type a line. */
  get asksForInput(): boolean {
    return this.#input.asks;
  }

  /** Answers a waiting program; undefined is the end of all input. */
  type(line: string | undefined): void {
    if (line !== undefined) this.#terminal.echo(line);
    this.#input.give(line);
    this.#onOutput();
  }

  written(): readonly WrittenFile[] {
    return Array.from(this.#disk.files(), ([path, content]) => ({ path, content })).filter(
      ({ path }) => this.#disk.stat(path).modifiedMs > GIVEN_AT_MS,
    );
  }

  view(jobs: readonly JobView[]): JobView | undefined {
    return jobs.find((job) => job.id === this.job.id);
  }
}

/** Made by a guest, so it may be anything; nonsense counts as nothing. */
function valueIn(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return decodeValue(bytes);
  } catch {
    return undefined;
  }
}
