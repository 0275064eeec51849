/** Jobs, processes and hosts as tables: what ps, top, hosts and inspect draw. */
import stringWidth from "string-width";
import { treeOf } from "../host/tree.ts";
import { movesOf } from "../host/view.ts";
import type { HostReport, JobReport, ProcessReport } from "../wire/control.ts";
import { out } from "./colors.ts";
import type { Unreached } from "./find.ts";
import { type Column, table, widthOfOutput } from "./table.ts";
import { counted, mib, plain, shortId, span } from "./words.ts";

const PAINT: Record<ProcessReport["state"], (text: string) => string> = {
  running: out.green,
  blocked: (text) => text,
  moving: out.cyan,
  unplaced: out.yellow,
  stopped: out.yellow,
  ended: out.dim,
};

/**
 * `k3x9f2ab  queens.js 10   2 running, 49 alive, 3 hosts, 4.2s`. Where there is no room, the program is said shorter, then
 * less of what it does.
 */
export function jobLine(job: JobReport, width = widthOfOutput()): string {
  const alive = job.processes.filter((p) => p.state !== "ended").length;
  const running = job.processes.filter((p) => p.state === "running").length;
  const age = span(job.nowMs - job.startedMs);
  const all =
    job.endedMs === undefined
      ? [`${running} running`, `${alive} alive`, counted(job.hosts.length, "host"), age]
      : [endOf(job), `after ${span(job.endedMs - job.startedMs)}`];
  const few = job.endedMs === undefined ? [`${running} running`, age] : all;
  const id = shortId(job.id);
  const room = (facts: string) => width - id.length - stringWidth(facts) - 4;
  const [whole, short] = [all.join(", "), few.join(", ")];
  const facts = room(whole) >= PROGRAM_LEAST ? whole : short;
  const program = plain([job.name, ...job.args].join(" "));
  const file = plain([job.name.replace(/^.*[\\/]/, ""), ...job.args].join(" "));
  const said = cut(program.length <= room(facts) ? program : file, Math.max(room(facts), PROGRAM_LEAST));
  return out.bold(id) + cut(`  ${said}  ${facts}`, width - id.length);
}

/** Of a job that cannot be looked at, and why not. */
export function unreachedLine({ record, why: facts }: Unreached, width = widthOfOutput()): string {
  const { id, name, args } = record;
  const short = shortId(id);
  const program = plain([name.replace(/^.*[\\/]/, ""), ...args].join(" "));
  const said = cut(program, Math.max(width - short.length - facts.length - 4, PROGRAM_LEAST));
  return out.bold(short) + cut(`  ${said}  ${out.yellow(facts)}`, width - short.length);
}

/** Of a program's name this much is shown before anything else of its line. */
const PROGRAM_LEAST = 8;

/** Children under their parents, a little to the right. */
export function processTable(
  job: JobReport,
  options: { all: boolean; rows?: number; width?: number },
): string {
  const ordered = treeOf(job.processes.filter((p) => options.all || p.state !== "ended")).map(
    ({ process, depth }) => ({ p: process, depth }),
  );
  const columns: Column<{ p: ProcessReport; depth: number }>[] = [
    { title: "PID", cell: ({ p, depth }) => `${" ".repeat(Math.min(depth, 6))}${p.pid}` },
    { title: "STATE", cell: ({ p }) => PAINT[p.state](p.state) },
    { title: "HOST", cell: ({ p }) => plain(p.hostName), least: 8 },
    { title: "CPU", cell: ({ p }) => span(p.cpuMs), right: true, rank: 5 },
    { title: "MEM", cell: ({ p }) => mib(p.memoryBytes), right: true, rank: 4 },
    { title: "MOVES", cell: ({ p }) => (movesOf(p) > 0 ? String(movesOf(p)) : ""), right: true, rank: 2 },
    { title: "AGE", cell: ({ p }) => span((p.endedMs ?? job.nowMs) - p.bornMs), right: true, rank: 1 },
    { title: "", cell: ({ p }) => out.dim(p.state === "running" ? "" : plain(p.detail)), rank: 3, least: 16 },
  ];
  const rows = ordered.slice(0, options.rows);
  return table(columns, rows, { title: out.dim, ...(options.width ? { width: options.width } : {}) });
}

/** The job's hosts: how many of its processes run on each, and why one takes nothing. */
export function hostTable(job: JobReport, width?: number): string {
  const on = (h: HostReport) => job.processes.filter((p) => p.host === h.id && p.state !== "ended");
  const running = (h: HostReport) => on(h).filter((p) => p.state === "running").length;
  const columns: Column<HostReport>[] = [
    { title: "HOST", cell: (h) => plain(h.name) + (h.local ? out.dim(" (launcher)") : ""), least: 17 },
    { title: "RUNNING", cell: (h) => `${running(h)}/${h.slots}`, right: true },
    { title: "HERE", cell: (h) => String(on(h).length), right: true, rank: 3 },
    {
      title: "TAKES",
      cell: (h) => (h.slots > 0 ? out.green("yes") : out.yellow(`no: ${plain(h.reason)}`)),
      least: 6,
      rank: 5,
    },
    { title: "ON", cell: (h) => out.dim(plain(h.platform)), rank: 1, least: 16 },
    { title: "ID", cell: (h) => out.dim(h.id), rank: 2 },
  ];
  return table(columns, job.hosts, { title: out.dim, ...(width ? { width } : {}) });
}

/** Where a process has been, the oldest first. */
export function stayTable(job: JobReport, p: ProcessReport): string {
  const columns: Column<ProcessReport["stays"][number]>[] = [
    { title: "HOST", cell: (s) => plain(s.hostName), least: 8 },
    { title: "WHY", cell: (s) => plain(s.why), least: 8 },
    { title: "CAME", cell: (s) => `+${span(s.placedMs - job.startedMs)}`, right: true, rank: 4 },
    {
      title: "START",
      cell: (s) => (s.runningMs === undefined ? "" : span(s.runningMs - s.placedMs)),
      right: true,
      rank: 2,
    },
    {
      title: "FROZE",
      cell: (s) => (s.freezeMs === undefined ? "" : span(s.freezeMs)),
      right: true,
      rank: 1,
    },
    {
      title: "STAYED",
      cell: (s) => span((s.leftMs ?? p.endedMs ?? job.nowMs) - s.placedMs),
      right: true,
      rank: 5,
    },
    { title: "CPU", cell: (s) => span(s.cpuMs), right: true, rank: 3 },
    { title: "IMAGE", cell: (s) => mib(s.imageBytes), right: true, rank: 1 },
  ];
  return table(columns, p.stays, { title: out.dim });
}

/** Names and values, one a line; those without a value are left out. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): string {
  const given = pairs.filter(([, value]) => value !== undefined && value !== "");
  return table(
    [
      { title: "", cell: ([name]) => out.dim(name) },
      { title: "", cell: ([, value]) => value ?? "", least: 12 },
    ],
    given,
  )
    .split("\n")
    .slice(1) // the empty titles
    .join("\n");
}

export function endOf({ status, signal }: Pick<JobReport, "status" | "signal">): string {
  if (signal) return out.red(`ended by ${plain(signal)}`);
  return status === 0 ? "ended well" : out.red(`ended with status ${status}`);
}

/** Colours are kept whole. */
function cut(text: string, width: number): string {
  const bare = text.replace(ESCAPES, "");
  return bare.length <= width ? text : `${bare.slice(0, Math.max(0, width - 1))}…`;
}
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");
