/** From what a person says to the job that is meant: one of this machine, by its id, or one at a relay, by its address. */
import { createConnection } from "node:net";
import { setTimeout } from "node:timers/promises";
import { RoostError } from "../base/errors.ts";
import type { JobId } from "../base/ids.ts";
import { RemoteJob } from "../host/control-client.ts";
import { parseAddress } from "../host/fabric.ts";
import { keptJobs } from "../host/job-keeper.ts";
import { isAlive } from "../io/os-process.ts";
import { socketLink } from "../io/socket-link.ts";
import type { JobReport } from "../wire/control.ts";
import { holderOf } from "./claim.ts";
import { err } from "./colors.ts";
import { forget } from "./forget.ts";
import { type Recorded, replay } from "./recording.ts";
import { type JobRecord, keptJobsStore, readEnded, readRecords, SHOWN } from "./state.ts";

/** What can be asked of a job, whether it runs or has ended. */
export type JobHandle = Pick<
  RemoteJob,
  "look" | "output" | "kill" | "migrate" | "checkpoint" | "attach" | "type" | "onAsk"
> &
  AsyncDisposable & {
    /** Where it can be reached from other machines, if that is known here. */
    readonly address?: string | undefined;
    /** The relay's page, showing it. */
    readonly page?: string | undefined;
  };

export interface Where {
  /** An id or its beginning, or an address; without it, the one job that runs on this machine, or whose home here has died. */
  readonly job?: string | undefined;
  /** Where an address is looked up. */
  readonly relay: URL;
}

/** A home that starts is waited for, or one that ends. */
const HOME_MS = 20_000;
/** Where all jobs are asked, a home that does not answer for so long is told of instead. */
const ANSWER_MS = 3_000;
const LOOK_MS = 50;

/** `HOST.SECRET`, as Fabric.addressOf gives it. */
const isAddress = (text: string) => text.includes(".");

/** Throws RoostError when there is no such job, or more than one. */
export async function findJob(where: Where): Promise<JobHandle> {
  const wanted = where.job ?? process.env.ROOST_JOB;
  if (wanted && isAddress(wanted)) return openAt(where.relay, wanted);
  const records = readRecords();
  if (wanted) {
    const [record, another] = records.filter(({ id }) => id.startsWith(wanted));
    if (!record)
      throw new RoostError(
        "ESRCH",
        `no job ${wanted} is known on this machine; \`roost ps --all\` lists them`,
      );
    if (another)
      throw new RoostError("EINVAL", `more than one job's id begins with ${wanted}; write more of it`);
    const job = await openOrRevive(record);
    if (job) return job;
    throw new RoostError("ESRCH", `the home of job ${wanted} has died, and the job with it`);
  }
  const { jobs: running, unreached } = await openAll(records, { ended: false });
  const waiting = await homeless();
  const [only, ...others] = [...[...running, ...unreached].map(({ record }) => record), ...waiting];
  if (!only)
    throw new RoostError(
      "ESRCH",
      "no job of yours runs on this machine; name one that has ended (`roost ps --all`), or one elsewhere by its address",
    );
  if (others.length === 0) {
    const job = running[0]?.job ?? (await openOrRevive(only));
    if (job) return job;
    throw new RoostError(
      "ESRCH",
      `job ${only.id.slice(0, SHOWN)} has just ended; \`roost ps --all\` lists it`,
    );
  }
  for (const { job } of running) await job[Symbol.asyncDispose]();
  const list = [only, ...others].map(({ id, name }) => `  ${id.slice(0, SHOWN)}  ${name}`).join("\n");
  throw new RoostError("EINVAL", `there is more than one job; say which:\n${list}`);
}

/** A job that is there, and why it cannot be looked at. */
export interface Unreached {
  readonly record: JobRecord;
  readonly why: string;
}

/** Every job of this machine, with `ended` also those that have left a recording. */
export async function openAll(
  records: readonly JobRecord[],
  { ended }: { readonly ended: boolean },
): Promise<{ jobs: { record: JobRecord; job: JobHandle }[]; unreached: Unreached[] }> {
  const jobs: { record: JobRecord; job: JobHandle }[] = [];
  const unreached: Unreached[] = [];
  const opening = records.map((record) => open(record, { ended, answerMs: ANSWER_MS }));
  for (const [n, opened] of (await Promise.allSettled(opening)).entries()) {
    const record = records[n] as JobRecord;
    if (opened.status === "rejected") unreached.push({ record, why: reasonOf(opened.reason) });
    else if (opened.value) jobs.push({ record, job: opened.value });
  }
  return { jobs, unreached };
}

const reasonOf = (error: unknown) =>
  error instanceof RoostError ? error.message.slice(error.code.length + 2) : String(error);

/** Undefined where nothing is left of it; its record is then forgotten. Throws RoostError where it is there and cannot be opened. */
async function open(
  record: JobRecord,
  { ended = true, answerMs = HOME_MS } = {},
): Promise<JobHandle | undefined> {
  const running = await connect(record, answerMs).catch((error) => {
    if (error instanceof RoostError && error.code === "ETIMEDOUT") throw error;
    return undefined;
  });
  if (running) return running;
  const gone = !isAlive(record.osPid) && !(await isKept(record));
  const recording = await readEnded(record.id); // asked last: a home leaves it first of all
  if (recording) return ended ? new EndedJob(recording) : undefined;
  if (gone) await forget(record);
  return undefined;
}

/** Detached jobs whose home has died: they go on when somebody asks for them. */
export async function homeless(): Promise<JobRecord[]> {
  const kept: readonly string[] = await keptJobs(keptJobsStore());
  const jobs: JobRecord[] = [];
  for (const record of readRecords())
    if (kept.includes(record.id) && holderOf(record.id) === undefined && !(await readEnded(record.id)))
      jobs.push(record);
  return jobs;
}

const isKept = async ({ id }: JobRecord) => (await keptJobs(keptJobsStore())).includes(id as JobId);

/**
 * Opens it; and a detached job whose home has died (nobody listens any more) goes on in another, from where it was last
 * kept. Should somebody else just start that, or the home just end, this waits for what comes of it.
 */
async function openOrRevive({ id }: JobRecord): Promise<JobHandle | undefined> {
  const giveUpMs = performance.now() + HOME_MS;
  for (;;) {
    const record = readRecords().find((record) => record.id === id);
    const job = record && (await open(record));
    if (job || !record) return job;
    const home = holderOf(id);
    if (home === undefined && !(await isKept(record))) return open(record); // it may just have ended
    if (performance.now() > giveUpMs)
      throw new RoostError(
        "ETIMEDOUT",
        home === undefined
          ? "the job's home has died, and no other could be started; try again"
          : `the job's home (process ${home}) does not answer`,
      );
    if (home === undefined) await revive(record);
    else await setTimeout(LOOK_MS);
  }
}

/** In vain where somebody else was quicker, whose home runs the job or has done so by now. */
async function revive({ id, launch, relay }: JobRecord): Promise<void> {
  if (!launch) throw new RoostError("EINVAL", "it is not known where the job runs");
  if (process.stderr.isTTY)
    process.stderr.write(`${err.dim("the job's home had died; the job goes on in another")}\n`);
  const { startAgain } = await import("./detach.ts");
  await startAgain(id, launch, relay).catch((error) => {
    if (!(error instanceof RoostError && /EEXIST|ESRCH/.test(error.code))) throw error;
  });
}

/** Throws RoostError ETIMEDOUT where the home is there and does not answer for so long. */
async function connect(
  { socket, secret, address, relay, osPid }: JobRecord,
  answerMs: number,
): Promise<JobHandle> {
  const stream = createConnection(socket);
  const answered = new AbortController();
  const silence = setTimeout(answerMs, undefined, { signal: answered.signal }).then(() => {
    stream.destroy();
    throw new RoostError("ETIMEDOUT", `its home (process ${osPid}) does not answer`);
  });
  const opened = async () => {
    await new Promise<void>((resolve, reject) => stream.once("connect", resolve).once("error", reject));
    return RemoteJob.open(socketLink(stream), secret);
  };
  const job = await Promise.race([opened(), silence]).finally(() => answered.abort());
  return Object.assign(job, {
    ...(relay ? reachedAt(relay, address) : {}),
    [Symbol.asyncDispose]: async () => job[Symbol.dispose](),
  });
}

const reachedAt = (relay: string | URL, address: string) => ({
  address,
  page: new URL(`/#job=${address}`, relay).href,
});

/** A job whose home is at a relay; joining it takes a moment, so it is done for addresses only. */
async function openAt(relay: URL, address: string): Promise<JobHandle> {
  parseAddress(address); // before anybody is asked
  const { join } = await import("./index.ts");
  const participant = await join(relay);
  try {
    const job = await participant.fabric.steer(address);
    return Object.assign(job, {
      ...reachedAt(relay, address),
      [Symbol.asyncDispose]: async () => {
        job[Symbol.dispose]();
        await participant[Symbol.asyncDispose]();
      },
    });
  } catch (error) {
    await participant[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a detached job has left. */
class EndedJob implements JobHandle {
  onAsk = () => {};
  readonly #answers: Recorded[];
  readonly #report: JobReport;
  constructor(recording: Uint8Array) {
    this.#answers = [...replay(recording)];
    const last = this.#answers.at(-1);
    if (last?.type !== "report") throw new RoostError("EIO", "its recording is not whole");
    this.#report = last.job;
  }
  async look(): Promise<JobReport> {
    return { ...this.#report, nowMs: Date.now() };
  }
  async *output() {
    for (const answer of this.#answers) if (answer.type === "output") yield answer;
    return this.look();
  }
  kill = () => this.#over();
  checkpoint = () => this.#over();
  migrate = () => this.#over();
  async attach() {}
  type() {}
  async [Symbol.asyncDispose]() {}
  async #over(): Promise<never> {
    throw new RoostError("ESRCH", "the job has ended");
  }
}
