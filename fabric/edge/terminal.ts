/** The launcher's terminal: the job's output goes straight through; below it, on a terminal, one line says what goes on. */

import { createInterface } from "node:readline";
import cliProgress from "cli-progress";
import type { createLogUpdate } from "log-update";
import prettyBytes from "pretty-bytes";
import prettyMs from "pretty-ms";
import type { Terminal } from "../host/job.ts";
import type { JobView } from "../host/view.ts";
import { err } from "./colors.ts";
import { type OutputStream, outputStream, type StreamEvents } from "./streams.ts";
import { counted, plain } from "./words.ts";

/** stdin, a line at a time, and nothing of it before somebody asks. */
export function lineReader() {
  let input: ReturnType<typeof createInterface> | undefined;
  let lines: AsyncIterator<string> | undefined;
  return {
    /** Without its end; undefined when there is no more. */
    async next(): Promise<string | undefined> {
      input ??= createInterface({ input: process.stdin, terminal: false });
      lines ??= input[Symbol.asyncIterator]();
      const next = await lines.next();
      return next.done ? undefined : next.value;
    },
    close: () => input?.close(),
  };
}

export interface ProcessTerminal extends Terminal {
  /** Resolves when all output is out. */
  close(): Promise<void>;
}

/** Where stdout or stderr is this terminal, output is gathered for a moment, so that the line below does not flicker. */
const GATHER_MS = 16;

/** stdout, stderr and stdin of this process. */
export function processTerminal(line: StatusLine, events: StreamEvents): ProcessTerminal {
  const streams: Record<number, OutputStream> = {
    1: outputStream(process.stdout, events),
    2: outputStream(process.stderr, events),
  };
  const input = lineReader();
  let gathered: { fd: number; data: Uint8Array }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (gathered.length === 0) return;
    line.clear();
    for (const { fd, data } of gathered) streams[fd]?.write(data);
    const seen = gathered.findLast(({ fd }) => (fd === 2 ? process.stderr : process.stdout).isTTY);
    line.draw(seen && seen.data.at(-1) === NEWLINE);
    gathered = [];
  };
  return {
    print(fd, data) {
      if (!line.shown) return streams[fd]?.write(data);
      gathered.push({ fd, data: data.slice() });
      timer ??= setTimeout(flush, GATHER_MS);
    },
    async readLine() {
      flush(); // a question comes before its answer
      line.hide(); // what is typed stays to be seen
      try {
        return await input.next();
      } finally {
        line.show();
      }
    },
    async close() {
      flush();
      input.close();
      await Promise.all([streams[1]?.flushed(), streams[2]?.flushed()]);
    },
  };
}

const NEWLINE = 10;

/** A line that is always last on the terminal, and gone when the job is. Does nothing where stderr is no terminal. */
export class StatusLine {
  #update: ReturnType<typeof createLogUpdate> | undefined;
  readonly #text: () => string;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the cursor is at the beginning of a line, so that there is room. */
  #room = true;
  #hiders = 0;

  /** `text` is asked ten times a second. */
  constructor(text: () => string) {
    this.#text = text;
    if (!process.stderr.isTTY) return;
    this.#timer = setInterval(() => this.draw(), 100);
    this.#timer.unref();
    import("log-update").then(({ createLogUpdate }) => {
      if (this.shown) this.#update = createLogUpdate(process.stderr, { showCursor: true });
    });
  }
  get shown(): boolean {
    return this.#timer !== undefined;
  }
  /** It gives way, until each who hides it has shown it again. */
  hide(): void {
    this.#hiders++;
    this.#update?.clear();
  }
  show(): void {
    this.#hiders--;
  }
  /** `room`: whether the output that was just written ended its line. */
  draw(room = this.#room): void {
    this.#room = room;
    if (room && this.#hiders === 0) this.#update?.(this.#text());
  }
  /** Makes room for output of the job. */
  clear(): void {
    this.#update?.clear();
  }
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#update?.clear();
    this.#update?.done();
  }
}

/** What a job is doing, in one line of less than `columns`: what matters less is left out where there is no room. */
export function describeJob(job: JobView, nowMs: number, columns = process.stderr.columns ?? 80): string {
  const count = (state: string) => job.processes.filter((p) => p.state === state).length;
  const on = job.hosts.map((host) => {
    const here = job.processes.filter((p) => p.host === host.id && p.state !== "ended").length;
    return `${plain(host.name)}: ${here}`;
  });
  const moves = job.processes.reduce((sum, p) => sum + Math.max(0, p.stays.length - 1), 0);
  const waiting = count("unplaced");
  const ended = count("ended");
  const time = prettyMs(nowMs - job.startedMs, { keepDecimalsOnWholeSeconds: true, secondsDecimalDigits: 1 });
  const facts = [
    `${count("running")} running`,
    `${ended}/${job.processes.length} ended`,
    ...(waiting > 0 ? [`${waiting} without host`] : []),
    ...(moves > 0 ? [counted(moves, "move")] : []),
  ];
  const hosts = counted(on.length, "host");
  const lines = [
    [time, bar(ended / job.processes.length), ...facts, on.join(" · ")],
    [time, ...facts, on.join(" · ")],
    [time, ...facts, hosts],
    [time, ...facts],
  ].map((parts) => parts.join("  "));
  const text = lines.find((line) => line.length < columns) ?? `${lines.at(-1)?.slice(0, columns - 2)}…`;
  return err.dim(text);
}

const BAR = 8;
/** A part of one, in so many columns. Of the processes that are known, those that have ended: forks make it shorter again. */
export const bar = (part: number, columns = BAR): string =>
  cliProgress.Format.BarFormat(part, {
    barsize: columns,
    barCompleteString: "█".repeat(columns),
    barIncompleteString: "░".repeat(columns),
    barGlue: "",
  });

/** What a job came to, in a few words. */
export function summarizeJob(job: JobView): string {
  const cpuMs = job.processes.reduce((sum, p) => sum + p.cpuMs, 0);
  const stays = job.processes.flatMap((p) => p.stays);
  const sent = stays.reduce((bytes, stay) => bytes + stay.imageBytes, 0);
  const used = new Set(stays.map((stay) => stay.host)).size;
  const processes = counted(job.processes.length, "process", "processes");
  return `${processes} on ${counted(used, "host")}, ${prettyMs(cpuMs)} of CPU, ${prettyBytes(sent)} of images`;
}
