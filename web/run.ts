/** A job as the page shows it, whether it runs, has ended, or is remembered from an earlier page. */
import type { JobId, JobView } from "../fabric/index.ts";
import type { Line } from "./terminal.ts";
import type { TraceRecord } from "./trace.ts";

/** A program and what it is to work on. */
export interface Order {
  readonly name: string;
  readonly source: string;
  readonly fileName: string;
  readonly args: readonly string[];
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface WrittenFile {
  readonly path: string;
  readonly content: Uint8Array;
}

export interface Run {
  /** Whether its home is in this page. */
  readonly live: boolean;
  readonly id: JobId;
  readonly order: Order;
  readonly lines: readonly Line[];
  readonly droppedLines: number;
  /** Whether the program waits for somebody to type a line. */
  readonly asksForInput: boolean;
  readonly trace: TraceRecord;
  /** What its first process gave to `exit`. */
  readonly value: unknown;
  /** In words, where it had not ended when it was last seen: its page has gone, or is another. */
  readonly interrupted: string | undefined;
  /** Answers a waiting program; undefined is the end of all input. */
  type(line: string | undefined): void;
  written(): readonly WrittenFile[];
  view(jobs: readonly JobView[]): JobView | undefined;
}
