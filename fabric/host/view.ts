/**
 * What people see of a participant and its jobs: plain, immutable data, made from the states when asked. What is the
 * same as when it was last asked for is the same object, down to each process and each of its stays: whoever shows it
 * need look only at what is another.
 */
import type { HostId, JobId } from "../base/ids.ts";
import { EPOCHS_OF_A_LIFE } from "../home/saved.ts";
import type { HostRecord, Pending, Process, StayRecord } from "../home/state.ts";
import type { JobReport } from "../wire/control.ts";
import type { HostDaemon } from "./host-daemon.ts";
import type { Job } from "./job.ts";

export interface ProcessView {
  readonly pid: number;
  readonly ppid: number;
  /** `unplaced`: no host runs it now. `moving`: frozen, between hosts. `blocked`: waits for something (`detail` says what). */
  readonly state: "running" | "blocked" | "moving" | "unplaced" | "stopped" | "ended";
  readonly detail: string;
  /** Where it may run: `any`, `remote`, `local`, or a host's id. */
  readonly on: string;
  readonly host: HostId | undefined;
  readonly hostName: string;
  /** Grows each time it is placed; `movesOf` counts. */
  readonly epoch: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly bornMs: number;
  readonly endedMs: number | undefined;
  readonly status: number | undefined;
  readonly signal: string | undefined;
  /** Oldest first. */
  readonly stays: readonly Readonly<StayRecord>[];
}

export interface JobHostView {
  readonly id: HostId;
  readonly name: string;
  readonly platform: string;
  /** The launcher's own. */
  readonly local: boolean;
  readonly slots: number;
  /** What it gives to the processes of this job together. */
  readonly memoryBytes: number;
  /** Why it takes nothing; empty when it does. */
  readonly reason: string;
}

export interface JobView {
  readonly id: JobId;
  readonly name: string;
  readonly args: readonly string[];
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** Linear memory of each process. */
  readonly memoryBytesMax: number;
  /** Of the first process, once it has ended. */
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly processes: readonly ProcessView[];
  readonly hosts: readonly JobHostView[];
}

export interface DonorView {
  /** `leaving`: reclaimed, and the guests are on their way out. */
  readonly state: "off" | "starting" | "donating" | "leaving";
  /** Why nothing is taken, or what it waits for, in words. */
  readonly reason: string;
  readonly workers: number;
  /** Whether others' work stands still here. */
  readonly held: boolean;
  readonly guests: readonly {
    readonly job: JobId;
    readonly jobName: string;
    /** Whose it is. */
    readonly home: HostId | undefined;
    readonly homeName: string;
    readonly pid: number;
    readonly leaving: boolean;
    readonly own: boolean;
    readonly hereMs: number;
    readonly cpuMs: number;
    readonly memoryBytes: number;
  }[];
  /** To others, since this participant began: how many processes it took in, and what they have computed here. */
  readonly given: { readonly hosted: number; readonly cpuMs: number };
  /** Newest last. */
}

export function viewOfJob(job: Job): JobView {
  const { spec, processes, hosts } = job.state;
  const first = processes.values().next().value;
  return latest(job, {
    id: spec.id,
    name: spec.name,
    args: spec.args,
    startedMs: job.startedMs,
    endedMs: job.endedMs,
    memoryBytesMax: spec.memoryBytesMax,
    status: first?.end?.status,
    signal: first?.end?.signal,
    processes: latest(processes, Array.from(processes.values(), viewOfProcess)),
    hosts: latest(hosts, Array.from(hosts.values(), viewOfHost)),
  });
}

/** By what was looked at: how it looked. */
const views = new WeakMap<object, object>();

/** `view`, or the one before of the same thing, if that says the same. */
function latest<T extends object>(of: object, view: T): T {
  const before = views.get(of) as T | undefined;
  if (before && alike(before, view)) return before;
  views.set(of, view);
  return view;
}

function alike<T extends object>(a: T, b: T): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, n) => item === b[n]);
  for (const key in b) if (a[key] !== b[key]) return false;
  return true;
}

/** How often a process has come to another host. Each life of its home begins its epochs at another million. */
export const movesOf = ({ epoch }: { readonly epoch: number }): number =>
  Math.max(0, (epoch % EPOCHS_OF_A_LIFE) - 1);

/** A job as it is told to those elsewhere. */
export function reportOf(job: Job, nowMs: number): JobReport {
  return { ...viewOfJob(job), nowMs };
}

const viewOfHost = (host: HostRecord): JobHostView => {
  const { id, name, platform, local, memoryBytes, isMute } = host;
  const slots = isMute ? 0 : host.slots;
  const reason = isMute ? "it does not answer" : host.reason;
  return latest(host, { id, name, platform, local, slots, memoryBytes, reason });
};

function viewOfProcess(p: Process): ProcessView {
  const stay = p.stays.at(-1);
  const here = p.where.kind === "at";
  return latest(p, {
    pid: p.pid,
    ppid: p.ppid,
    ...stateOf(p, stay),
    on: p.on,
    host: p.where.kind === "at" ? p.where.host : undefined,
    hostName: here ? (stay?.hostName ?? "") : "",
    epoch: p.epoch,
    cpuMs: p.cpuMs,
    memoryBytes: p.memoryBytes,
    bornMs: p.bornMs,
    endedMs: p.endedMs,
    status: p.end?.status,
    signal: p.end?.signal,
    stays: viewOfStays(p.stays),
  });
}

/** Only the last of them changes, and one is dropped only when another comes. */
function viewOfStays(stays: readonly StayRecord[]): ProcessView["stays"] {
  const before = views.get(stays) as ProcessView["stays"] | undefined;
  const last = stays.at(-1);
  if (before && last && before.length === stays.length && before.at(-1) === viewOfStay(last)) return before;
  return latest(stays, stays.map(viewOfStay));
}

function viewOfStay(stay: StayRecord): Readonly<StayRecord> {
  const before = views.get(stay) as StayRecord | undefined;
  return before?.leftMs === undefined ? latest(stay, { ...stay }) : before;
}

const WAITING_FOR = {
  wait: "waits for a child to end",
  letter: "waits for a message",
  meeting: "waits for the other members of its group",
  tuple: "waits for a tuple",
  sleep: "sleeps",
  line: "waits for a line of input",
  file: "waits for a file",
  move: "is about to move",
} as const;

function waitsFor(pending: Pending): string {
  if (pending.for === "letter" && pending.which.from !== -1)
    return `${WAITING_FOR.letter} from process ${pending.which.from}`;
  if (pending.for === "wait" && pending.child !== -1) return `waits for process ${pending.child} to end`;
  return WAITING_FOR[pending.for];
}

function stateOf(p: Process, stay: StayRecord | undefined): Pick<ProcessView, "state" | "detail"> {
  if (p.end) {
    const detail = p.end.signal ? `ended by ${p.end.signal}` : `ended with status ${p.end.status}`;
    return { state: "ended", detail };
  }
  if (p.where.kind !== "at")
    return p.where.kind === "nowhere" && p.where.goal
      ? { state: "moving", detail: `on its way to ${p.where.goal.hostName}` }
      : { state: "unplaced", detail: `no host takes it (${p.where.kind === "nowhere" ? p.where.why : ""})` };
  if (p.where.recalledTo) return { state: "moving", detail: "was called back, to move elsewhere" };
  if (p.paused) return { state: "stopped", detail: "stopped by a signal" }; // its host will not say that it runs
  if (stay && stay.runningMs === undefined && !p.pending)
    return { state: "moving", detail: `on its way to ${stay.hostName}` };
  if (p.pending) return { state: "blocked", detail: waitsFor(p.pending) };
  const full = p.undelivered
    .find(({ to }) => to.size > 0)
    ?.to.values()
    .next().value;
  if (full !== undefined)
    return { state: "blocked", detail: `waits for room in the mailbox of process ${full}` };
  return { state: "running", detail: "runs" };
}

export function viewOfDonor(daemon: HostDaemon, workers: number, nowMonotonicMs: number): DonorView {
  const { state } = daemon;
  return {
    state: state.reclaim ? "leaving" : state.terms.taking ? "donating" : "off",
    reason: state.terms.reason,
    held: state.terms.held,
    workers,
    guests: Array.from(state.guests.values(), (g) => ({
      job: g.job,
      jobName: g.jobName,
      home: state.homes.get(g.home)?.host,
      homeName: state.homes.get(g.home)?.name ?? "",
      pid: g.pid,
      leaving: g.departure !== undefined,
      own: state.homes.get(g.home)?.own ?? false,
      hereMs: nowMonotonicMs - g.sinceMs,
      cpuMs: g.cpuMs,
      memoryBytes: g.memoryBytes,
    })),
    given: { ...state.given },
  };
}
