/** Answers that homes let this executor give again (home/cached.ts), by job and request. */
import { keyOf } from "../base/codec.ts";
import type { CachedId, JobId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock } from "../base/ports.ts";

interface Kept {
  readonly id: CachedId;
  readonly answer: Uint8Array;
  readonly untilMs: number;
}

export class KeptAnswers {
  readonly #clock: Clock;
  readonly #jobs = new Map<JobId, Map<string, Kept>>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(job: JobId, request: Uint8Array, id: CachedId, answer: Uint8Array): void {
    const kept = this.#jobs.get(job) ?? new Map<string, Kept>();
    const key = keyOf(request);
    this.#bytes -= kept.get(key)?.answer.length ?? 0;
    kept.delete(key);
    if (this.#bytes + answer.length > LIMITS.cachedBytes) return;
    this.#bytes += answer.length;
    kept.set(key, { id, answer, untilMs: this.#clock.monotonic() + LIMITS.cachedMs });
    this.#jobs.set(job, kept);
  }

  find(job: JobId, request: Uint8Array): Kept | undefined {
    const kept = this.#jobs.get(job)?.get(keyOf(request));
    return kept && kept.untilMs > this.#clock.monotonic() ? kept : undefined;
  }

  /** Answers with what was dropped. */
  drop(job: JobId, ids: readonly CachedId[]): Map<CachedId, Uint8Array> {
    const dropped = new Map<CachedId, Uint8Array>();
    const kept = this.#jobs.get(job);
    for (const [key, { id, answer }] of kept ?? []) {
      if (!ids.includes(id)) continue;
      kept?.delete(key);
      this.#bytes -= answer.length;
      dropped.set(id, answer);
    }
    return dropped;
  }

  /** No process of the job is here any more. */
  dropJob(job: JobId): void {
    for (const { answer } of this.#jobs.get(job)?.values() ?? []) this.#bytes -= answer.length;
    this.#jobs.delete(job);
  }
}
