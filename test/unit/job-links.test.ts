/** When a participant's jobs are linked to hosts, and when again. */
import { expect, test } from "vitest";
import { hostId } from "../../fabric/base/ids.ts";
import type { Link } from "../../fabric/base/ports.ts";
import { JobLinks, type LinkedJob } from "../../fabric/host/job-links.ts";

const SELF = hostId("self");
const HOST = hostId("host");
const HOUR_MS = 3_600_000;

/** A job and a host; `linked` says for how long each link holds. */
class Bench {
  nowMs = 0;
  online = true;
  taking = true;
  endedMs: number | undefined;
  readonly triedMs: number[] = [];
  readonly #timers: { atMs: number; run: () => void }[] = [];
  #linked = false;
  readonly links: JobLinks;

  constructor(linkedMs: () => number | "unreachable") {
    const bench = this;
    const job: LinkedJob = {
      get endedMs() {
        return bench.endedMs;
      },
      has: () => this.#linked,
      addHost: (_link, _local, onEnd = () => {}) => {
        this.#linked = true;
        this.#after(Number(linkedMs()), () => {
          this.#linked = false;
          onEnd();
        });
      },
    };
    this.links = new JobLinks({
      self: SELF,
      clock: { now: () => this.nowMs, monotonic: () => this.nowMs, after: (ms, run) => this.#after(ms, run) },
      log: () => {},
      jobs: () => [job],
      peers: () =>
        [SELF, HOST].map((host) => ({ host, name: "", platform: "", taking: this.taking, group: "" })),
      isOnline: () => this.online,
      connect: async (host) => {
        expect(host).toBe(HOST);
        this.triedMs.push(this.nowMs);
        if (linkedMs() === "unreachable") throw new Error("it does not answer");
        return {} as Link;
      },
    });
  }

  #after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, run };
    this.#timers.push(timer);
    return () => void this.#timers.splice(this.#timers.indexOf(timer), 1);
  }

  async until(endMs: number): Promise<void> {
    for (;;) {
      for (let i = 0; i < 10; i++) await Promise.resolve(); // what was promised has happened
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (!next || next.atMs > endMs) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }
}

test.each([
  ["cannot be reached", "unreachable" as const],
  ["refuses", 100],
])("a host that %s is tried less and less often", async (_, linkedMs) => {
  const bench = new Bench(() => linkedMs);
  bench.links.link();
  await bench.until(HOUR_MS);
  expect(bench.triedMs.length).toBeLessThan(70);
  const waits = bench.triedMs.map((ms, n) => ms - (bench.triedMs[n - 1] ?? 0)).slice(1);
  expect(waits[0]).toBeLessThan(3_000);
  expect(waits.at(-1)).toBeGreaterThanOrEqual(60_000);
});

test("a host that was of use and is lost is tried again soon, however often it was out of reach before", async () => {
  let tries = 0;
  const bench = new Bench(() => (++tries < 9 ? "unreachable" : HOUR_MS));
  bench.links.link();
  await bench.until(4 * HOUR_MS);
  const last = bench.triedMs.at(-1) ?? 0;
  const before = bench.triedMs.at(-2) ?? 0;
  expect(last - before - HOUR_MS).toBeLessThan(3_000);
});

test("while the relay is away nothing is tried, and nothing is waited for when it is back", async () => {
  const bench = new Bench(() => HOUR_MS);
  bench.online = false;
  bench.links.link();
  await bench.until(10);
  expect(bench.triedMs).toEqual([]);
  bench.online = true;
  bench.links.link();
  await bench.until(20);
  expect(bench.triedMs).toEqual([10]);
});

test("a job that is over, and a host that takes nothing, are left alone", async () => {
  const bench = new Bench(() => "unreachable");
  bench.taking = false;
  bench.links.link();
  bench.taking = true;
  bench.endedMs = 0;
  bench.links.link();
  await bench.until(HOUR_MS);
  expect(bench.triedMs).toEqual([]);
});
