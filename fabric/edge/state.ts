/**
 * The user's own record of the jobs whose homes run on this machine: for each a file that says where its home listens and
 * what its address is, and for a detached one that has ended, a file with what it wrote. Nobody else may read them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import envPaths from "env-paths";
import { type NodeStore, nodeStore } from "../io/node-store.ts";
import { writeWhole } from "../io/whole-file.ts";

export interface JobRecord {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  readonly args: readonly string[];
  /** The home's process on this machine. */
  readonly osPid: number;
  readonly startedMs: number;
  /** Where the home listens: a socket's path, or a pipe's name. */
  readonly socket: string;
  /** The job's secret, and its address at the relay. */
  readonly secret: string;
  readonly address: string;
  /** Undefined: the job knows no relay. */
  readonly relay?: string | undefined;
  readonly detached: boolean;
  /** Of a detached job: how its home was started, to start another when that has died. */
  readonly launch?: { readonly directory: string; readonly local?: number | undefined } | undefined;
}

/** Letters of an id that are shown: 40 bits, so that nobody meets two alike. */
export const SHOWN = 8;
/** Unix sockets have short names: 104 bytes on macOS, with the zero. */
const SOCKET_BYTES = 103;

/** `ROOST_STATE`, or where this system keeps such things for the user. */
const directory = () => join(process.env.ROOST_STATE || envPaths("roost", { suffix: "" }).log, "jobs");
const recordFile = (id: string) => join(directory(), `${id}.json`);
const endedFile = (id: string) => join(directory(), `${id}.ended`);
export const homeFile = (id: string, n: number) => join(directory(), `${id}.home.${n}`);

export function socketFor(id: string): string {
  if (process.platform === "win32") return `\\\\.\\pipe\\roost-${id}`;
  const path = join(directory(), `${id.slice(0, SHOWN)}.sock`);
  return Buffer.byteLength(path) <= SOCKET_BYTES ? path : join(tmpdir(), `roost-${id}.sock`);
}

/** Where detached jobs are kept while they run, so that they outlive their homes. */
export const keptJobsStore = (): NodeStore => nodeStore(join(directory(), "kept"));

/** Makes the directory, if need be. */
export async function prepareState(): Promise<void> {
  await mkdir(directory(), { recursive: true, mode: 0o700 });
}

export async function writeRecord(record: JobRecord): Promise<void> {
  await write(recordFile(record.id), JSON.stringify(record));
}

/** What is left of a detached job, for those who come later. */
export async function writeEnded(id: string, recording: Uint8Array): Promise<void> {
  await write(endedFile(id), recording);
}

export async function removeRecord({ id, socket }: Pick<JobRecord, "id" | "socket">): Promise<void> {
  const homes = homesOf(id).map((n) => homeFile(id, n));
  const files = [recordFile(id), endedFile(id), ...homes, ...(process.platform === "win32" ? [] : [socket])];
  await Promise.all(files.map((file) => rm(file, { force: true })));
}

/** Undefined while the job runs. */
export async function readEnded(id: string): Promise<Uint8Array | undefined> {
  return readFile(endedFile(id)).catch(() => undefined);
}

/** Undefined while the job runs. */
export async function endedMs(id: string): Promise<number | undefined> {
  return stat(endedFile(id)).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
}

/** All that are known, the oldest first; a file that is no record is passed over. */
export function readRecords(): JobRecord[] {
  return names()
    .filter((name) => name.endsWith(".json"))
    .map((name): JobRecord | undefined => {
      try {
        const record = JSON.parse(readFileSync(join(directory(), name), "utf8")) as JobRecord;
        return record.version === 1 && `${record.id}.json` === name ? record : undefined;
      } catch {
        return undefined; // it ended in this moment, or is no record
      }
    })
    .filter((record) => record !== undefined)
    .toSorted((a, b) => a.startedMs - b.startedMs);
}

/** Of a job's homes, ascending (see claim.ts). */
export function homesOf(id: string): number[] {
  return names()
    .filter((name) => name.startsWith(`${id}.home.`))
    .map((name) => Number(name.slice(`${id}.home.`.length)))
    .filter(Number.isInteger)
    .toSorted((a, b) => a - b);
}

function names(): string[] {
  try {
    return readdirSync(directory());
  } catch {
    return []; // there has been no job yet
  }
}

const write = (file: string, content: string | Uint8Array) =>
  writeWhole(file, content, { draft: `${file}.${process.pid}` });
