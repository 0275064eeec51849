/** Links a participant's jobs to the hosts that take work, and tries those again that were lost or did not answer. */
import type { HostId } from "../base/ids.ts";
import type { Clock, Link, Presence } from "../base/ports.ts";
import type { Job } from "./job.ts";

/**
 * A host whose link was lost is tried again after the first. One that cannot be reached, or whose link ends sooner than it was
 * waited for, because it refuses, less and less often.
 */
const RETRY_MS = { first: 2_000, most: 60_000 };

/** A job, as far as it is to be linked. */
export type LinkedJob = Pick<Job, "endedMs" | "has" | "addHost">;

interface JobLinksOptions {
  readonly self: HostId;
  readonly clock: Clock;
  readonly log: (sentence: string) => void;
  readonly jobs: () => readonly LinkedJob[];
  readonly peers: () => readonly Presence[];
  /** Whether new links can be made. */
  readonly isOnline: () => boolean;
  readonly connect: (host: HostId) => Promise<Link>;
}

interface Attempt {
  /** Not to be tried before, by the monotonic clock. */
  readonly notBeforeMs: number;
  /** How long the next wait is. */
  readonly waitMs: number;
}

export class JobLinks {
  readonly #options: JobLinksOptions;
  readonly #attempts = new Map<LinkedJob, Map<HostId, Attempt>>();

  constructor(options: JobLinksOptions) {
    this.#options = options;
  }

  /** Links every running job to every host that takes work and is not linked to it. */
  link(): void {
    const { self, jobs, peers, isOnline } = this.#options;
    if (!isOnline()) return;
    const hosts = peers().filter(({ host, taking }) => taking && host !== self);
    for (const job of jobs())
      if (job.endedMs === undefined) for (const { host } of hosts) if (!job.has(host)) this.#try(job, host);
  }

  forget(job: LinkedJob): void {
    this.#attempts.delete(job);
  }

  #try(job: LinkedJob, host: HostId): void {
    const { clock, connect, log } = this.#options;
    const attempts = this.#attempts.get(job) ?? new Map<HostId, Attempt>();
    this.#attempts.set(job, attempts);
    const { notBeforeMs = 0, waitMs = RETRY_MS.first } = attempts.get(host) ?? {};
    if (notBeforeMs > clock.monotonic()) return;
    attempts.set(host, { notBeforeMs: Number.POSITIVE_INFINITY, waitMs });
    let linkedMs = Number.POSITIVE_INFINITY;
    const again = () => {
      if (job.endedMs !== undefined) return;
      const restMs = clock.monotonic() - linkedMs > waitMs ? RETRY_MS.first : waitMs;
      attempts.set(host, {
        notBeforeMs: clock.monotonic() + restMs,
        waitMs: Math.min(2 * restMs, RETRY_MS.most),
      });
      clock.after(restMs + 1, () => this.link());
    };
    connect(host).then(
      (link) => {
        linkedMs = clock.monotonic();
        job.addHost(link, false, again, host);
      },
      (error) => {
        log(`could not link to ${host}: ${error instanceof Error ? error.message : String(error)}`);
        again();
      },
    );
  }
}
