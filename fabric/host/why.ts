/** Why a job, or one of its processes, does not run: in words, from what its home reports. Pure. */
import { goesAnywhere, isByName, isMeant, neededBytes } from "../home/placement.ts";
import type { HostReport, JobReport, ProcessReport } from "../wire/control.ts";

/** Sentences, the most telling first. Undefined: the job has no such process. */
export function whyProcess(job: JobReport, pid: number): string[] | undefined {
  const process = job.processes.find((p) => p.pid === pid);
  return process && sentencesOf(job, process);
}

/** The same of the whole job. */
export function whyJob(job: JobReport): string[] {
  if (job.endedMs !== undefined)
    return [`The job has ended ${endOf(job)}, ${span(job.nowMs - job.endedMs)} ago.`];
  const alive = job.processes.filter((p) => p.state !== "ended");
  const inState = (state: ProcessReport["state"]) => alive.filter((p) => p.state === state);
  const running = inState("running");
  const unplaced = inState("unplaced");
  const sentences: string[] = [];
  if (running.length > 0) sentences.push(`${named(running)} ${running.length === 1 ? "runs" : "run"}.`);
  else if (unplaced.length === 0) sentences.push("Nothing runs: every process waits for something.");
  for (const [detail, waiting] of groups(inState("blocked"), (p) => p.detail))
    sentences.push(`${named(waiting)}${waiting.length === 1 ? "" : ": each"} ${detail}.`);
  for (const [detail, moving] of groups(inState("moving"), (p) => p.detail))
    sentences.push(`${named(moving)}: ${detail}.`);
  if (inState("stopped").length > 0)
    sentences.push(`${named(inState("stopped"))} stopped by a signal, until SIGCONT.`);
  if (unplaced.length > 0) {
    sentences.push(`${named(unplaced)} ${unplaced.length === 1 ? "has" : "have"} no host.`);
    for (const [, alike] of groups(unplaced, (p) => p.on)) {
      const [one] = alike;
      if (one) sentences.push(...whyUnplaced(job, one));
    }
  }
  return sentences;
}

function sentencesOf(job: JobReport, p: ProcessReport): string[] {
  const stay = p.stays.at(-1);
  switch (p.state) {
    case "ended":
      return [
        `It has ended ${endOf(p)}${p.endedMs === undefined ? "" : `, ${span(job.nowMs - p.endedMs)} ago`}.`,
      ];
    case "running":
      return [
        `It runs on ${p.hostName}, since ${span(job.nowMs - (stay?.placedMs ?? p.bornMs))}; ${span(p.cpuMs)} of CPU so far.`,
        ...whySlow(job, p),
      ];
    case "moving":
      return [`It is between hosts: ${p.detail}.`];
    case "stopped":
      return ["A signal has stopped it; SIGCONT lets it go on."];
    case "blocked":
      return [`It ${p.detail}.`, ...whyBlocked(job, p)];
    case "unplaced":
      return [
        `No host has it${stay ? `; it was on ${stay.hostName} (${stay.why})` : ""}.`,
        ...whyUnplaced(job, p),
      ];
  }
}

/** Running, but one of many that share a worker. */
function whySlow(job: JobReport, p: ProcessReport): string[] {
  const host = job.hosts.find((h) => h.id === p.host);
  const here = job.processes.filter((q) => q.state === "running" && q.host === p.host).length;
  return host && here > host.slots && host.slots > 0
    ? [
        `It shares that host: ${count(here, "process", "processes")} on ${count(host.slots, "worker", "workers")}.`,
      ]
    : [];
}

function whyBlocked(job: JobReport, p: ProcessReport): string[] {
  const children = job.processes.filter((q) => q.ppid === p.pid && q.state !== "ended");
  if (p.detail.includes("to end") && children.length > 0)
    return [
      `Its children: ${children
        .slice(0, 8)
        .map((c) => `${c.pid} ${c.state}`)
        .join(", ")}${children.length > 8 ? " …" : ""}.`,
    ];
  if (p.detail.includes("line of input"))
    return ["Type one where the job was launched, or with `roost attach`."];
  return [];
}

/** What stands between a process that is nowhere and each host. */
function whyUnplaced(job: JobReport, p: ProcessReport): string[] {
  if (job.hosts.length === 0) return ["No host is linked to the job."];
  const isGone = isByName(p.on) && !job.hosts.some(({ id }) => id === p.on);
  const anywhere = goesAnywhere(p, isGone);
  const allowed = job.hosts.filter((h) => anywhere || isMeant(p.on, h));
  const wish =
    p.on === "remote"
      ? ['It is to run on another host than its launcher\'s (`on: "remote"`).']
      : p.on === "any" || anywhere
        ? []
        : p.on === "local"
          ? ['It is to run on its launcher\'s host (`on: "local"`).']
          : [`It is to run on host ${p.on}.`];
  if (allowed.length === 0) return [...wish, "No such host is linked to the job; `roost donate` adds one."];
  const closed = allowed.filter((h) => h.slots === 0);
  const open = allowed.filter((h) => h.slots > 0);
  const needed = neededBytes(job.memoryBytesMax, p.memoryBytes);
  const large = open.filter((h) => h.memoryBytes >= needed);
  const used = (h: HostReport) =>
    job.processes.reduce((sum, q) => sum + (q.host === h.id && q.state !== "ended" ? q.memoryBytes : 0), 0);
  const left = (h: HostReport) => h.memoryBytes - used(h);
  const roomy = large.filter((h) => left(h) >= p.memoryBytes);
  if (roomy.length > 0) return [...wish, `A host takes it in a moment: ${names(roomy)}.`];
  return [
    ...wish,
    ...(large.length > 0 ? [whyNoRoom(p, large, left)] : []),
    ...(large.length === 0 && open.length > 0 ? [whyTooSmall(p, needed, open)] : []),
    ...(closed.length > 0 ? [`${whyClosed(closed)}.`] : []),
  ];
}

/** `It has 70 MiB of memory, and no host that takes something gives so much: 64 MiB (anna), 32 MiB (ben)`. */
function whyTooSmall(p: ProcessReport, neededBytes: number, hosts: readonly HostReport[]): string {
  const needed = Math.ceil(neededBytes / MIB);
  const has =
    p.memoryBytes >= neededBytes
      ? `It has ${needed} MiB of memory`
      : `Its job asks for ${needed} MiB of memory for each process`;
  const given = offers(hosts, (h) => h.memoryBytes);
  return `${has}, and no host that takes something gives so much: ${given}; \`roost donate --memory ${needed}\` adds one.`;
}

/** `It has 70 MiB of memory, and others of its job leave less of what hosts give: 40 MiB (anna)`. */
function whyNoRoom(
  { memoryBytes }: ProcessReport,
  hosts: readonly HostReport[],
  left: (host: HostReport) => number,
): string {
  const has = Math.ceil(memoryBytes / MIB);
  return `It has ${has} MiB of memory, and others of its job leave less of what hosts give: ${offers(hosts, left)}; it waits until one of them ends or moves, and \`roost donate\` adds a host.`;
}

const offers = (hosts: readonly HostReport[], bytes: (host: HostReport) => number): string =>
  [...groups(hosts, (h) => `${Math.floor(Math.max(bytes(h), 0) / MIB)} MiB`)]
    .map(([offer, alike]) => `${offer} (${names(alike)})`)
    .join(", ");

const MIB = 2 ** 20;

/** `3 hosts take nothing: 2 on battery (a, b), 1 paused by its owner (c)`. */
function whyClosed(hosts: readonly HostReport[]): string {
  const reasons = [...groups(hosts, (h) => h.reason || "no reason given")].map(
    ([reason, alike]) => `${hosts.length === 1 ? "" : `${alike.length} `}${reason} (${names(alike)})`,
  );
  return `${count(hosts.length, "host takes", "hosts take")} nothing: ${reasons.join(", ")}`;
}

function groups<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>();
  for (const item of items) found.set(key(item), [...(found.get(key(item)) ?? []), item]);
  return found;
}

const endOf = ({ status, signal }: { status: number | undefined; signal: string | undefined }) =>
  signal ? `by ${signal}` : `with status ${status ?? 0}`;
const count = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;
const named = (processes: readonly ProcessReport[]) =>
  `${processes.length === 1 ? "Process" : "Processes"} ${some(processes.map((p) => String(p.pid)))}`;
const names = (hosts: readonly HostReport[]) => some(hosts.map((h) => h.name));
const some = (words: readonly string[]) =>
  words.length > 8 ? `${words.slice(0, 7).join(", ")} and ${words.length - 7} more` : words.join(", ");

/** `0.4 s`, `12 s`, `3 min`, `2 h`. */
function span(ms: number): string {
  if (ms < 9_950) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  if (ms < 99_500) return `${Math.round(ms / 1000)} s`;
  return ms < 5_940_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}
