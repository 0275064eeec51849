/**
 * Jobs as this browser remembers them: the program, what it printed and wrote, its result, and where its processes
 * were. A job that was running when its page went goes on in the next one (model.ts); where nothing is kept it ended, and
 * its record says so.
 */
import type { JobId, JobView, Store } from "../fabric/index.ts";
import type { Order, Run, WrittenFile } from "./run.ts";
import type { Line } from "./terminal.ts";
import type { TraceRecord } from "./trace.ts";

export interface JobRecord {
  readonly id: JobId;
  readonly savedMs: number;
  readonly order: Order;
  readonly view: JobView;
  readonly lines: readonly Line[];
  readonly droppedLines: number;
  readonly files: readonly WrittenFile[];
  /** Files that were too large to be remembered. */
  readonly filesLeftOut: number;
  /** The exit value of the first process. */
  readonly value: unknown;
  readonly trace?: TraceRecord;
}

const INDEX_KEY = "records";
const RECORDS_MAX = 12;
const LINES_MAX = 2_000;
const FILES_BYTES_MAX = 8 * 2 ** 20;
const keyOf = (id: JobId) => `record ${id}`;

export function recordOf(run: Run, view: JobView, nowMs: number): JobRecord {
  const { lines } = run;
  const kept = lines.slice(-LINES_MAX);
  let room = FILES_BYTES_MAX;
  const written = run.written();
  const files = written.filter(({ content }) => {
    const fits = content.length <= room;
    if (fits) room -= content.length;
    return fits;
  });
  return {
    id: view.id,
    savedMs: nowMs,
    // What it worked on was the person's own and may be large; the program is what is read again.
    order: { ...run.order, files: new Map() },
    view,
    lines: kept,
    droppedLines: run.droppedLines + lines.length - kept.length,
    files,
    filesLeftOut: written.length - files.length,
    value: run.value,
    trace: { marks: run.trace.marks, samples: run.trace.samples },
  };
}

/** Newest first. One that is no record, of another version or damaged, is passed over. */
export async function loadRecords(store: Store): Promise<readonly JobRecord[]> {
  const ids = await idsIn(store);
  const records = await Promise.all(ids.map((id) => store.get<unknown>(keyOf(id))));
  return records.filter(isRecord).toSorted((a, b) => b.view.startedMs - a.view.startedMs);
}

/** Remembers this one, and forgets the oldest beyond RECORDS_MAX. */
export function saveRecord(store: Store, record: JobRecord): Promise<void> {
  return alone(async () => {
    await store.set(keyOf(record.id), record);
    const ids = [record.id, ...(await idsIn(store)).filter((id) => id !== record.id)];
    await store.set(INDEX_KEY, ids.slice(0, RECORDS_MAX));
    await store.deleteAll(ids.slice(RECORDS_MAX).map(keyOf));
  });
}

export function forgetRecord(store: Store, id: JobId): Promise<void> {
  return alone(async () => {
    const ids = await idsIn(store);
    await store.set(
      INDEX_KEY,
      ids.filter((other) => other !== id),
    );
    await store.deleteAll([keyOf(id)]);
  });
}

async function idsIn(store: Store): Promise<readonly JobId[]> {
  const found = await store.get<unknown>(INDEX_KEY);
  return Array.isArray(found) ? found.filter((id): id is JobId => typeof id === "string") : [];
}

/** Other tabs do the same to the same list. */
const alone = (change: () => Promise<void>): Promise<void> =>
  "locks" in navigator ? navigator.locks.request("roost-records", change) : change();

function isRecord(found: unknown): found is JobRecord {
  if (typeof found !== "object" || found === null) return false;
  const { order, view, lines, files } = found as Partial<JobRecord>;
  return (
    typeof order?.source === "string" &&
    Array.isArray(view?.processes) &&
    Array.isArray(lines) &&
    Array.isArray(files)
  );
}

/** A job of an earlier page, to be read. */
export class PastRun implements Run {
  readonly live = false;
  readonly order: Order;
  readonly id: JobId;
  readonly lines: readonly Line[];
  readonly droppedLines: number;
  readonly asksForInput = false;
  readonly value: unknown;
  readonly trace: TraceRecord;
  readonly interrupted: string | undefined;
  readonly #record: JobRecord;
  readonly #view: JobView;
  readonly #files: readonly WrittenFile[];

  constructor(record: JobRecord, runsElsewhere = false) {
    const { id, savedMs, order, view, lines, droppedLines, files, value, trace } = record;
    this.#record = record;
    this.id = id;
    this.order = order;
    this.lines = lines;
    this.droppedLines = droppedLines;
    this.value = value;
    this.trace = trace ?? { marks: new Map(), samples: [] };
    if (view.endedMs !== undefined) this.#view = view;
    else if (runsElsewhere) this.#view = { ...view, endedMs: savedMs };
    else this.#view = cutOff(view, savedMs);
    if (view.endedMs === undefined)
      this.interrupted = runsElsewhere ? "runs in another tab" : "ended with its page";
    this.#files = files;
  }

  /** The same, of a job whose home turned out to be another tab that is open. */
  inAnotherTab(): PastRun {
    return new PastRun(this.#record, true);
  }

  view(): JobView {
    return this.#view;
  }
  written(): readonly WrittenFile[] {
    return this.#files;
  }
  type(): void {}
}

/** As it was last seen, over. */
const cutOff = (view: JobView, atMs: number): JobView => ({
  ...view,
  endedMs: atMs,
  processes: view.processes.map((p) =>
    p.state === "ended"
      ? p
      : { ...p, state: "ended", detail: "ended with its page", endedMs: atMs, host: undefined },
  ),
});
