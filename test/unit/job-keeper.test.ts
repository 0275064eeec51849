/** Keeping a job in a store that does not take it: said once, and tried less and less often. */
import { expect, test } from "vitest";
import { baseId, imageId, pid } from "../../fabric/base/ids.ts";
import type { Store } from "../../fabric/base/ports.ts";
import { Files } from "../../fabric/home/files.ts";
import { saveHome } from "../../fabric/home/saved.ts";
import type { Job } from "../../fabric/host/job.ts";
import { JobKeeper, readKeptJob } from "../../fabric/host/job-keeper.ts";
import { type Output, OutputLog } from "../../fabric/host/output-log.ts";

import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { JOB, launched } from "./home.kit.ts";

const MINUTE_MS = 60_000;

/** Time that goes on when it is told to, with everything that is planned in it. */
class Time {
  #nowMs = 0;
  #planned: { atMs: number; run: () => void }[] = [];
  readonly clock = {
    now: () => this.#nowMs,
    monotonic: () => this.#nowMs,
    after: (ms: number, run: () => void) => {
      this.#planned.push({ atMs: this.#nowMs + ms, run });
      return () => {};
    },
  };
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      await new Promise(setImmediate);
      const next = this.#planned.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (!next || next.atMs > untilMs) break;
      this.#planned = this.#planned.filter((planned) => planned !== next);
      this.#nowMs = next.atMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }
}

/** A job as it would be written down, with so many images of a byte. */
const jobAtRest = (images: number, output: readonly Output[] = []): ReturnType<Job["atRest"]> => ({
  job: {
    ...{
      base: baseId("base"),
      startedMs: 0,
      savedMs: 0,
      disk: undefined,
      output: [...output],
      lines: [],
      linesEnded: false,
    },
    home: saveHome(launched().state),
    files: new Files(new MemoryDisk()).save(),
  },
  images: new Map(Array.from({ length: images }, (_, n) => [imageId(`image ${n}`), new Uint8Array(1)])),
  contents: new Map<number, Uint8Array>(),
});

test("a store that is full is asked again, seldom, until it takes the job", async () => {
  const time = new Time();
  const said: string[] = [];
  let full = true;
  let asked = 0;
  const store: Store = {
    get: async () => undefined,
    set: async () => {},
    setAll: async () => {
      asked++;
      if (full) throw new Error("no room");
    },
    deleteAll: async () => {},
    keys: async () => [],
  };
  const atRest = jobAtRest(1);
  const job = { id: JOB, ended: new Promise(() => {}), atRest: () => atRest } as unknown as Job;
  const keeper = new JobKeeper(store, job, time.clock, (sentence) => said.push(sentence));
  for (let n = 0; n < 100; n++) {
    keeper.progress();
    await time.pass(MINUTE_MS / 50);
  }
  expect(said).toEqual([expect.stringContaining("no room")]);
  expect(asked).toBeGreaterThan(3);
  expect(asked).toBeLessThan(8);
  full = false;
  await time.pass(MINUTE_MS);
  const before = asked;
  keeper.progress();
  await time.pass(1_000);
  expect(asked).toBeGreaterThan(before);
});

/** A store that takes everything, and what it was asked for. */
function asked() {
  const wishes: string[] = [];
  const store: Store = {
    get: async () => undefined,
    set: async () => {},
    setAll: async (entries) => void wishes.push(entries.map(([key]) => key.split("/")[2]).join()),
    deleteAll: async (keys) => void wishes.push(`without ${keys.length}`),
    keys: async () => [],
  };
  return { store, wishes };
}

test("what is new is written in one go, the job itself last; what it no longer has is deleted in another", async () => {
  const { store, wishes } = asked();
  let images = 3;
  const job = { id: JOB, ended: new Promise(() => {}), atRest: () => jobAtRest(images) } as unknown as Job;
  const keeper = new JobKeeper(store, job, new Time().clock, () => {});
  await keeper.keep();
  images = 1;
  await keeper.keep();
  expect(wishes).toEqual(["image,image,image,body", "body", "without 2"]);
});

test("what a job has written is kept once, however often the job is, and is all there again", async () => {
  const values = new Map<string, Uint8Array>();
  let writtenBytes = 0;
  const store: Store = {
    ...asked().store,
    get: async <T>(key: string) => values.get(key) as T,
    setAll: async (entries) => {
      for (const [key, value] of entries) {
        values.set(key, value as Uint8Array);
        writtenBytes += (value as Uint8Array).length;
      }
    },
    deleteAll: async (keys) => {
      for (const key of keys) values.delete(key);
    },
  };
  const log = new OutputLog(1 << 20);
  const line = new Uint8Array(1_000).fill(46);
  const job = { id: JOB, ended: new Promise(() => {}), atRest: () => jobAtRest(0, log.kept) };
  const keeper = new JobKeeper(store, job as unknown as Job, new Time().clock, () => {});
  for (let n = 0; n < 2_000; n++) {
    log.add(pid(1), 1, line, n);
    if (n % 20 === 0) await keeper.keep();
  }
  await keeper.keep();
  expect(writtenBytes / log.end).toBeLessThan(4); // the last of it with the job, and all of it in parts
  const again = new OutputLog(1 << 20);
  again.revive((await readKeptJob(store, JOB))?.job.output ?? []);
  expect(again.kept).toEqual(log.kept);
  expect(again.end).toBe(log.end);
  expect(values.size).toBeLessThan(25); // what the log has forgotten, the store has too
});

test("a job that writes a letter at a time does not fill its home's memory with them", () => {
  const log = new OutputLog(1 << 20);
  for (let n = 0; n < 100_000; n++) log.add(pid(1), 1, Uint8Array.of(46), n);
  expect(log.kept.length).toBeLessThan(10_000);
  expect(log.kept.at(-1)).toMatchObject({ position: 99_999 });
});

test("while a process is between two hosts keeping waits, but not for long", async () => {
  const time = new Time();
  const { store, wishes } = asked();
  const job = { id: JOB, ended: new Promise(() => {}), atRest: () => jobAtRest(0), moves: true };
  const keeper = new JobKeeper(store, job as unknown as Job, time.clock, () => {});
  keeper.progress();
  await time.pass(400);
  expect(wishes).toEqual([]);
  await time.pass(200);
  expect(wishes).toEqual(["body"]);
  keeper.progress();
  await time.pass(400);
  job.moves = false;
  await time.pass(20);
  expect(wishes).toEqual(["body", "body"]);
});

test("a store that is slow is asked for a part of the time, however long the job goes on meanwhile", async () => {
  const time = new Time();
  const askedAtMs: number[] = [];
  const setAll = () =>
    new Promise<void>((resolve) => {
      askedAtMs.push(time.clock.now());
      time.clock.after(100, resolve);
    });
  const store: Store = { ...asked().store, setAll };
  const job = { id: JOB, ended: new Promise(() => {}), atRest: () => jobAtRest(0) } as unknown as Job;
  const keeper = new JobKeeper(store, job, time.clock, () => {});
  for (let n = 0; n < 2_000; n++) {
    keeper.progress();
    await time.pass(10);
  }
  expect(askedAtMs.length).toBeGreaterThan(10);
  for (const [n, atMs] of askedAtMs.slice(1).entries())
    expect(atMs - (askedAtMs[n] ?? 0)).toBeGreaterThanOrEqual(1_000);
});
