/** Many processes on one worker: those that have not run for long give their instances to others, and notice nothing. */
import { describe, expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { engineMachines } from "../../fabric/host/engine-machines.ts";
import type { Machines, RunningMachine } from "../../fabric/host/machines.ts";
import type { EncodedImage } from "../../fabric/wire/messages.ts";
import { bytesOf, NEVER, OPTIONS, program, theBase, words } from "./engine.kit.ts";
import { limited } from "./home.kit.ts";

const COUNT = 80;

/** Every child has something of its own, deep in a call. */
const SOURCE = program(`
  const shared = Array.from({ length: 500 }, (_, i) => ({ i, text: "item " + i }));
  function child(me) {
    const own = Array.from({ length: 20 }, (_, i) => me + "." + i);
    const deep = (n) => (n ? deep(n - 1) : ask("child " + me + " of " + own.length + " " + shared[499].text));
    for (let round = 0; ; round++) { own.push(round); deep(20); }
  }
  for (let n = 0; ; n++) { const me = ask("fork " + n); if (me !== "parent") child(me); }`);

const said = (machine: RunningMachine, answer: string): string => {
  const stop = machine.resume(NEVER(), bytesOf(answer));
  if (stop.kind !== "call") throw new Error(`stopped for a ${stop.kind}`);
  return words(stop.request);
};

function whole(restored: RunningMachine | Invalid): RunningMachine {
  if (restored instanceof Invalid) throw new Error(restored.reason);
  return restored;
}

async function encoded(machine: RunningMachine, known: Map<string, EncodedImage>): Promise<EncodedImage[]> {
  const { chain, images } = await machine.encodeImage();
  for (const image of images) known.set(image.id, image);
  return chain.flatMap((id) => known.get(id) ?? []);
}

test(`${COUNT} processes on one worker go on, fork and move as if each had it for itself`, async () => {
  const here = engineMachines(await theBase());
  const elsewhere = engineMachines(await theBase());
  const known = new Map<string, EncodedImage>();
  const parent = here.fresh(OPTIONS);
  parent.start(SOURCE, NEVER());
  const children: RunningMachine[] = [];
  for (let n = 0; n < COUNT; n++) {
    const child = whole(await here.restore(await encoded(parent, known), OPTIONS));
    expect(said(child, `c${n}`)).toBe(`child c${n} of 21 item 499`);
    expect(said(parent, "parent")).toBe(`fork ${n + 1}`);
    children.push(child);
  }
  for (let round = 1; round < 4; round++)
    for (let i = 0; i < COUNT; i++) {
      const n = (i * 37 + round) % COUNT; // in another order each time
      const child = children[n] as RunningMachine;
      expect(said(child, "go on")).toBe(`child c${n} of ${21 + round} item 499`);
    }
  for (let n = 0; n < COUNT; n += 7) {
    const child = children[n] as RunningMachine; // most of them without an instance
    const moved = whole(await elsewhere.restore(await encoded(child, known), OPTIONS));
    expect(said(moved, "go on")).toBe(`child c${n} of 25 item 499`);
    expect(said(child, "go on")).toBe(`child c${n} of 25 item 499`);
    const again = whole(await elsewhere.restore(await encoded(child, known), OPTIONS));
    expect(said(again, "go on")).toBe(`child c${n} of 26 item 499`);
  }
  expect(said(parent, "parent")).toBe(`fork ${COUNT + 1}`);
});

test("a machine that was made ready becomes whatever the process has become meanwhile, however often", async () => {
  const here = engineMachines(await theBase());
  const known = new Map<string, EncodedImage>();
  const moving = here.fresh(OPTIONS);
  moving.start(
    program(`
      const kept = []; // grows past the memory it had, and shrinks
      const deep = (n, text) => (n ? deep(n - 1, text) : ask(text));
      for (let n = 0; ; n++) {
        if (n % 3 === 2) kept.length = 1; else kept.push(new Uint8Array(1 << 20).fill(n + 1));
        deep(10 * (n % 4), n + ": " + kept.map((bytes) => bytes[0] + bytes.at(-1)).join());
      }`),
    NEVER(),
  );
  for (const prepares of [0, 1, 3]) {
    const elsewhere = engineMachines(await theBase());
    for (let n = 0; n < prepares; n++) {
      await elsewhere.prepare(await encoded(moving, known), OPTIONS);
      said(moving, "go on");
    }
    const stranger = engineMachines(await theBase()).fresh(OPTIONS);
    stranger.start(SOURCE, NEVER());
    const chain = await encoded(moving, known);
    // What somebody else is restored of meanwhile is not taken from what was made ready.
    expect(said(whole(await elsewhere.restore(await encoded(stranger, known), OPTIONS)), "me")).toMatch(
      /^child me/,
    );
    const moved = whole(await elsewhere.restore(chain, OPTIONS));
    const forgotten = engineMachines(await theBase());
    await forgotten.prepare(chain, OPTIONS);
    forgotten.dropPrepared();
    const afresh = whole(await forgotten.restore(chain, OPTIONS));
    for (let n = 0; n < 4; n++) {
      const next = said(moving, "go on");
      expect([said(moved, "go on"), said(afresh, "go on")]).toEqual([next, next]);
    }
    expect((await moved.encodeImage()).chain).toEqual((await afresh.encodeImage()).chain);
  }
});

test("an owner who has the machine back has its memory back, but for what is still here", async () => {
  const machines = engineMachines(await theBase());
  const machine = machines.fresh(OPTIONS);
  machine.start(SOURCE, NEVER());
  const { chain: ids, images } = await machine.encodeImage();
  const named = ids.map((id) => ({ id, bytes: new Uint8Array() }));
  whole(await machines.restore(named, OPTIONS)); // from what is kept, without its bytes
  machines.tidy();
  expect(await machines.restore(named, OPTIONS)).toBeInstanceOf(Invalid);
  const again = whole(await machines.restore(images, OPTIONS));
  expect(said(again, "parent")).toEqual(said(machine, "parent"));
});

test("a large image is a chain of parts, of which only the whole can be restored", {
  timeout: 240_000,
}, async () => {
  const known = new Map<string, EncodedImage>();
  const machine = engineMachines(await theBase()).fresh(OPTIONS);
  machine.start(
    program(`
      const kept = new Uint32Array(12 << 18);
      for (let n = 1; ; n++) {
        for (let i = 0; i < kept.length; i += n) kept[i] = i * n;
        ask("round " + n + ": " + kept.reduce((sum, x) => (sum + x) % 1e9, 0));
      }`),
    NEVER(),
  );
  const whole1 = await encoded(machine, known);
  expect(whole1.length).toBeGreaterThan(5);
  const there = engineMachines(await theBase());
  expect(await there.restore(whole1.slice(0, -1), OPTIONS)).toBeInstanceOf(Invalid);
  const moved = whole(await there.restore(whole1, OPTIONS));
  for (let round = 2; round < 12; round++) {
    expect(said(moved, "go on")).toBe(said(machine, "go on"));
    const chain = await encoded(machine, known);
    // One that continues it, or, where that would be long or heavy, another whole.
    expect(chain.length).toBeLessThanOrEqual(LIMITS.imageChain * LIMITS.imageParts);
    expect((await encoded(moved, new Map(known))).at(-1)?.id).toBe(chain.at(-1)?.id);
  }
  const elsewhere = whole(
    await engineMachines(await theBase()).restore(await encoded(moved, known), OPTIONS),
  );
  expect(said(elsewhere, "go on")).toBe(said(machine, "go on"));
});

test("a large machine is made ready by steps, others run in between, and it is given up at any of them", async () => {
  const known = new Map<string, EncodedImage>();
  const machine = engineMachines(await theBase()).fresh(OPTIONS);
  machine.start(
    program(`
      const kept = new Uint32Array(12 << 18).map((_, i) => i);
      for (let n = 1; ; n++) ask("sum " + n + ": " + kept.reduce((sum, x) => (sum + x * n) % 1e9, 0));`),
    NEVER(),
  );
  const chain = await encoded(machine, known);
  const next = said(machine, "go on");
  const prepared = async (breathe: (breaths: number, machines: Machines) => unknown) => {
    const machines = engineMachines(await theBase());
    let breaths = 0;
    await machines.prepare(chain, OPTIONS, async () => void breathe(++breaths, machines));
    expect(said(whole(await machines.restore(chain, OPTIONS)), "go on")).toBe(next);
    return breaths;
  };
  const all = await prepared(() => {});
  expect(all).toBeGreaterThan(chain.length);
  for (const last of [1, chain.length, all])
    expect(await prepared((n, machines) => n === last && machines.dropPrepared())).toBe(last);
});

describe("a process that is written down again and again", () => {
  /** Of 2 MiB that do not compress. `change` is run before each round, with its number as `n`. */
  const begun = async (change: string) => {
    const machine = engineMachines(await theBase()).fresh(OPTIONS);
    machine.start(
      program(`
        let x = 1;
        const random = () => (x = (x * 48271) % 2147483647);
        const kept = new Uint32Array(2 << 18).map(random);
        ask("whole");
        for (let n = 0; ; n++) { ${change}; ask("changed"); }`),
      NEVER(),
    );
    const sizes = new Map<string, number>();
    const written = async (leaves = false) => {
      const { chain, images } = await machine.encodeImage({ leaves });
      for (const { id, bytes } of images) sizes.set(id, bytes.length);
      const sizeOf = (ids: readonly string[]) => ids.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0);
      return { names: chain.length, bytes: sizeOf(images.map(({ id }) => id)), chainBytes: sizeOf(chain) };
    };
    const next = (leaves?: boolean) => {
      said(machine, "go on");
      return written(leaves);
    };
    return { whole: await written(), next };
  };
  const rounds = async (pagesAtFirst: number) => {
    const { next } = await begun(
      `for (let i = 0; i < (n ? 1 : ${pagesAtFirst}); i++) kept[(n + i) % 512 * 1024] = random()`,
    );
    const all = [await next()];
    while (all.length < 40) all.push(await next(all.length % 2 === 1));
    return all.slice(1);
  };

  test("what has changed of a large one is written once; a little one's chain stays short", async () => {
    expect(Math.max(...(await rounds(400)).map(({ bytes }) => bytes))).toBeLessThan(1024);
    expect(Math.max(...(await rounds(20)).map(({ names }) => names))).toBeLessThanOrEqual(
      2 * LIMITS.imageChain,
    );
  });

  test("is written whole when its changes are as much, but not while it waits for that", async () => {
    const { whole, next } = await begun(
      `for (let i = 0; i < (n < 2 ? kept.length : 1); i++) kept[i] = random()`,
    );
    for (let n = 0; n < 2; n++) expect((await next()).bytes).toBeGreaterThan(whole.bytes / 2);
    expect((await next(true)).bytes).toBeLessThan(1024);
    expect((await next()).bytes).toBeGreaterThan(whole.bytes / 2);
  });

  test("its chain is never more than a home accepts, and is begun anew before", async () => {
    const [placedBytes, chainBytes] = [5 << 19, 5 << 20];
    using _limits = limited({ placedBytes, chainBytes });
    const { next } = await begun(`for (let i = 0; i < kept.length; i++) kept[i] = random()`);
    for (let n = 0; n < 4; n++) {
      const written = await next(true);
      expect(written.bytes).toBeLessThanOrEqual(placedBytes);
      expect(written.chainBytes).toBeLessThanOrEqual(chainBytes);
    }
  });
});

test("what a process has grown by is written once, wherever it goes on", async () => {
  const known = new Map<string, EncodedImage>();
  const machine = engineMachines(await theBase()).fresh(OPTIONS);
  machine.start(
    program(`
      let x = 1;
      let kept = [];
      ask("little");
      kept = new Uint32Array(3 << 18).map(() => (x = (x * 48271) % 2147483647));
      for (let n = 0; ; n++) { kept[n]++; ask("changed"); }`),
    NEVER(),
  );
  const little = await encoded(machine, known);
  expect(said(machine, "grow")).toBe("changed");
  const chain = await encoded(machine, known);
  expect(chain.length).toBeGreaterThan(little.length);
  const moved = whole(await engineMachines(await theBase()).restore(chain, OPTIONS));
  for (const one of [machine, moved]) {
    for (let n = 0; n < 20; n++) {
      said(one, "go on");
      const { images } = await one.encodeImage();
      expect(images.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(2048);
    }
  }
});

test("a process that is put by takes a few KiB, and what it brought to this host is let go", async () => {
  const machines = engineMachines(await theBase());
  const known = new Map<string, EncodedImage>();
  const parent = machines.fresh(OPTIONS);
  parent.start(SOURCE, NEVER());
  const children: RunningMachine[] = [];
  const bear = async (count: number) => {
    for (let n = 0; n < count; n++) {
      children.push(whole(await machines.restore(await encoded(parent, known), OPTIONS)));
      said(children.at(-1) as RunningMachine, `c${children.length}`);
      said(parent, "parent");
    }
  };
  const memory = () => process.memoryUsage().external;
  await bear(100);
  const before = memory();
  await bear(200);
  // With their instances they would take 250 MiB. Much of what is counted is garbage, and images kept for siblings.
  expect((memory() - before) / 200).toBeLessThan(256 * 1024);
});

test("one that stands still to be written lets others run only where there is much to write", async () => {
  const machines = engineMachines(await theBase());
  const machine = machines.fresh(OPTIONS);
  machine.start(
    program(`
      const kept = new Uint8Array(8 << 20);
      for (let i = 0, x = 1; i < kept.length; i += 16) kept[i] = x = (x * 48271) % 2147483647;
      for (let n = 0; ; n++) { ask("" + n); for (let i = 0; i < 1 << 20; i += 16) kept[i] += i; }`),
    NEVER(),
  );
  const breaths = async (standsStill: boolean) => {
    let count = 0;
    await machine.encodeImage({ breathe: async () => void count++, standsStill });
    return count;
  };
  expect(await breaths(true)).toBeGreaterThan(0);
  expect(said(machine, "on")).toBe("1");
  expect(await breaths(true)).toBe(0);
  expect(said(machine, "on")).toBe("2");
  expect(await breaths(false)).toBeGreaterThan(0);
});
