/** Programs, and homes, that want a worker for themselves: nobody throws, hangs, grows, or pays for another. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { beforeAll, describe, expect, test } from "vitest";
import { must } from "../../fabric/base/errors.ts";
import { callNumber, imageId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { type BaseImage, bootBase, loadEngine } from "../../fabric/engine/index.ts";
import { engineMachines } from "../../fabric/host/engine-machines.ts";
import { Executor } from "../../fabric/host/executor.ts";
import { type HomeLink, type Report, stayKey } from "../../fabric/kernel/executor-messages.ts";
import { decodeAnswer, decodeCall, encodeAnswer, encodeCall } from "../../fabric/wire/calls.ts";
import type { MessageOf } from "../../fabric/wire/messages.ts";

import { placeOf } from "./messages.kit.ts";

function snapshotOf(name: string, calls: number) {
  return { chain: [imageId(name)], calls: callNumber(calls), waiting: true, moment: 0, clockMs: 0 };
}
const imageOf = (name: string, content = name) => ({
  id: imageId(name),
  bytes: new TextEncoder().encode(content),
});

const HOME = 1 as HomeLink;

let base: BaseImage | undefined;
async function boot(): Promise<BaseImage> {
  const file = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));
  await ensureEngine(file);
  return bootBase(await loadEngine(await readFile(file)), { source: GUEST_LIBRARY });
}

beforeAll(async () => {
  base = await boot();
}, 180_000); // the engine may have to be built

/** A real executor, the home of whose processes answers only what the test says. */
class ExecutorBench {
  readonly reports: Report[] = [];
  readonly #waiting: { wanted: (report: Report) => boolean; done: (report: Report) => void }[] = [];
  readonly executor: Executor;
  constructor(base: BaseImage) {
    this.executor = new Executor({
      machines: engineMachines(base),
      hostName: "host",
      clock: { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => {} },
      random: { bytes: (length) => new Uint8Array(length) },
      report: (report) => {
        this.reports.push(report);
        for (const { wanted, done } of this.#waiting) if (wanted(report)) done(report);
      },
      yieldThen: (run) => void setImmediate(run),
    });
  }
  static async start(): Promise<ExecutorBench> {
    return new ExecutorBench(must(base, "base image"));
  }
  place(n: number, source: string, changes: Partial<MessageOf<"place">> = {}): void {
    const place = placeOf(n, {
      program: { source, fileName: "x.js" },
      memoryBytesMax: LIMITS.guestMemoryBytes,
      ...changes,
    });
    this.executor.handle({ type: "place", home: HOME, key: stayKey(HOME, place), place });
  }
  report(wanted: (report: Report) => boolean): Promise<Report> {
    const there = this.reports.find(wanted);
    return there ? Promise.resolve(there) : new Promise((done) => this.#waiting.push({ wanted, done }));
  }
  /** What process `n` calls for, or how it fails. */
  async outcome(n: number): Promise<string> {
    const key = stayKey(HOME, placeOf(n));
    const report = await this.report(
      (r) => "key" in r && r.key === key && (r.type === "call" || r.type === "failed"),
    );
    if (report.type === "failed") return `${report.code}: ${report.reason}`;
    const call = report.type === "call" ? decodeCall(report.request) : undefined;
    return call && "name" in call && call.name !== "RoostError" ? call.name : String(call);
  }
}

describe("a program or a home that wants the worker for itself", () => {
  test("a move at poll 2^53 does not end the slice: others run, and it is reclaimed", async () => {
    const b = await ExecutorBench.start();
    b.place(1, "for (;;);", { preemptEvery: 2 ** 53 - 1 });
    b.place(2, "console.log(1)");
    expect(await b.outcome(2)).toBe("print");
    const key = stayKey(HOME, placeOf(1));
    b.executor.handle({ type: "snapshot", key, why: "reclaimed" });
    await b.report((r) => r.type === "snapshot" && r.key === key);
    b.executor.handle({ type: "halt" });
  });

  test.each<[string, Partial<MessageOf<"place">>, RegExp]>([
    ["a zone that is none", { zone: "nonsense" }, /time zone|^print$/],
    ["a seed too short", { seed: new Uint8Array(1) }, /EIO|EINVAL/],
    ["no memory at all", { memoryBytesMax: 0 }, /ENOMEM|EIO/],
    [
      "an image that is none",
      { program: undefined, snapshot: snapshotOf("x", 1), images: [imageOf("x")] },
      /EINVAL: unusable image/,
    ],
  ])("%s ends that process and no other", async (_what, changes, how) => {
    const b = await ExecutorBench.start();
    b.place(1, "console.log(new Date().getHours())", changes);
    expect(await b.outcome(1)).toMatch(how);
    b.place(2, "console.log(1)");
    expect(await b.outcome(2)).toBe("print");
  });

  test("an image that claims to stand elsewhere than it does ends its process and no other", async () => {
    const b = await ExecutorBench.start();
    b.place(1, 'import { fork } from "roost"; fork();');
    const forked = await b.report((r) => r.type === "call");
    if (forked.type !== "call" || !forked.snapshot) throw new Error("no fork");
    const { snapshot, images } = forked;
    b.place(2, "", { program: undefined, snapshot: { ...snapshot, waiting: false }, images });
    expect(await b.outcome(2)).toMatch(/^EIO: it cannot be continued/);
    b.place(3, "console.log(1)");
    expect(await b.outcome(3)).toBe("print");
  });

  test("what is learned of randomness without a call does not pile up", async () => {
    const b = await ExecutorBench.start();
    b.place(
      1,
      "for (let n = 0; n < 2000; n++) crypto.getRandomValues(new Uint8Array(65536)); console.log('done')",
    );
    await b.outcome(1);
    await b.report((r) => r.type === "snapshot" && r.why === "save");
    const call = b.reports.find((r) => r.type === "call");
    const learned =
      call?.type === "call" ? call.learned.answers.reduce((sum, { answer }) => sum + answer.length, 0) : -1;
    expect(learned).toBeGreaterThanOrEqual(0);
    expect(learned).toBeLessThan(1000 * 65_536);
  });

  test("a call too long for a message is an error to the program, whatever it did to its own library", () => {
    expect(decodeCall(new Uint8Array(LIMITS.callBytes + 1))).toMatchObject({ code: "EINVAL" });
    const data = new Uint8Array(LIMITS.dataBytes);
    const request = encodeCall("writeFile", { path: "x".repeat(LIMITS.pathBytes), flags: "w", data });
    expect(request.length).toBeLessThanOrEqual(LIMITS.callBytes);
    const end = { pid: 2 ** 52, status: 255, signal: "SIGKILL" as const, value: data };
    const answer = encodeAnswer("wait", { end });
    expect(answer.length).toBeLessThanOrEqual(LIMITS.callBytes);
    expect(decodeAnswer("wait", answer)).toMatchObject({ end: { status: 255 } });
  });
});
