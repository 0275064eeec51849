/** What a job went through, for people to look back on: kept small however long it runs. */
import type { JobEvent, JobView } from "../fabric/index.ts";

/** Moments in a process's life; times are the home's. */
export interface Marks {
  /** The latest of each kind, oldest first. */
  readonly saved: readonly number[];
  readonly sent: readonly number[];
  readonly sentCount: number;
  readonly receivedCount: number;
  readonly savedCount: number;
}

/** How many processes were in which state, at one time. */
export interface Sample {
  readonly atMs: number;
  readonly running: number;
  readonly alive: number;
  readonly hosts: number;
}

export interface TraceRecord {
  readonly marks: ReadonlyMap<number, Marks>;
  readonly samples: readonly Sample[];
}

const NO_MARKS: Marks = { saved: [], sent: [], sentCount: 0, receivedCount: 0, savedCount: 0 };
const MARKS_MAX = 60;
/** When there are more samples, every other goes: a long job has fewer a second. */
const SAMPLES_MAX = 600;

export class Trace implements TraceRecord {
  readonly marks = new Map<number, Marks>();
  samples: readonly Sample[] = [];
  #everyMs = 100;

  happened(event: JobEvent, atMs: number): void {
    if (event.type === "saved")
      this.#change(event.pid, (m) => ({ ...m, saved: latest(m.saved, atMs), savedCount: m.savedCount + 1 }));
    if (event.type === "sent") {
      this.#change(event.pid, (m) => ({ ...m, sent: latest(m.sent, atMs), sentCount: m.sentCount + 1 }));
      this.#change(event.to, (m) => ({ ...m, receivedCount: m.receivedCount + 1 }));
    }
  }

  look(job: JobView, nowMs: number): void {
    const last = this.samples.at(-1);
    if (last && nowMs - last.atMs < this.#everyMs && job.endedMs === undefined) return;
    let running = 0;
    let alive = 0;
    const hosts = new Set<string>();
    for (const p of job.processes) {
      if (p.state === "ended") continue;
      alive++;
      if (p.state === "running") {
        running++;
        hosts.add(p.hostName);
      }
    }
    this.samples = [...this.samples, { atMs: nowMs, running, alive, hosts: hosts.size }];
    if (this.samples.length <= SAMPLES_MAX) return;
    this.samples = this.samples.filter((_, n) => n % 2 === 0);
    this.#everyMs *= 2;
  }

  #change(pid: number, change: (before: Marks) => Marks): void {
    this.marks.set(pid, change(this.marks.get(pid) ?? NO_MARKS));
  }
}

/** In place of a copy per message: a process may send thousands. */
function latest(times: readonly number[], atMs: number): readonly number[] {
  const last = times.at(-1);
  if (last !== undefined && atMs - last < 20) return times; // nobody could tell them apart
  return [...times.slice(-MARKS_MAX + 1), atMs];
}
