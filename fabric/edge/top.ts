/** `roost top`: a job, every second. */
import { createLogUpdate } from "log-update";
import { RoostError } from "../base/errors.ts";
import type { JobReport } from "../wire/control.ts";
import { out } from "./colors.ts";
import { findJob } from "./find.ts";
import { type LookOptions, print, printJson } from "./look.ts";
import { hostTable, jobLine, processTable } from "./pictures.ts";

const ORDER = ["running", "moving", "unplaced", "stopped", "blocked", "ended"];

/** Until the job ends, or q, or Ctrl-C. Where stdout is no terminal: JSON lines, or one picture. */
export async function top(options: LookOptions & { readonly every: number }): Promise<void> {
  await using job = await findJob(options);
  if (!options.json && !process.stdout.isTTY)
    return print(picture(await job.look(), Number.POSITIVE_INFINITY));
  const screen = options.json ? undefined : createLogUpdate(process.stdout);
  const stop = stopKeys();
  try {
    for (;;) {
      const report = await job.look().catch((error) => {
        if (stop.asked || error instanceof RoostError) return undefined; // its home has left
        throw error;
      });
      if (!report) break;
      if (screen) screen(picture(report, (process.stdout.rows ?? 24) - 1));
      else printJson(report);
      if (report.endedMs !== undefined || stop.asked) break;
      await Promise.race([stop.when, new Promise((resolve) => setTimeout(resolve, options.every * 1000))]);
      if (stop.asked) break;
    }
  } finally {
    screen?.done();
    stop.close();
  }
}

function picture(job: JobReport, rows: number): string {
  const hosts = hostTable(job);
  const processes = job.processes
    .filter((p) => p.state !== "ended")
    .toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.cpuMs - a.cpuMs)
    .map((p) => ({ ...p, ppid: 0 })); // by what they do, not by whose they are
  const head = [jobLine(job), "", ...hosts.split("\n").slice(0, Math.max(2, rows / 2)), ""];
  const room = rows - head.length - 2;
  const more = processes.length - room;
  const table = processTable({ ...job, processes }, { all: true, rows: Math.max(1, room) });
  return [...head, table, ...(more > 0 ? [out.dim(`… ${more} more`)] : [])].join("\n");
}

function stopKeys() {
  let resolve = () => {};
  const when = new Promise<void>((done) => {
    resolve = done;
  });
  const keys = { asked: false, when, close: () => {} };
  const stop = () => {
    keys.asked = true;
    resolve();
  };
  const { stdin } = process;
  const key = (data: Buffer) => {
    if (["q", "\u0003", "\u0004", "\u001b"].includes(data.toString())) stop();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  if (stdin.isTTY && process.stdout.isTTY) stdin.setRawMode(true).on("data", key).resume();
  keys.close = () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    if (stdin.isTTY && process.stdout.isTTY) stdin.setRawMode(false).off("data", key).pause();
  };
  return keys;
}
