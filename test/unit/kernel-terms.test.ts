/** What an owner allows, carried out by the kernel: on what is here, and on what homes are told. */
import { expect, test } from "vitest";
import { hostId, imageId, jobId } from "../../fabric/base/ids.ts";
import type { KernelEffect, KernelEvent } from "../../fabric/kernel/events.ts";
import { type HomeLink, stayKey } from "../../fabric/kernel/executor-messages.ts";
import { step } from "../../fabric/kernel/kernel.ts";
import { newKernel } from "../../fabric/kernel/state.ts";
import { NO_TERMS, type Terms } from "../../fabric/kernel/terms.ts";
import { type Message, NOTHING_LEARNED } from "../../fabric/wire/messages.ts";
import { snapshotOf } from "./home.kit.ts";
import { placeOf } from "./messages.kit.ts";

const STRANGER = 1 as HomeLink;
const OWN = 2 as HomeLink;

class Bench {
  readonly state = newKernel([0, 1]);
  constructor() {
    this.do({ type: "terms", terms: { ...NO_TERMS, taking: true } });
    this.do({ type: "linked", link: STRANGER, own: false, host: hostId("s".repeat(26)), name: "stranger" });
    this.do({ type: "linked", link: OWN, own: true, host: hostId("o".repeat(26)), name: "own" });
  }
  do(event: KernelEvent): KernelEffect[] {
    return step(this.state, event, 0);
  }
  allow(terms: Partial<Terms>): KernelEffect[] {
    return this.do({ type: "terms", terms });
  }
  place(link: HomeLink, n: number): number | undefined {
    this.do({ type: "message", link, message: placeBy(link, n) });
    return this.state.guests.get(keyOf(link, n))?.executor;
  }
  usage(link: HomeLink, n: number, memoryBytes: number): KernelEffect[] {
    const key = keyOf(link, n);
    const executor = this.state.guests.get(key)?.executor ?? 0;
    return this.do({
      type: "report",
      executor,
      report: { type: "usage", key, used: { cpuMs: 1, memoryBytes, polls: 1 } },
    });
  }
}

const placeBy = (link: HomeLink, n: number) => placeOf(n, { job: jobId(`job${link}`) });
const keyOf = (link: HomeLink, n: number) => stayKey(link, placeBy(link, n));

const commands = (effects: KernelEffect[]) =>
  effects.flatMap((effect) => (effect.type === "command" ? [effect.command] : []));
const slotsTold = (effects: KernelEffect[], link: HomeLink) =>
  effects.flatMap((e) =>
    e.type === "send" && e.link === link && e.message.type === "status" ? [e.message.slots] : [],
  );

test("fewer workers: what is on the others leaves, homes hear it, the owner's own work stays", () => {
  const bench = new Bench();
  expect([bench.place(STRANGER, 1), bench.place(STRANGER, 2)]).toEqual([0, 1]);
  bench.place(OWN, 3);
  bench.place(OWN, 4);
  const effects = bench.allow({ workers: 1 });
  expect(commands(effects).filter((c) => c.type === "snapshot")).toEqual([
    { type: "snapshot", key: keyOf(STRANGER, 2), why: "reclaimed" },
  ]);
  expect(slotsTold(effects, STRANGER)).toEqual([1]);
  expect(slotsTold(effects, OWN)).toEqual([2]);
  expect([bench.place(STRANGER, 5), bench.place(STRANGER, 6)]).toEqual([0, 0]);
});

test("held guests stand still until they are let go, except those that their home has stopped", () => {
  const bench = new Bench();
  bench.place(STRANGER, 1);
  bench.place(STRANGER, 2);
  bench.place(OWN, 3);
  const pauses = (effects: KernelEffect[]) => commands(effects).filter((c) => c.type === "pause");
  expect(pauses(bench.allow({ held: true, taking: false, reason: "paused" }))).toEqual([
    { type: "pause", key: keyOf(STRANGER, 1), paused: true },
    { type: "pause", key: keyOf(STRANGER, 2), paused: true },
  ]);
  const { job, pid, epoch } = placeBy(STRANGER, 1);
  const stop = (paused: boolean) =>
    pauses(
      bench.do({ type: "message", link: STRANGER, message: { type: "pause", job, pid, epoch, paused } }),
    );
  expect(stop(false)).toEqual([{ type: "pause", key: keyOf(STRANGER, 1), paused: true }]); // the owner's word counts
  stop(true);
  expect(pauses(bench.allow({ held: false }))).toEqual([
    { type: "pause", key: keyOf(STRANGER, 1), paused: true },
    { type: "pause", key: keyOf(STRANGER, 2), paused: false },
  ]);
});

test("beyond the memory the owner gives, the newest leaves and nothing more is taken", () => {
  const bench = new Bench();
  bench.allow({ memoryBytes: 100 });
  bench.place(STRANGER, 1);
  bench.place(STRANGER, 2);
  bench.usage(STRANGER, 1, 60);
  const effects = bench.usage(STRANGER, 2, 50);
  expect(commands(effects)).toEqual([{ type: "snapshot", key: keyOf(STRANGER, 2), why: "reclaimed" }]);
  expect(slotsTold(bench.usage(STRANGER, 1, 100), STRANGER)).toEqual([0]);
});

test("a job that asks for more memory a process than the owner gives is told both; the owner's own, and the usual, are not", () => {
  const bench = new Bench();
  const ask = (link: HomeLink, n: number, mib: number) =>
    bench
      .do({ type: "message", link, message: { ...placeBy(link, n), memoryBytesMax: mib * 2 ** 20 } })
      .flatMap((e) => (e.type === "send" && e.message.type === "refuse" ? [e.message.reason] : []));
  expect(ask(STRANGER, 1, 512)).toEqual([]);
  bench.allow({ memoryBytes: 64 * 2 ** 20 });
  expect(ask(STRANGER, 2, 512)).toEqual([
    "this job asks for 512 MiB of memory a process, and its owner gives 64 MiB in all",
  ]);
  expect([ask(STRANGER, 3, 128), ask(OWN, 4, 512)]).toEqual([[], []]);
});

test("what no process of would be taken is not made ready either, and its home does not wait for that", () => {
  const image = { id: imageId("a"), bytes: new Uint8Array(9) };
  const prepares = (bench: Bench, memoryBytesMax: number = 64 * 2 ** 20) => {
    const job = jobId("job");
    const chain = [image.id];
    const message: Message = { type: "prepare", job, chain, images: [image], memoryBytesMax };
    return bench
      .do({ type: "message", link: STRANGER, message })
      .flatMap((e) => (e.type === "send" ? e.message.type : e.type === "command" ? e.command.type : []));
  };
  expect(prepares(new Bench())).toEqual(["prepare"]);
  expect(prepares(new Bench(), 2 ** 46)).toEqual(["prepared"]);
  const frugal = new Bench();
  frugal.allow({ memoryBytes: 64 * 2 ** 20 });
  expect(prepares(frugal, 512 * 2 ** 20)).toEqual(["prepared"]);
  const back = new Bench();
  back.do({ type: "reclaim", reason: "its owner is back" });
  expect(prepares(back)).toEqual(["prepared"]);
});

test("a process goes to the worker where its image is ready; its siblings to the others, and so does what is prepared meanwhile", () => {
  const bench = new Bench();
  const image = (name: string) => ({ id: imageId(name), bytes: new Uint8Array(9) });
  const [a, b] = [image("a"), image("b")];
  const prepare = (one: typeof a): KernelEffect[] => {
    const chain = [one.id];
    const message = { type: "prepare" as const, job: jobId("job"), chain, images: [one], memoryBytesMax: 99 };
    return bench.do({ type: "message", link: STRANGER, message });
  };
  const executors = (effects: KernelEffect[]) =>
    effects.flatMap((e) => (e.type === "command" && e.command.type === "prepare" ? [e.executor] : []));
  const placed = (n: number, ...chain: (typeof a)[]) => {
    const snapshot = { ...snapshotOf(1), chain: chain.map(({ id }) => id) };
    const place = { ...placeBy(STRANGER, n), program: undefined, snapshot, images: chain };
    bench.do({ type: "message", link: STRANGER, message: place });
    return bench.state.guests.get(keyOf(STRANGER, n))?.executor;
  };
  expect(executors([...prepare(a), ...prepare(b)])).toEqual([0, 1]);
  for (const [executor, { id }] of [a, b].entries())
    bench.do({ type: "report", executor, report: { type: "prepared", image: id } });
  expect([placed(1, b), placed(2, b), placed(3, a), placed(4, a, b)]).toEqual([1, 0, 0, 1]);
});

const memoryTold = (effects: KernelEffect[], link: HomeLink) =>
  effects.flatMap((e) =>
    e.type === "send" && e.link === link && e.message.type === "status" ? [e.message.memoryBytes] : [],
  );

test("homes are told how much memory their processes may have: what the owner gives, where he says; his own jobs as much as there is", () => {
  const bench = new Bench();
  const most = Number.MAX_SAFE_INTEGER;
  const freely = bench.allow({ memoryBytes: Number.POSITIVE_INFINITY });
  expect([memoryTold(freely, STRANGER), memoryTold(freely, OWN)]).toEqual([[most], [most]]);
  const less = bench.allow({ memoryBytes: 1000.5 });
  expect([memoryTold(less, STRANGER), memoryTold(less, OWN)]).toEqual([[1000], [most]]);
});

test("what one home's processes have is not offered to another, which hears of it before it gets anything back", () => {
  const bench = new Bench();
  const OTHER = 3 as HomeLink;
  bench.do({ type: "linked", link: OTHER, own: false, host: hostId("t".repeat(26)), name: "other" });
  bench.allow({ memoryBytes: 100 });
  bench.place(STRANGER, 1);
  bench.place(OTHER, 2);
  expect(memoryTold(bench.usage(STRANGER, 1, 30), OTHER)).toEqual([70]);
  expect(memoryTold(bench.usage(OTHER, 2, 50), STRANGER)).toEqual([50]);
  const beyond = bench.usage(STRANGER, 1, 60);
  expect(commands(beyond)).toEqual([{ type: "snapshot", key: keyOf(OTHER, 2), why: "reclaimed" }]);
  expect([memoryTold(beyond, OTHER), memoryTold(beyond, STRANGER)]).toEqual([[40], [100]]);
  expect(memoryTold(bench.do({ type: "unlinked", link: STRANGER }), OTHER)).toEqual([100]);
});

/** Homes send an image, and then a process that continues it. */
function withImages(bench: Bench) {
  const chainOf = (link: HomeLink) => [imageId(`image of ${link}`)];
  return {
    prepare(link: HomeLink, size: number) {
      const images = chainOf(link).map((id) => ({ id, bytes: new Uint8Array(size) }));
      const { job } = placeBy(link, 1);
      const message: Message = { type: "prepare", job, chain: chainOf(link), images, memoryBytesMax: 99 };
      bench.do({ type: "message", link, message });
    },
    /** Whether what was sent before can be continued. */
    isKept(link: HomeLink, n: number) {
      const snapshot = { ...snapshotOf(1), chain: chainOf(link) };
      const message = { ...placeBy(link, n), program: undefined, snapshot };
      const effects = bench.do({ type: "message", link, message });
      return !effects.some((e) => e.type === "send" && e.message.type === "refuse");
    },
  };
}

test("images are kept for others in as much memory as the owner gives, those of the home with the most given up first", () => {
  const bench = new Bench();
  const [SECOND, THIRD] = [3 as HomeLink, 4 as HomeLink];
  for (const link of [SECOND, THIRD])
    bench.do({ type: "linked", link, own: false, host: hostId("t".repeat(26)), name: "other" });
  const { prepare, isKept } = withImages(bench);
  bench.allow({ memoryBytes: 100 });
  prepare(OWN, 1000);
  prepare(STRANGER, 30);
  prepare(SECOND, 60);
  expect([OWN, STRANGER, SECOND].map((link) => isKept(link, 1))).toEqual([true, true, true]);
  prepare(THIRD, 50);
  expect([OWN, STRANGER, SECOND, THIRD].map((link) => isKept(link, 2))).toEqual([true, true, false, true]);
  bench.allow({ memoryBytes: 40 });
  expect([OWN, STRANGER, THIRD].map((link) => isKept(link, 3))).toEqual([true, true, false]);
});

test("after a reclaim nothing is kept of others, in any worker; what the owner's own processes continue is", () => {
  const bench = new Bench();
  const { prepare, isKept } = withImages(bench);
  prepare(STRANGER, 30);
  prepare(OWN, 30);
  bench.do({ type: "reclaim", reason: "back" });
  const halted = (executor: number) => bench.do({ type: "report", executor, report: { type: "halted" } });
  expect(commands(halted(0))).toEqual([]);
  expect(commands(halted(1)).map(({ type }) => type)).toEqual(["tidy", "tidy", "go", "go"]);
  bench.allow({ ...NO_TERMS, taking: true });
  expect([isKept(STRANGER, 1), isKept(OWN, 1)]).toEqual([false, true]);
});

test("a share of the time goes to every worker, and to those that start later", () => {
  const bench = new Bench();
  const paces = (effects: KernelEffect[]) => commands(effects).filter((c) => c.type === "pace");
  expect(paces(bench.allow({ share: 0.5 }))).toHaveLength(2);
  expect(paces(bench.do({ type: "executorStarted", executor: 2 }))).toEqual([{ type: "pace", share: 0.5 }]);
});

test("what was given to others is counted to the last, also of those that are gone; what is one's own is not", () => {
  const bench = new Bench();
  const used = (link: HomeLink, n: number, cpuMs: number, why?: "recalled") => {
    const key = keyOf(link, n);
    const used = { cpuMs, memoryBytes: 1, polls: 1 };
    const gone = { snapshot: undefined, images: [], learned: NOTHING_LEARNED, tookMs: 0 };
    bench.do({
      type: "report",
      executor: bench.state.guests.get(key)?.executor ?? 0,
      report: why ? { type: "snapshot", key, why, ...gone, used } : { type: "usage", key, used },
    });
  };
  for (const n of [1, 2]) bench.place(STRANGER, n);
  bench.place(OWN, 3);
  used(STRANGER, 1, 30);
  used(OWN, 3, 500);
  used(STRANGER, 2, 7, "recalled");
  used(STRANGER, 1, 45, "recalled");
  expect(bench.state.given).toEqual({ hosted: 2, cpuMs: 52 });
});

test("a host that may be gone before long sends what has been computed there since it was last written down", () => {
  const bench = new Bench();
  for (const [link, n] of [
    [STRANGER, 1],
    [STRANGER, 2],
    [OWN, 3],
  ] as const)
    bench.place(link, n);
  const saved = () =>
    commands(bench.do({ type: "save" })).flatMap((command) =>
      command.type === "snapshot" && command.why === "save" && command.hurries ? [command.key] : [],
    );
  expect(saved()).toEqual([]); // their homes have what they are
  for (const [link, n] of [
    [STRANGER, 1],
    [OWN, 3],
  ] as const)
    bench.usage(link, n, 1 << 20);
  expect(saved()).toEqual([keyOf(STRANGER, 1), keyOf(OWN, 3)]);
  expect(saved()).toEqual([]);
});
