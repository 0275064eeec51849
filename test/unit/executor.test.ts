/** The executor with the real engine, on a clock that is the test's. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { must } from "../../fabric/base/errors.ts";
import { callNumber, type Epoch, imageId, jobId, type Pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import { type BaseImage, bootBase, loadEngine } from "../../fabric/engine/index.ts";
import { engineMachines } from "../../fabric/host/engine-machines.ts";
import { Executor } from "../../fabric/host/executor.ts";
import type { Machines } from "../../fabric/host/machines.ts";
import { systemRandom } from "../../fabric/io/random.ts";
import { type HomeLink, type Report, type StayKey, stayKey } from "../../fabric/kernel/executor-messages.ts";
import { encodeAnswer } from "../../fabric/wire/calls.ts";

import { type MessageOf, NOTHING_LEARNED } from "../../fabric/wire/messages.ts";
import { limited } from "./home.kit.ts";

const POSTED = encodeAnswer("print", undefined);

async function boot(): Promise<BaseImage> {
  const file = fileURLToPath(new URL("../../dist/engine/engine.wasm", import.meta.url));
  await ensureEngine(file);
  return bootBase(await loadEngine(await readFile(file)), { source: GUEST_LIBRARY });
}

const HOME = 1 as HomeLink;
const stay = { job: jobId("j".repeat(26)), pid: 1 as Pid, epoch: 1 as Epoch };
const place = (source: string): MessageOf<"place"> => ({
  type: "place",
  ...stay,
  program: { source, fileName: "program.js" },
  snapshot: undefined,
  images: [],
  seed: undefined,
  learned: NOTHING_LEARNED,
  jobName: "test",
  zone: "UTC",
  now: 0,
  memoryBytesMax: LIMITS.guestMemoryBytes,
  preemptEvery: 0,
  paused: false,
});

/** An executor whose clock goes on by 0.1 ms at each look, and whose tasks the test runs one by one. */
function start(machines: Machines, commandWaits: () => boolean = () => false) {
  const yielded: (() => void)[] = [];
  const reports: Report[] = [];
  const clock = { nowMs: 0 };
  const executor = new Executor({
    machines,
    hostName: "test",
    clock: {
      now: () => clock.nowMs,
      monotonic: () => {
        clock.nowMs += 0.1;
        return clock.nowMs;
      },
      after: () => () => {},
    },
    random: systemRandom,
    report: (report) => {
      if (report.type !== "turn") reports.push(report); // whose turn it is matters to the kernel's watch alone
    },
    yieldThen: (run) => yielded.push(run),
    commandWaits,
  });
  /** Waits for the next task and runs it; answers with how long that took. */
  const turn = async () => {
    await expect.poll(() => yielded.length).toBe(1);
    const beganMs = clock.nowMs;
    yielded.shift()?.();
    return clock.nowMs - beganMs;
  };
  /** Runs the next task, if there is one. */
  turn.any = () => yielded.shift()?.();
  return { executor, reports, turn };
}

const key = stayKey(HOME, stay);

async function firstSliceMs(base: BaseImage, commandWaits: () => boolean): Promise<number> {
  const { executor, reports, turn } = start(engineMachines(base), commandWaits);
  executor.handle({ type: "place", home: HOME, key, place: place("for (;;);") });
  await turn(); // it arrives
  await turn(); // that is said
  const tookMs = await turn();
  expect(reports).toEqual([{ type: "running", key }]);
  return tookMs;
}

test("a slice ends after its time, and soon when a command waits", async () => {
  const base = await boot();
  const undisturbed = await firstSliceMs(base, () => false);
  expect(undisturbed).toBeGreaterThanOrEqual(LIMITS.sliceMs);
  expect(undisturbed).toBeLessThan(LIMITS.sliceMs + 1);
  const disturbed = await firstSliceMs(base, () => true);
  expect(disturbed).toBeGreaterThanOrEqual(LIMITS.sliceLeastMs);
  expect(disturbed).toBeLessThan(LIMITS.sliceLeastMs + 1);
});

test("what has only just been sent goes back untouched, and does not run", async () => {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  executor.handle({ type: "place", home: HOME, key, place: place("for (;;);") });
  executor.handle({ type: "halt" });
  executor.handle({ type: "snapshot", key, why: "reclaimed" });
  expect(reports).toMatchObject([
    { type: "halted" },
    { type: "snapshot", key, why: "reclaimed", snapshot: undefined, images: [] },
  ]);
  executor.handle({ type: "drop", key });
  executor.handle({
    type: "place",
    home: HOME,
    key: stayKey(HOME, { ...stay, epoch: 2 as Epoch }),
    place: place("for (;;);"),
  });
  executor.handle({ type: "go" });
  await turn();
  await turn();
  expect(reports.slice(2)).toEqual([{ type: "running", key: stayKey(HOME, { ...stay, epoch: 2 as Epoch }) }]);
});

test("that the worker stands still is told before memories are read, and each of those goes by itself", async () => {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const types = () => reports.flatMap(({ type }) => (type === "usage" ? [] : type));
  /** Runs tasks until that many things have been reported. */
  const reported = (count: number) =>
    expect
      .poll(() => {
        turn.any();
        return types().length;
      })
      .toBe(count);
  const keys = [1, 2].map((pid) => stayKey(HOME, { ...stay, pid: pid as Pid }));
  for (const key of keys) executor.handle({ type: "place", home: HOME, key, place: place("for (;;);") });
  await reported(2);
  turn.any();
  turn.any(); // both have run, or are about to
  executor.handle({ type: "halt" });
  for (const key of keys) executor.handle({ type: "snapshot", key, why: "reclaimed" });
  expect(types()).toEqual(["running", "running", "halted"]);
  await reported(4);
  await reported(5);
  expect(types().slice(2)).toEqual(["halted", "snapshot", "snapshot"]);
});

test("a process runs on while it is written down, and what it does meanwhile can be run again from before", async () => {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const source = `
    const kept = new Uint8Array(5 << 20);
    for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
    for (let n = 0; ; n++) { crypto.getRandomValues(new Uint8Array(4)); console.log(n); }`;
  executor.handle({ type: "place", home: HOME, key, place: place(source) });
  const calls = () => reports.flatMap((r) => (r.type === "call" ? [r] : []));
  const saved = () => reports.find((r) => r.type === "snapshot");
  const until = async (holds: () => boolean) => {
    for (; !holds(); await new Promise(setImmediate)) turn.any();
  };
  await until(() => calls().length > 0);
  executor.handle({ type: "snapshot", key, why: "save" });
  const ahead = () => reports.flatMap((r) => (r.type === "ahead" ? [r] : []))[0];
  await until(() => ahead() !== undefined);
  const before = calls().length;
  await until(() => calls().length > before + 3);
  expect(saved()).toBeUndefined(); // its images are large, and not at the home yet
  const image = must(ahead()?.images.at(-1), "image").id;
  executor.handle({ type: "got", key, image: imageId("another") });
  await until(() => calls().length > before + 6);
  expect(saved()).toBeUndefined();
  executor.handle({ type: "got", key, image });
  await until(() => saved() !== undefined);
  expect(saved()).toMatchObject({ images: [], snapshot: { chain: ahead()?.images.map(({ id }) => id) } });
  const at = reports.findIndex((r) => r.type === "snapshot");
  const snapshot = must(reports[at]?.type === "snapshot" ? reports[at].snapshot : undefined, "snapshot");
  const meanwhile = reports
    .slice(0, at)
    .flatMap((r) => (r.type === "call" && r.call >= snapshot.calls ? [r] : []));
  expect(meanwhile.length).toBeGreaterThan(1);
  // Every answer that was given here before a call is told with a call no later, though the snapshot had not left.
  const told = new Set([-1]);
  const untold: number[] = [];
  for (const { call, learned } of calls()) {
    for (const answer of learned.answers) told.add(answer.call);
    if (!told.has(call - 1)) untold.push(call);
  }
  expect(untold).toEqual([]);
});

test("a snapshot whose images are on their way is told at once, with them, before another that continues it", async () => {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const source = `
    import { fork, sleep } from "roost";
    const kept = new Uint8Array(5 << 20);
    for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
    sleep(1);
    fork();`;
  executor.handle({ type: "place", home: HOME, key, place: place(source) });
  const types = (): string[] => reports.map((r) => (r.type === "call" && r.snapshot ? "fork" : r.type));
  const until = async (type: string) => {
    for (; !types().includes(type); await new Promise(setImmediate)) turn.any();
  };
  await until("call");
  executor.handle({ type: "snapshot", key, why: "save" });
  await until("ahead");
  executor.handle({
    type: "answer",
    key,
    call: callNumber(0),
    answer: encodeAnswer("sleep", undefined),
    now: 0,
    cached: undefined,
    noMail: true,
  });
  await until("fork");
  expect(types().filter((type) => ["ahead", "snapshot", "fork"].includes(type))).toEqual([
    "ahead",
    "snapshot",
    "fork",
  ]);
  const [ahead, saved, forked] = ["ahead", "snapshot", "fork"].map((type) => reports[types().indexOf(type)]);
  if (ahead?.type !== "ahead" || saved?.type !== "snapshot" || forked?.type !== "call")
    throw new Error("other reports");
  expect(saved.images).toEqual(ahead.images);
  expect(forked.snapshot?.chain).toEqual([
    ...(saved.snapshot?.chain ?? []),
    ...forked.images.map(({ id }) => id),
  ]);
  // What comes of it when they have arrived has been told.
  executor.handle({ type: "got", key, image: must(ahead.images.at(-1), "image").id });
  turn.any();
  expect(types().filter((type) => type === "snapshot").length).toBe(1);
});

test("what is on its way is told in full when its home has answered much since, all of which it must keep until then", async () => {
  using _few = limited({ logEntries: 5 });
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const source = `
    const kept = new Uint8Array(5 << 20);
    for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
    for (let n = 0; ; n++) console.log(n);`;
  executor.handle({ type: "place", home: HOME, key, place: place(source) });
  const calls = () => reports.flatMap((r) => (r.type === "call" ? [r.call] : []));
  const told = () => reports.find((r) => r.type === "snapshot");
  const until = async (holds: () => boolean) => {
    for (; !holds(); await new Promise(setImmediate)) turn.any();
  };
  await until(() => calls().length > 0);
  executor.handle({ type: "snapshot", key, why: "save" });
  await until(() => reports.some(({ type }) => type === "ahead"));
  const since = calls().length;
  await until(() => calls().length > since + 10);
  for (const call of calls().slice(since, since + 6)) {
    expect(told()).toBeUndefined();
    executor.handle({ type: "answer", key, call, answer: POSTED, now: 0, cached: undefined, noMail: true });
  }
  expect(told()?.images.length).toBeGreaterThan(1);
});

/** A process with 8 MiB that do not compress has forked, and the images of that are on their way. */
async function forkedLarge() {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const source = `
    import { fork } from "roost";
    const kept = new Uint8Array(8 << 20);
    for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
    fork();`;
  executor.handle({ type: "place", home: HOME, key, place: place(source) });
  const types = (): string[] =>
    reports.flatMap(({ type }) => (["ahead", "call", "snapshot"].includes(type) ? type : []));
  const until = async (type: string) => {
    for (; !types().includes(type); await new Promise(setImmediate)) turn.any();
  };
  await until("ahead");
  return { executor, reports, turn, types, until };
}

test("a snapshot that is wished for while a fork's images are on their way is taken when they are there", async () => {
  const { executor, reports, turn, types, until } = await forkedLarge();
  executor.handle({ type: "snapshot", key, why: "save" });
  for (let n = 0; n < 20; n++, await new Promise(setImmediate)) turn.any();
  expect(types()).toEqual(["ahead"]);
  const ahead = reports.find((r) => r.type === "ahead");
  executor.handle({ type: "got", key, image: must(ahead?.images.at(-1), "image").id });
  await until("snapshot");
  expect(types()).toEqual(["ahead", "call", "snapshot"]);
  expect(reports.find((r) => r.type === "call")?.images).toEqual([]);
});

test("in a hurry nothing goes ahead, whatever is being written or on its way", async () => {
  const source = `
    const kept = new Uint8Array(5 << 20);
    for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
    for (let n = 0; ; n++) { kept[n % kept.length]++; if (n % 1e5 === 0) console.log(n); }`;
  for (const before of [0, 1, 2]) {
    const { executor, reports, turn } = start(engineMachines(await boot()));
    const saves = (hurries: boolean) => executor.handle({ type: "snapshot", key, why: "save", hurries });
    const types = () => reports.map(({ type }) => type);
    const until = async (type: Report["type"], count = 1) => {
      for (; types().filter((t) => t === type).length < count; await new Promise(setImmediate)) turn.any();
    };
    executor.handle({ type: "place", home: HOME, key, place: place(source) });
    await until("call", 2);
    for (let n = 0; n < before; n++) saves(false); // the second is as good as the first
    if (before === 2) await until("ahead");
    saves(true);
    await until("snapshot", before === 2 ? 2 : 1);
    const told = reports.flatMap((r) => (r.type === "snapshot" ? [r] : []));
    expect(told.map(({ images }) => images.length > 0)).toEqual(before === 2 ? [true, true] : [true]);
    expect(types().filter((type) => type === "ahead").length).toBe(before === 2 ? 1 : 0);
  }
});

test("while a large process forks, which takes its worker a while, the others there run", async () => {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const large = `
    import { fork } from "roost";
    const kept = new Uint8Array(8 << 20);
    for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
    console.log("forks");
    fork();`;
  const other = stayKey(HOME, { ...stay, pid: 2 as Pid });
  executor.handle({ type: "place", home: HOME, key, place: place(large) });
  executor.handle({
    type: "place",
    home: HOME,
    key: other,
    place: place("for (let n = 0; ; n++) console.log(n);"),
  });
  const calls = (of: string) => reports.flatMap((r) => (r.type === "call" && r.key === of ? [r] : []));
  const until = async (holds: () => boolean) => {
    for (; !holds(); await new Promise(setImmediate)) turn.any();
  };
  await until(() => calls(key).length === 1);
  const before = calls(other).length;
  const ahead = () => reports.flatMap((r) => (r.type === "ahead" ? r.images : []));
  await until(() => ahead().length > 0);
  expect(ahead().length).toBeGreaterThan(2);
  expect(calls(other).length - before).toBeGreaterThan(10);
  // Its images go first, so that nobody's letters wait behind them; then it has forked.
  expect(calls(key).length).toBe(1);
  executor.handle({ type: "got", key, image: must(ahead().at(-1), "image").id });
  await until(() => calls(key).length === 2);
  expect(calls(key)[1]).toMatchObject({ images: [], snapshot: { chain: ahead().map(({ id }) => id) } });
});

const VARIED = "for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;";
/** Of which 8 KiB travel. */
const MONOTONOUS = "kept.fill(7);";

/** A child of 8 MiB, as its parent's fork has it; a host that has seen nothing of it runs one that writes for ever. */
async function largeArrives(fill = VARIED) {
  const { executor: elsewhere, reports: told, turn: next } = start(engineMachines(await boot()));
  elsewhere.handle({
    type: "place",
    home: HOME,
    key,
    place: place(`
      const kept = new Uint8Array(8 << 20);
      ${fill}
      console.log("full");
      for (;;);`),
  });
  for (; !told.some(({ type }) => type === "call"); await new Promise(setImmediate)) next.any();
  elsewhere.handle({ type: "snapshot", key, why: "reclaimed" });
  const left = () => told.flatMap((r) => (r.type === "snapshot" ? [r] : []))[0];
  for (; !left(); await new Promise(setImmediate)) next.any();
  const { snapshot, images } = must(left(), "snapshot");

  const machines = engineMachines(await boot());
  const outcomes: string[] = [];
  const here = start({
    ...machines,
    restore: async (...how) => {
      const machine = await machines.restore(...how);
      outcomes.push(machine instanceof Invalid ? machine.reason : "restored");
      return machine;
    },
  });
  const { executor, reports, turn } = here;
  const writes = stayKey(HOME, { ...stay, pid: 2 as Pid });
  const source = "for (let n = 0; ; n++) console.log(n);";
  executor.handle({ type: "place", home: HOME, key: writes, place: place(source) });
  const written = () => reports.filter((r) => r.type === "call" && r.key === writes).length;
  let slices = 0;
  const until = async (holds: () => boolean) => {
    for (; !holds(); await new Promise(setImmediate)) {
      const before = written();
      turn.any();
      if (written() > before) slices++;
    }
  };
  await until(() => slices > 0);
  const arrive = (key: StayKey) =>
    executor.handle({
      type: "place",
      home: HOME,
      key,
      place: { ...place(""), program: undefined, snapshot, images },
    });
  arrive(key);
  return { ...here, arrive, outcomes, slices: () => slices, until };
}

test.each([
  ["whose memory is of all kinds", VARIED],
  ["whose memory is of one kind, so that little of it travels", MONOTONOUS],
])(
  "while a large process is read %s, which takes its worker a while, the others there run",
  async (_, fill) => {
    const { reports, slices, until } = await largeArrives(fill);
    const before = slices();
    await until(() => reports.some((r) => r.type === "running" && r.key === key));
    expect(slices() - before).toBeGreaterThan(5);
  },
);

test("what arrives and waits says what memory it has, and does not wait with that until it runs", async () => {
  const { executor: elsewhere, reports: told, turn: next } = start(engineMachines(await boot()));
  const source = `import { recv } from "roost"; const kept = new Uint8Array(8 << 20); ${MONOTONOUS} recv();`;
  elsewhere.handle({ type: "place", home: HOME, key, place: place(source) });
  for (; !told.some(({ type }) => type === "call"); await new Promise(setImmediate)) next.any();
  elsewhere.handle({ type: "snapshot", key, why: "reclaimed" });
  const left = () => told.flatMap((r) => (r.type === "snapshot" ? [r] : []))[0];
  for (; !left(); await new Promise(setImmediate)) next.any();
  const { snapshot, images, used } = must(left(), "snapshot");

  const { executor, reports, turn } = start(engineMachines(await boot()));
  const coming = { ...place(""), program: undefined, snapshot, images };
  executor.handle({ type: "place", home: HOME, key, place: coming });
  const { memoryBytes } = must(used, "usage");
  expect(memoryBytes).toBeGreaterThan(8 << 20);
  await expect
    .poll(() => {
      turn.any();
      return reports;
    })
    .toMatchObject([{ type: "usage", key, used: { memoryBytes, cpuMs: 0 } }]);
});

test("a large process that is being read when its host is reclaimed goes back at once, and is read no further", async () => {
  const { executor, reports, outcomes, slices, until } = await largeArrives();
  const before = slices();
  await until(() => slices() > before + 2);
  executor.handle({ type: "halt" });
  executor.handle({ type: "snapshot", key, why: "reclaimed" });
  const ofIt = () => reports.filter((r) => "key" in r && r.key === key);
  expect(ofIt()).toMatchObject([{ type: "snapshot", why: "reclaimed", snapshot: undefined, images: [] }]);
  executor.handle({ type: "drop", key });
  executor.handle({ type: "go" });
  await until(() => outcomes.length > 0);
  expect(outcomes).toEqual(["nobody wants it any more"]);
  expect(ofIt()).toHaveLength(1);
});

test("nor is one that is dropped meanwhile", async () => {
  const { executor, outcomes, slices, until } = await largeArrives();
  const before = slices();
  await until(() => slices() > before + 2);
  executor.handle({ type: "drop", key });
  await until(() => outcomes.length > 0);
  expect(outcomes).toEqual(["nobody wants it any more"]);
});

test("what is said to a large process while it is read holds as soon as it is here, and for its sibling nothing of that", async () => {
  const { executor, arrive, reports, slices, until } = await largeArrives();
  const sibling = stayKey(HOME, { ...stay, pid: 3 as Pid });
  arrive(sibling);
  const before = slices();
  await until(() => slices() > before + 2);
  const runs = (key: StayKey) => reports.some((r) => r.type === "running" && r.key === key);
  expect([runs(key), runs(sibling)]).toEqual([false, false]);
  executor.handle({ type: "pause", key, paused: true });
  await until(() => runs(sibling));
  expect(runs(key)).toBe(false);
  executor.handle({ type: "pause", key, paused: false });
  await until(() => runs(key));
});

test("one that is to leave while the images of its fork are on their way has forked before, and has them with it", async () => {
  const { executor, reports, types, until } = await forkedLarge();
  executor.handle({ type: "snapshot", key, why: "reclaimed" });
  await until("snapshot");
  expect(types()).toEqual(["ahead", "call", "snapshot"]);
  const [ahead, forked] = [reports.find((r) => r.type === "ahead"), reports.find((r) => r.type === "call")];
  expect(forked?.images).toEqual(ahead?.images);
});

test("a process whose image fits no message ends with a sentence, instead of the link", async () => {
  const machines = engineMachines(await boot());
  const images = [{ id: imageId("huge"), bytes: new Uint8Array(LIMITS.placedBytes + 1) }];
  const { executor, reports, turn } = start({
    ...machines,
    // A real one would need minutes to fill as much memory with what cannot be compressed.
    fresh: (options) =>
      Object.assign(machines.fresh(options), {
        encodeImage: async () => ({ chain: images.map(({ id }) => id), images }),
      }),
  });
  executor.handle({ type: "place", home: HOME, key, place: place("for (;;);") });
  await turn();
  await turn();
  await turn();
  executor.handle({ type: "halt" });
  executor.handle({ type: "snapshot", key, why: "reclaimed" });
  const last = () => {
    turn.any();
    return reports.at(-1);
  };
  await expect.poll(last).toMatchObject({
    type: "failed",
    code: "ENOMEM",
    reason: expect.stringMatching(/too large to be sent: 161 MiB, compressed, where 160 are possible/),
  });
});

test("what a process takes of memory is told at once, however little it has computed", async () => {
  const { executor, reports, turn } = start(engineMachines(await boot()));
  const source =
    'import { recv } from "roost"; const kept = new Uint8Array(8 << 20).fill(1); recv(); kept[0]++;';
  executor.handle({ type: "place", home: HOME, key, place: place(source) });
  await expect
    .poll(() => {
      turn.any();
      return reports.some(({ type }) => type === "call");
    })
    .toBe(true);
  const told = reports.flatMap((report) => (report.type === "usage" ? [report.used] : []));
  expect(told.map(({ memoryBytes }) => memoryBytes > 8 << 20)).toEqual([true]);
  expect(told[0]?.cpuMs).toBeLessThan(LIMITS.usageEveryMs);
});
