/** The launcher's terminal: the job's output goes straight through; below it, on a terminal, one line says what goes on. */
import { createInterface, type Interface } from "node:readline";
import { createLogUpdate } from "log-update";
import pc from "picocolors";
import prettyBytes from "pretty-bytes";
import prettyMs from "pretty-ms";
import type { Terminal } from "../host/job.ts";
import type { JobView } from "../host/view.ts";

/** stdout, stderr and stdin of this process, a line of input at a time. */
export function processTerminal(beforePrint: () => void = () => {}): Terminal & { close(): void } {
  let input: Interface | undefined;
  let lines: AsyncIterator<string> | undefined;
  return {
    print(fd, data) {
      beforePrint();
      (fd === 2 ? process.stderr : process.stdout).write(data);
    },
    async readLine() {
      input ??= createInterface({ input: process.stdin, terminal: false });
      lines ??= input[Symbol.asyncIterator]();
      const next = await lines.next();
      return next.done ? undefined : next.value;
    },
    close: () => input?.close(),
  };
}

/** A line that is always last on the terminal, and gone when the job is. Does nothing where stderr is no terminal. */
export class StatusLine {
  readonly #update = process.stderr.isTTY ? createLogUpdate(process.stderr, { showCursor: true }) : undefined;
  readonly #text: () => string;
  #timer: NodeJS.Timeout | undefined;

  constructor(text: () => string) {
    this.#text = text;
    if (!this.#update) return;
    this.#timer = setInterval(() => this.#draw(), 100);
    this.#timer.unref();
  }
  #draw() {
    this.#update?.(this.#text());
  }
  /** Makes room for output of the job; the next tick draws the line again below it. */
  readonly clear = () => this.#update?.clear();
  close() {
    clearInterval(this.#timer);
    this.#update?.clear();
    this.#update?.done();
  }
}

/** What a job is doing, in one line of at most `columns`. */
export function describeJob(job: JobView, nowMs: number, columns = process.stderr.columns ?? 80): string {
  const count = (state: string) => job.processes.filter((p) => p.state === state).length;
  const on = job.hosts.map((host) => {
    const here = job.processes.filter((p) => p.host === host.id && p.state !== "ended").length;
    return `${host.name} ${here}`;
  });
  const moves = job.processes.reduce((sum, p) => sum + Math.max(0, p.stays.length - 1), 0);
  const parts = [
    prettyMs(nowMs - job.startedMs, { keepDecimalsOnWholeSeconds: true, secondsDecimalDigits: 1 }),
    `${count("running")} running`,
    `${count("ended")}/${job.processes.length} ended`,
    ...(moves > 0 ? [`${moves} moves`] : []),
    on.join(" · "),
  ];
  const text = parts.join("  ");
  return pc.dim(text.length < columns ? text : `${text.slice(0, columns - 2)}…`);
}

/** What a job came to, in a few words. */
export function summarizeJob(job: JobView): string {
  const cpuMs = job.processes.reduce((sum, p) => sum + p.cpuMs, 0);
  const stays = job.processes.flatMap((p) => p.stays);
  const sent = stays.reduce((bytes, stay) => bytes + stay.imageBytes, 0);
  const used = new Set(stays.map((stay) => stay.host)).size;
  const hosts = used === 1 ? "1 host" : `${used} hosts`;
  return `${job.processes.length} processes on ${hosts}, ${prettyMs(cpuMs)} of CPU, ${prettyBytes(sent)} of images`;
}
