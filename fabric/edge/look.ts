/** `roost ps`, `hosts`, `inspect`, `why`: looking, without touching. */
import { RoostError } from "../base/errors.ts";
import { movesOf } from "../host/view.ts";
import { whyJob, whyProcess } from "../host/why.ts";
import type { JobReport } from "../wire/control.ts";
import { out } from "./colors.ts";
import { findJob, homeless, openAll, type Unreached, type Where } from "./find.ts";
import { endOf, facts, hostTable, jobLine, processTable, stayTable, unreachedLine } from "./pictures.ts";
import { readRecords } from "./state.ts";
import { table } from "./table.ts";
import { mib, plain, shortId, span } from "./words.ts";

export interface LookOptions extends Where {
  readonly json?: boolean;
}

export const print = (text: string) => void process.stdout.write(`${text}\n`);
export const printJson = (value: unknown) => print(JSON.stringify(value));

/** A number is a process, anything else names a job. */
export function target(word: string | undefined, where: Where): Where & { readonly pid?: number } {
  if (word === undefined) return where;
  return /^\d+$/.test(word) ? { ...where, pid: Number(word) } : { ...where, job: word };
}

export async function look(where: Where): Promise<JobReport & { address?: string; page?: string }> {
  await using job = await findJob(where);
  const report = await job.look();
  const { address, page } = job;
  return { ...report, ...(address ? { address } : {}), ...(page ? { page } : {}) };
}

export const noProcess = (pid: number | undefined) =>
  new RoostError("ESRCH", `this job has no process ${pid}; \`roost ps --all\` lists them`);

function processOf(job: JobReport, pid: number) {
  const found = job.processes.find((p) => p.pid === pid);
  if (!found) throw noProcess(pid);
  return found;
}

export async function ps(options: LookOptions & { readonly all?: boolean }): Promise<void> {
  const { all = false } = options;
  const one = options.job ?? process.env.ROOST_JOB;
  const { reports, unreached } = one
    ? { reports: [await look(options)], unreached: [] }
    : await lookAtAll(all);
  if (options.json) return printJson([...reports, ...unreached.map(unreachedReport)]);
  if (reports.length + unreached.length === 0)
    return void process.stderr.write(
      `No job of yours runs on this machine.${all ? "" : " `roost ps --all` lists ended ones too."}\n`,
    );
  const pictures = reports.map((job) => {
    const processes = job.endedMs === undefined || options.job ? processTable(job, { all }) : "";
    return [jobLine(job), ...(processes ? [processes] : [])].join("\n");
  });
  pictures.push(...unreached.map((job) => unreachedLine(job)));
  print(pictures.join(pictures.some((picture) => picture.includes("\n")) ? "\n\n" : "\n"));
}

async function lookAtAll(ended: boolean): Promise<{ reports: JobReport[]; unreached: Unreached[] }> {
  const reports: JobReport[] = [];
  const { jobs, unreached } = await openAll(readRecords(), { ended });
  for (const { job } of jobs) {
    reports.push(await job.look());
    await job[Symbol.asyncDispose]();
  }
  const waiting = (await homeless()).map((record) => ({
    record,
    why: `its home has died; \`roost attach ${shortId(record.id)}\` goes on`,
  }));
  return { reports, unreached: [...unreached, ...waiting] };
}

/** What is known of it, in the form of those that can be looked at. */
const unreachedReport = ({ record: { id, name, args, startedMs }, why }: Unreached) => ({
  id,
  name,
  args,
  nowMs: Date.now(),
  startedMs,
  processes: [],
  hosts: [],
  unreached: why,
});

/** Of a job, when one is named; else all that announce themselves at the relay. */
export async function hosts(options: LookOptions): Promise<void> {
  if (options.job || process.env.ROOST_JOB) {
    const job = await look(options);
    if (options.json) return printJson(job.hosts);
    return print(job.hosts.length > 0 ? hostTable(job) : "No host is linked to this job.");
  }
  const { join } = await import("./index.ts");
  await using participant = await join(options.relay);
  const present = participant.hosts;
  if (options.json) return printJson(present);
  if (present.length === 0)
    return void process.stderr.write(
      `No host is at ${options.relay.origin}; \`roost donate\` in a terminal, or Donate in its page, adds one.\n`,
    );
  const columns = [
    { title: "HOST", cell: (h: (typeof present)[number]) => plain(h.name), least: 10 },
    {
      title: "TAKES",
      cell: (h: (typeof present)[number]) => (h.taking ? out.green("yes") : out.yellow("no")),
    },
    { title: "ON", cell: (h: (typeof present)[number]) => out.dim(plain(h.platform)), least: 10, rank: 2 },
    { title: "ID", cell: (h: (typeof present)[number]) => out.dim(h.host), rank: 1 },
  ];
  print(table(columns, present, { title: out.dim }));
}

export async function inspect(options: LookOptions & { readonly pid?: number }): Promise<void> {
  const job = await look(options);
  if (options.pid === undefined) {
    if (options.json) return printJson(job);
    const ended = job.processes.filter((p) => p.state === "ended").length;
    print(
      facts([
        ["job", job.id],
        ["program", plain([job.name, ...job.args].join(" "))],
        ["started", new Date(job.startedMs).toLocaleString()],
        ["state", job.endedMs === undefined ? "running" : endOf(job)],
        [job.endedMs === undefined ? "age" : "took", span((job.endedMs ?? job.nowMs) - job.startedMs)],
        ["processes", `${job.processes.length - ended} alive, ${ended} ended`],
        ["moves", String(job.processes.reduce((sum, p) => sum + movesOf(p), 0))],
        ["CPU", span(job.processes.reduce((sum, p) => sum + p.cpuMs, 0))],
        ["memory", `${Math.floor(job.memoryBytesMax / 2 ** 20)} MiB at most, each`],
        ["address", job.address], // a secret: shown to whoever asks for everything, and nowhere else
        ["page", job.page],
      ]),
    );
    if (job.hosts.length > 0) print(`\n${hostTable(job)}`);
    return;
  }
  const p = processOf(job, options.pid);
  if (options.json) return printJson(p);
  print(
    facts([
      ["process", `${p.pid} of ${plain(job.name)}`],
      ["parent", p.ppid ? String(p.ppid) : ""],
      ["state", p.state === "ended" ? endOf(p) : p.state],
      ["", p.state === "running" || p.state === "ended" ? "" : plain(p.detail)],
      ["host", plain(p.hostName)],
      ["may run on", p.on],
      ["CPU", span(p.cpuMs)],
      ["memory", mib(p.memoryBytes)],
      ["age", span((p.endedMs ?? job.nowMs) - p.bornMs)],
      ["epoch", String(p.epoch)],
    ]),
  );
  if (p.stays.length > 0) print(`\n${stayTable(job, p)}`);
}

export async function why(options: LookOptions & { readonly pid?: number }): Promise<void> {
  const job = await look(options);
  const sentences = options.pid === undefined ? whyJob(job) : whyProcess(job, options.pid);
  if (!sentences) throw noProcess(options.pid);
  if (options.json) printJson({ job: job.id, ...(options.pid ? { pid: options.pid } : {}), why: sentences });
  else print(sentences.map(plain).join("\n"));
}
