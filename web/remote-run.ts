/** A job whose home is elsewhere, come back to by its address: what it has written, how it is, and a line to answer it. */
import {
  pid as asPid,
  type Fabric,
  type HostId,
  type JobId,
  type JobReport,
  type JobView,
  type RemoteJob,
  type SignalName,
} from "../fabric/index.ts";
import type { Order, Run, WrittenFile } from "./run.ts";
import { type Line, TerminalLines } from "./terminal.ts";
import { Trace } from "./trace.ts";

/** How often its home is asked how it is. */
const LOOK_MS = 1_000;

interface Listeners {
  /** Lines, input or the view may be different. */
  change(): void;
  /** Its home is out of sight; it may run on. */
  lost(run: RemoteRun): void;
}

export class RemoteRun implements Run {
  readonly live = false;
  readonly value = undefined;
  readonly trace = new Trace();
  readonly order: Order;
  readonly #job: RemoteJob;
  readonly #on: Listeners;
  readonly #terminal = new TerminalLines();
  #report: JobReport;
  #asks = false;
  #isLost = false;

  private constructor(job: RemoteJob, report: JobReport, on: Listeners) {
    this.#job = job;
    this.#report = report;
    this.#on = on;
    const { name, args } = report;
    this.order = { name, args, source: "", fileName: name, files: new Map() };
  }

  /** `address` as `roost inspect` says it. Throws RoostError where no home answers to it. */
  static async open(fabric: Fabric, address: string, on: Listeners): Promise<RemoteRun> {
    const job = await fabric.steer(address);
    const run = new RemoteRun(job, await job.look(), on);
    job.onAsk = () => {
      run.#asks = true;
      on.change();
    };
    await job.attach().catch(() => {}); // it has a terminal: then it is looked at only
    void run.#follow();
    return run;
  }

  get id(): JobId {
    return this.view().id;
  }
  get lines(): readonly Line[] {
    return this.#terminal.snapshot();
  }
  get droppedLines(): number {
    return this.#terminal.dropped;
  }
  /** Its home is looked for again. */
  get interrupted(): string | undefined {
    return this.#isLost ? "its home is out of sight" : undefined;
  }
  get asksForInput(): boolean {
    return this.#asks && !this.#isLost && this.#report.endedMs === undefined;
  }

  type(line: string | undefined): void {
    if (line !== undefined) this.#terminal.echo(line);
    this.#asks = false;
    this.#job.type(line);
    this.#on.change();
  }

  /** They are on its home's disk. */
  written(): readonly WrittenFile[] {
    return [];
  }

  /** A report is a view that has come over a link: the names of things have lost their brands there. */
  view(): JobView {
    return this.#report as unknown as JobView;
  }

  kill(pid: number, signal: SignalName): Promise<void> {
    return this.#job.kill(asPid(pid), signal);
  }
  migrate(pid: number, to: HostId): Promise<void> {
    return this.#job.migrate(asPid(pid), to);
  }

  async #follow(): Promise<void> {
    const look = () => this.#job.look().then((report) => this.#seen(report));
    const timer = setInterval(() => look().catch(() => clearInterval(timer)), LOOK_MS);
    try {
      const output = this.#job.output();
      for (;;) {
        const { done, value } = await output.next();
        if (done) return this.#seen(value); // its home may leave at once
        this.#terminal.print(value.fd, value.data);
        this.#on.change();
      }
    } catch {
      this.#isLost = true;
      this.#on.change();
      this.#on.lost(this);
    } finally {
      clearInterval(timer);
      this.#job[Symbol.dispose]();
    }
  }

  #seen(report: JobReport): void {
    this.#report = report;
    this.trace.look(this.view(), report.nowMs);
    this.#on.change();
  }
}
