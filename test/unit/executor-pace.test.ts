/** A worker that may use a share of its time rests for the others, and not a moment longer when it may use all. */
import { expect, test } from "vitest";
import { Executor } from "../../fabric/host/executor.ts";
import type { RunningMachine, World } from "../../fabric/host/machines.ts";
import { type HomeLink, stayKey } from "../../fabric/kernel/executor-messages.ts";
import { placeOf } from "./messages.kit.ts";

const HOME = 1 as HomeLink;
const SLICE_MS = 10;

/** Runs one guest that never ends for a while of a clock that only slices and rests move; says how long it ran. */
function ranIn(ms: number, share: number): Promise<number> {
  let nowMs = 0;
  let ranMs = 0;
  const waiting: { atMs: number; run: () => void }[] = [];
  const later = (afterMs: number, run: () => void) => {
    waiting.push({ atMs: nowMs + afterMs, run });
    return () => {};
  };
  const run = (world: World) => {
    world.poll();
    nowMs += SLICE_MS;
    ranMs += SLICE_MS;
    return { kind: "preempted" } as const;
  };
  const machine = {
    polls: 1,
    memoryBytes: 1,
    start: (_: unknown, world: World) => run(world),
    resume: run,
    seedRandom: () => {},
    [Symbol.dispose]: () => {},
  } as unknown as RunningMachine;
  const executor = new Executor({
    machines: {
      fresh: () => machine,
      prepare: async () => {},
      dropPrepared: () => {},
      tidy: () => {},
      restore: async () => machine,
    },
    hostName: "host",
    clock: { now: () => nowMs, monotonic: () => nowMs, after: later },
    random: { bytes: (length) => new Uint8Array(length) },
    report: () => {},
    yieldThen: (run) => later(0, run),
  });
  executor.handle({ type: "pace", share });
  const place = placeOf(1, { memoryBytesMax: 2 ** 20 });
  executor.handle({ type: "place", home: HOME, key: stayKey(HOME, place), place });
  return new Promise<number>((done) => {
    // Placing takes promises; time stands still meanwhile.
    const turn = () => {
      const next = waiting.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (nowMs >= ms) return done(ranMs);
      if (next) {
        waiting.splice(waiting.indexOf(next), 1);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
      }
      setImmediate(turn);
    };
    turn();
  });
}

test.each([1, 0.5, 0.25, 0.1])("a share of %d", async (share) => {
  const spanMs = 4_000;
  expect(Math.abs((await ranIn(spanMs, share)) - spanMs * share)).toBeLessThanOrEqual(2 * SLICE_MS);
});
