/**
 * Keeps a job in a store while it runs, so that it goes on after its home's end. What is written is one moment of the job:
 * the images, file contents and output it refers to first (they have names of their own and never change), then the job in one
 * piece; then what it no longer refers to is deleted. A home that dies in between leaves the moment before.
 */
import { RoostError } from "../base/errors.ts";
import { type ImageId, imageId, type JobId } from "../base/ids.ts";
import type { Clock, Store } from "../base/ports.ts";
import { Job, type JobOptions } from "./job.ts";
import { KeptOutput, type OutputPart, within } from "./kept-output.ts";
import type { Output } from "./output-log.ts";
import { decodeOutput, decodeSavedJob, encodeOutput, encodeSavedJob, type JobAtRest } from "./saved-job.ts";

/** Between two moments that are kept, unless somebody waits for one. */
const EVERY_MS = 250;
/** After a failure, which is most often a store that is full; twice as long after each further one. */
const RETRY_MS = { first: 4_000, most: 60_000 };
/** Written at once: a store in a browser takes a few milliseconds for each time it is asked, and so for a mebibyte. */
const BATCH_BYTES = 1 << 20;
/** While a process is between two hosts, keeping waits, looking again this often; and no longer than EVERY_MS. */
const LOOK_MS = 10;
/** Keeping takes at most one part in this many of the home's time. */
const SHARE = 10;

/** All keys of a job begin so. */
export const prefix = (job: JobId) => `job/${job}/`;
const bodyOf = (job: JobId) => `${prefix(job)}body`;
const imageOf = (job: JobId, image: ImageId) => `${prefix(job)}image/${image}`;
const contentOf = (job: JobId, revision: number) => `${prefix(job)}content/${revision}`;
const outputOf = (job: JobId, { begin, end }: OutputPart) => `${prefix(job)}output/${begin}-${end}`;

interface KeepOptions {
  /** It is there until `drop`; else until the job ends. */
  readonly keepEnded?: boolean | undefined;
  /** Why it cannot be kept; undefined: it is again. */
  readonly onKept?: ((trouble: string | undefined) => void) | undefined;
}

/**
 * A job that is kept in the store until it ends. It is to be given no host before it was `kept` once: what the store has is then
 * never older than what a host was told, and a home that is revived numbers its epochs above its own.
 */
export function keptJob(
  store: Store,
  options: Omit<JobOptions, "onProgress" | "whenKept">,
  how: KeepOptions = {},
): { readonly job: Job; readonly keeper: JobKeeper; readonly kept: Promise<void> } {
  const { spec, disk, clock, log } = options;
  let keeper: JobKeeper | undefined;
  const outlivesHome = disk.contents === undefined;
  const job = new Job({
    ...options,
    onProgress: () => keeper?.progress(),
    whenKept: spec.durable && outlivesHome ? async () => keeper?.keep() : undefined,
  });
  keeper = new JobKeeper(store, job, clock, log, how);
  return { job, keeper, kept: keeper.begin() };
}

export class JobKeeper {
  readonly #store: Store;
  readonly #job: Job;
  readonly #clock: Clock;
  readonly #log: (sentence: string) => void;
  readonly #onKept: (trouble: string | undefined) => void;
  /** Keys of images, contents and output that the store has. */
  #kept = new Set<string>();
  readonly #output = new KeptOutput();
  /** From a plan to keep it until that is done. */
  #planned = false;
  /** Whether the job has gone on since it was kept last. */
  #isBehind = false;
  #running: Promise<void> = Promise.resolve();
  #over = false;
  #waitMs = EVERY_MS;
  /** Why it could not be kept, as it was said last. */
  #said = "";

  constructor(
    store: Store,
    job: Job,
    clock: Clock,
    log: (sentence: string) => void,
    { keepEnded = false, onKept = () => {} }: KeepOptions = {},
  ) {
    this.#store = store;
    this.#job = job;
    this.#clock = clock;
    this.#log = log;
    this.#onKept = onKept;
    job.ended
      .then(() => {
        this.#over = true;
        if (!keepEnded) return this.drop();
      })
      .catch((error) => log(`what was kept of the job that has ended stays there: ${String(error)}`));
  }

  /** Resolves when it was kept once, or could not be. */
  begin(): Promise<void> {
    return this.keep().catch((error) => this.#failed(error));
  }

  /** The job has gone on: it is kept again before long. */
  progress(): void {
    this.#isBehind = true;
    if (this.#planned || this.#over) return;
    this.#planned = true;
    this.#clock.after(this.#waitMs, () => this.#keepWhenStill(this.#clock.monotonic() + EVERY_MS));
  }

  #keepWhenStill(atLastMs: number): void {
    if (this.#job.moves && this.#clock.monotonic() < atLastMs) {
      this.#clock.after(LOOK_MS, () => this.#keepWhenStill(atLastMs));
      return;
    }
    this.keep()
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#planned = false;
        if (this.#isBehind) this.progress();
      });
  }

  #failed(error: unknown): void {
    this.#isBehind = true;
    this.#waitMs = Math.min(Math.max(2 * this.#waitMs, RETRY_MS.first), RETRY_MS.most);
    if (this.#said === String(error)) return;
    this.#said = String(error);
    this.#log(
      `the job is not kept, and would end with this home, until that is possible again: ${this.#said}`,
    );
    this.#onKept(error instanceof Error ? error.message : this.#said);
  }

  /** Resolves when the job as it is now, or was later, is in the store. */
  keep(): Promise<void> {
    const next = this.#running.catch(() => {}).then(() => this.#write());
    this.#running = next;
    return next;
  }

  async #write(): Promise<void> {
    this.#isBehind = false;
    if (this.#over) return;
    const began = this.#clock.monotonic();
    const { job, images, contents } = this.#job.atRest();
    const { id } = this.#job;
    // All of one moment, before anything is waited for.
    const { parts: outputParts, last } = this.#output.cut(job.output);
    const body = encodeSavedJob({ ...job, output: [...last] }, outputParts);
    const parts = new Map<string, Uint8Array>();
    for (const part of outputParts) {
      const key = outputOf(id, part);
      parts.set(key, this.#kept.has(key) ? NOT_AGAIN : encodeOutput(within(job.output, part)));
    }
    for (const [image, bytes] of images) parts.set(imageOf(id, image), bytes);
    for (const [revision, bytes] of contents) {
      const key = contentOf(id, revision);
      parts.set(key, this.#kept.has(key) ? bytes : bytes.slice());
    }
    const fresh = [...parts].filter(([key]) => !this.#kept.has(key));
    for (const batch of batches([...fresh, [bodyOf(id), body]])) {
      await this.#store.setAll(batch);
      for (const [key] of batch) if (parts.has(key)) this.#kept.add(key);
    }
    const old = [...this.#kept].filter((key) => !parts.has(key));
    if (old.length > 0) await this.#store.deleteAll(old);
    for (const key of old) this.#kept.delete(key);
    if (this.#said) this.#onKept(undefined);
    this.#said = "";
    this.#waitMs = Math.max(EVERY_MS, SHARE * (this.#clock.monotonic() - began));
  }

  /** The store forgets the job. */
  async drop(): Promise<void> {
    this.#over = true;
    await this.#running.catch(() => {});
    await forgetJob(this.#store, this.#job.id);
  }
}

/** For what the store has. */
const NOT_AGAIN = new Uint8Array(0);

type Entry = readonly [key: string, value: Uint8Array];

function batches(entries: readonly Entry[]): Entry[][] {
  const all: Entry[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    bytes += entry[1].length;
    if (bytes > BATCH_BYTES) {
      all.push([]);
      bytes = entry[1].length;
    }
    all.at(-1)?.push(entry);
  }
  return all;
}

/** Deletes what a store has of a job. */
export async function forgetJob(store: Store, job: JobId): Promise<void> {
  await store.deleteAll([bodyOf(job)]); // first: what is left without it is nobody's
  await store.deleteAll(await store.keys(prefix(job)));
}

/** The jobs that a store has. */
export async function keptJobs(store: Store): Promise<JobId[]> {
  const keys = await store.keys("job/");
  return keys
    .filter((key) => key.endsWith("/body"))
    .map((key) => key.slice("job/".length, -"/body".length) as JobId);
}

/** Undefined: the store does not have it. Throws RoostError where what it has cannot be read. */
export async function readKeptJob(store: Store, id: JobId): Promise<JobAtRest | undefined> {
  const body = await store.get<Uint8Array>(bodyOf(id));
  if (!body) return undefined;
  const { job, outputParts } = decodeSavedJob(body);
  const part = async (key: string) => {
    const bytes = await store.get<Uint8Array>(key);
    if (!bytes) throw new RoostError("EINVAL", `a part of the kept job is missing (${key}); it cannot go on`);
    return bytes;
  };
  const images = new Map<ImageId, Uint8Array>();
  for (const { snapshot } of job.home.processes)
    for (const name of snapshot?.chain ?? []) {
      const image = imageId(name);
      if (!images.has(image)) images.set(image, await part(imageOf(id, image)));
    }
  const contents = new Map<number, Uint8Array>();
  for (const { path, revision } of job.disk ?? [])
    if (!path.endsWith("/")) contents.set(revision, await part(contentOf(id, revision)));
  const output: Output[][] = [];
  for (const range of outputParts) output.push(decodeOutput(await part(outputOf(id, range))));
  return { job: { ...job, output: [...output.flat(), ...job.output] }, images, contents };
}
