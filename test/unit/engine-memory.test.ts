/** Memory between machines and images: compared, shared, and handed from one machine to the next without a trace. */
import binaryen from "binaryen";
import { describe, expect, test } from "vitest";
import {
  byBuffers,
  byViews,
  byWords,
  DIFFER_WASM,
  type Differ,
  differBetween,
} from "../../fabric/engine/differ.ts";
import { type Image, Machine, memoryOf } from "../../fabric/engine/index.ts";
import { layOver, PAGE_BYTES, UNKNOWN, ZEROS } from "../../fabric/engine/pages.ts";
import { bytesOf, NEVER, OPTIONS, runTo, theBase } from "./engine.kit.ts";

const answer = bytesOf("go on");

describe("comparing", () => {
  type Memory = WebAssembly.Memory;
  const ways: Record<string, (a: Memory, b: Memory) => Differ> = {
    "as the platform does it best": differBetween,
    "by Node's buffers": (a, b) => byViews(a, b, byBuffers),
    "word by word": (a, b) => byViews(a, b, byWords),
  };
  for (const [name, between] of Object.entries(ways))
    test(`${name}, a difference anywhere is found, and nowhere else`, () => {
      const [a, b] = [new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Memory({ initial: 2 })];
      const differ = between(a, b);
      expect(differ(0, 65536)).toBe(false);
      for (const at of [0, 1, 15, 63, 64, 4095, 4096, 40_000, 65_535]) {
        new Uint8Array(a.buffer)[at] = 1;
        expect(differ(0, 65536)).toBe(true);
        const line = at - (at % 64);
        expect(differ(line, line + 64)).toBe(true);
        if (line > 0) expect(differ(0, line)).toBe(false);
        if (line < 65536 - 64) expect(differ(line + 64, 65536)).toBe(false);
        new Uint8Array(b.buffer)[at] = 1;
      }
      a.grow(1);
      new Uint8Array(b.buffer)[70_000] = 1;
      expect(differ(0, 65536)).toBe(false);
      expect(differ(65536, 131072)).toBe(true);
    });

  test("its module is what its source assembles to", () => {
    const line = (offset: number) =>
      `(v128.xor (v128.load $a offset=${offset} (local.get $at)) (v128.load $b offset=${offset} (local.get $at)))`;
    const module = binaryen.parseText(`(module
      (import "" "a" (memory $a 0)) (import "" "b" (memory $b 0))
      (func (export "differ") (param $at i32) (param $end i32) (result i32)
        (loop $next
          (if (v128.any_true (v128.or (v128.or ${line(0)} ${line(16)}) (v128.or ${line(32)} ${line(48)})))
            (then (return (i32.const 1))))
          (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
        (i32.const 0)))`);
    module.setFeatures(binaryen.Features.SIMD128 | binaryen.Features.MultiMemory);
    module.optimize();
    expect(Buffer.from(module.emitBinary()).toString("base64")).toBe(DIFFER_WASM);
  });
});

test("laying pages over any others gives those pages and then zeros", () => {
  const three = new Uint8Array(3 * PAGE_BYTES).map((_, i) => 1 + (i % 251));
  const [a, b, c] = [0, 1, 2].map((n) => three.subarray(n * PAGE_BYTES, (n + 1) * PAGE_BYTES));
  if (!a || !b || !c) throw new Error("three pages");
  const lists = [
    [],
    [a],
    [a, b, c],
    [c, b, a],
    [ZEROS, b, c],
    [a, ZEROS, ZEROS, a],
    [a, b, ZEROS, ZEROS, c, c],
  ];
  const plain = (pages: readonly Uint8Array[]) =>
    Buffer.concat([...pages, ...Array.from({ length: 8 - pages.length }, () => ZEROS)]);
  for (const before of [...lists, [UNKNOWN, b, UNKNOWN, UNKNOWN]])
    for (const pages of lists) {
      const memory = new Uint8Array(plain(before.map((page) => (page === UNKNOWN ? c : page))));
      layOver(memory, pages, before);
      expect(Buffer.compare(memory, plain(pages))).toBe(0);
    }
});

describe("images of one machine", () => {
  const source = `const kept = Array.from({ length: 3000 }, (_, i) => ({ i })); ask("first"); kept[7].i = 9; ask("second");`;

  test("share the pages in between that have not changed", async () => {
    const machine = await runTo("first", source);
    const first = machine.image();
    machine.resume(NEVER(), answer);
    const second = machine.image();
    const shared = second.pages.filter((page, n) => page === first.pages[n]).length;
    expect(second.pages.length - shared).toBeLessThan(20);
    expect(shared).toBeGreaterThan(100);
  });

  test("are as if taken of machines that were never compared with anything", async () => {
    const machine = await runTo("first", source);
    const other = await runTo("x", `ask("x"); ask("y")`);
    const images: Image[] = [];
    for (const one of [machine, other, machine, other]) {
      images.push(one.image());
      one.resume(NEVER(), answer);
    }
    const again = Machine.restore(await theBase(), images[0] as Image, OPTIONS);
    again.resume(NEVER(), answer);
    expect(Buffer.compare(memoryOf(again.image()), memoryOf(images[2] as Image))).toBe(0);
  });
});

describe("an instance that another machine has left", () => {
  const secret = `const secret = "5ecre7".repeat(50_000).split("7"); ask("kept");`;

  test("holds nothing of it, and is like a new one", async () => {
    const hello = await runTo("hello", `ask("hello"); ask("again");`);
    const image = hello.image();
    hello.resume(NEVER(), answer);
    const next = hello.image();

    const before = await runTo("kept", secret);
    expect(Buffer.from(memoryOf(before.image())).includes("5ecre")).toBe(true);
    before[Symbol.dispose]();
    for (let i = 0; i < 5; i++) {
      const after = Machine.restore(await theBase(), image, OPTIONS); // one of these gets it
      expect(Buffer.from(memoryOf(after.image())).includes("5ecre")).toBe(false);
      after.resume(NEVER(), answer);
      expect(after.image().memoryBytes).toBe(next.memoryBytes);
      expect(Buffer.compare(memoryOf(after.image()), memoryOf(next))).toBe(0);
    }
  });

  test("nor where it is known what it held, also if what it said of its heap was a lie", async () => {
    const base = await theBase();
    const grows = `ask("hello"); const kept = Array.from({ length: 9000 }, (_, i) => [i]); ask(kept.length);`;
    const machine = await runTo("hello", grows);
    const image = machine.image();
    machine.resume(NEVER(), answer);
    const grown = memoryOf(machine.image());

    const { heapEnd } = base.addresses;
    const n = Math.floor(heapEnd / PAGE_BYTES);
    const lying = (of: Image): Image => {
      const page = Uint8Array.from(of.pages[n] ?? ZEROS);
      new DataView(page.buffer).setUint32(heapEnd % PAGE_BYTES, 40 * PAGE_BYTES, true);
      return { ...of, pages: of.pages.with(n, page) };
    };
    const filling = `const own = new Uint8Array(1e6); ask("first"); own.fill(77); ask("kept");`;
    const before = (await runTo("first", filling)).image();
    for (const held of [before, lying(before)]) {
      const machines = Array.from({ length: 4 }, () => Machine.restore(base, held, OPTIONS));
      for (const one of machines) {
        one.resume(NEVER(), answer);
        one.park(); // its instance goes to others, and holds what its image says
      }
      const others = machines.map(() => Machine.restore(base, image, OPTIONS));
      for (const one of others) {
        one.resume(NEVER(), answer);
        expect(Buffer.compare(memoryOf(one.image()), grown)).toBe(0);
      }
    }
  });

  test("fresh programs in it go as in a new one", async () => {
    const inNew = (await runTo("hello", `ask("hello")`)).image();
    (await runTo("kept", secret))[Symbol.dispose]();
    for (let i = 0; i < 5; i++)
      expect(Buffer.compare(memoryOf((await runTo("hello", `ask("hello")`)).image()), memoryOf(inNew))).toBe(
        0,
      );
  });
});

describe("a parked machine", () => {
  test("goes on where it was, whoever has used its instance meanwhile", async () => {
    const machine = await runTo("first", `let n = 0; ask("first"); for (;;) ask("n " + n++);`);
    for (let n = 0; n < 5; n++) {
      machine.park();
      machine.park();
      const image = machine.image();
      expect(machine.memoryBytes).toBe(image.memoryBytes);
      (await runTo("kept", `ask("kept")`))[Symbol.dispose]();
      const stop = machine.resume(NEVER(), answer);
      expect(stop.kind === "call" && Buffer.from(stop.request).toString()).toBe(`n ${n}`);
    }
  });
});
