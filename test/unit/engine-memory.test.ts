/** Memory between machines and images: compared, shared, and handed from one machine to the next without a trace. */
import binaryen from "binaryen";
import { describe, expect, test } from "vitest";
import {
  FINGERPRINT_WASM,
  FINGERPRINT_WORDS,
  Fingerprints,
  ROOM_BYTES,
} from "../../fabric/engine/fingerprint.ts";
import type { Host } from "../../fabric/engine/imports.ts";
import { type Image, Machine, memoryOf } from "../../fabric/engine/index.ts";
import { layOver, PAGE_BYTES, UNKNOWN, ZEROS } from "../../fabric/engine/pages.ts";
import { bytesOf, NEVER, OPTIONS, runTo, theBase } from "./engine.kit.ts";

const answer = bytesOf("go on");

describe("fingerprints of pages", () => {
  const line = 64;
  const memoryOfPages = (pages: number) => {
    const memory = new WebAssembly.Memory({ initial: (pages * PAGE_BYTES + ROOM_BYTES) / 65536 });
    const bytes = new Uint8Array(memory.buffer, 0, pages * PAGE_BYTES);
    return { memory, bytes, fingerprints: new Fingerprints(memory) };
  };
  const textOf = (words: Uint32Array) => [...words].join();

  test("every byte of a page counts, and no other page's", () => {
    const { bytes, fingerprints } = memoryOfPages(32);
    const first = fingerprints.of(0, bytes.length).slice();
    const seen = new Set([textOf(first.subarray(FINGERPRINT_WORDS, 2 * FINGERPRINT_WORDS))]);
    for (let at = PAGE_BYTES; at < 2 * PAGE_BYTES; at++) {
      bytes[at] = 1;
      const now = fingerprints.of(0, bytes.length).slice();
      seen.add(textOf(now.subarray(FINGERPRINT_WORDS, 2 * FINGERPRINT_WORDS)));
      now.set(first.subarray(FINGERPRINT_WORDS, 2 * FINGERPRINT_WORDS), FINGERPRINT_WORDS);
      expect(textOf(now)).toBe(textOf(first));
      bytes[at] = 0;
    }
    expect(seen.size).toBe(1 + PAGE_BYTES);
  });

  test("changes that cancel out in sums and in exclusive ors do not cancel out here", () => {
    const { bytes, fingerprints } = memoryOfPages(16);
    const words = new Uint32Array(bytes.buffer, 0, PAGE_BYTES / 4);
    const seen = new Set([textOf(fingerprints.of(0, PAGE_BYTES))]);
    let count = 1;
    for (const apart of [1, 4, 8, 16, 32, 512])
      for (const by of [1, 0x8000_0000])
        for (let n = 0; n + apart < words.length; n++, count++) {
          words[n] = by;
          words[n + apart] = -by;
          seen.add(textOf(fingerprints.of(0, PAGE_BYTES)));
          words[n] = words[n + apart] = 0;
        }
    expect(seen.size).toBe(count);
  });

  test("equal pages have equal ones, wherever they are, also when the memory has grown", () => {
    const { memory, bytes, fingerprints } = memoryOfPages(16);
    bytes.fill(7, 0, PAGE_BYTES);
    bytes.fill(7, 5 * PAGE_BYTES, 6 * PAGE_BYTES);
    const seven = textOf(fingerprints.of(0, PAGE_BYTES));
    expect(textOf(fingerprints.of(5 * PAGE_BYTES, 6 * PAGE_BYTES))).toBe(seven);
    const zeros = textOf(fingerprints.ofZeros());
    expect(textOf(fingerprints.of(PAGE_BYTES, 2 * PAGE_BYTES))).toBe(zeros);
    memory.grow(3);
    expect(textOf(fingerprints.of(0, PAGE_BYTES))).toBe(seven);
    expect(textOf(fingerprints.ofZeros())).toBe(zeros);
  });

  test("an instance that is given back keeps none of those of its pages", async () => {
    const { instances, pages, memory } = await theBase();
    const instance = instances.take({ memoryBytesMax: memory.length } as Host, pages, memory.length);
    instances.read(instance, memory.length, pages);
    const { buffer } = instance.memory;
    const results = new Uint8Array(buffer, buffer.byteLength - ROOM_BYTES + 8192);
    expect(results.some((byte) => byte !== 0)).toBe(true);
    instances.give(instance);
    expect(results.some((byte) => byte !== 0)).toBe(false);
  });

  test("the function is what its source assembles to", () => {
    const load = (base: string, offset: number) => `(v128.load offset=${offset} (local.get ${base}))`;
    const [a, b] = ["(local.get $a)", "(local.get $b)"];
    /** Adds the products of what is in `x` and `y`, 16 bytes each, to a sum. */
    const add = (sum: string, x: string, y: string, key: number) => `
      (local.set $p (i32x4.add ${x} ${load("$key", key)}))
      (local.set $q (i32x4.add ${y} ${load("$key", key + 16)}))
      (local.set ${sum} (i64x2.add
        (i64x2.add (local.get ${sum}) (i64x2.extmul_low_i32x4_u (local.get $p) (local.get $q)))
        (i64x2.extmul_high_i32x4_u (local.get $p) (local.get $q))))`;
    const module = binaryen.parseText(`(module
      (import "" "memory" (memory 0))
      (func (export "fingerprint") (param $at i32) (param $end i32) (param $keys i32) (param $out i32)
        (local $key i32) (local $pageEnd i32) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
        (local $p v128) (local $q v128) (local $one v128) (local $two v128) (local $three v128)
        (loop $pages
          (local.set $key (local.get $keys))
          (local.set $pageEnd (i32.add (local.get $at) (i32.const ${PAGE_BYTES})))
          (local.set $one (v128.const i64x2 0 0))
          (local.set $two (v128.const i64x2 0 0))
          (local.set $three (v128.const i64x2 0 0))
          (loop $lines
            (local.set $a ${load("$at", 0)})
            (local.set $b ${load("$at", 16)})
            ${add("$one", a as string, b as string, 0)}
            (local.set $c ${load("$at", 32)})
            (local.set $d ${load("$at", 48)})
            (local.set $a (v128.xor (local.get $a) (local.get $c)))
            (local.set $b (v128.xor (local.get $b) (local.get $d)))
            ${add("$two", "(local.get $c)", "(local.get $d)", 32)}
            ${add("$three", a as string, b as string, 64)}
            (local.set $key (i32.add (local.get $key) (i32.const 96)))
            (br_if $lines (i32.lt_u
              (local.tee $at (i32.add (local.get $at) (i32.const ${line})))
              (local.get $pageEnd))))
          (local.set $one (i64x2.add (local.get $one) (local.get $three)))
          (local.set $two (i64x2.add (local.get $two) (local.get $three)))
          (v128.store (local.get $out) (i64x2.add
            (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $one) (local.get $two))
            (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $one) (local.get $two))))
          (local.set $out (i32.add (local.get $out) (i32.const 16)))
          (br_if $pages (i32.lt_u (local.get $at) (local.get $end))))))`);
    module.setFeatures(binaryen.Features.SIMD128);
    module.optimize();
    expect(Buffer.from(module.emitBinary()).toString("base64")).toBe(FINGERPRINT_WASM);
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
  const source = `const kept = Array.from({ length: 3000 }, (_, i) => ({ i })); ask("first"); kept[7].i = 9; ask("second"); kept[8].i = 7; ask("third"); kept[9].i = 8; ask("fourth");`;

  test("share the pages in between that have not changed", async () => {
    const machine = await runTo("first", source);
    const first = machine.image();
    machine.resume(NEVER(), answer);
    const second = machine.image();
    const shared = second.pages.filter((page, n) => page === first.pages[n]).length;
    expect(second.pages.length - shared).toBeLessThan(20);
    expect(shared).toBeGreaterThan(100);
  });

  test("are the same whether some of it was read ahead or not, whatever has changed meanwhile", async () => {
    const grows = `
      const kept = []; ask("little");
      for (let i = 0; i < 200_000; i++) kept.push({ i }); ask("grown");
      for (let i = 0; i < kept.length; i += 1000) kept[i].i = -1; ask("changed");
      kept.length = 0; for (let i = 0; i < 300_000; i++) kept.push({ i }); ask("grown again");`;
    const [machine, other] = [await runTo("little", grows), await runTo("little", grows)];
    let steps = 0;
    for (const one of [machine, other]) {
      one.image();
      one.resume(NEVER(), answer);
    }
    for (let round = 0; round < 2; round++) {
      while (machine.readAhead()) steps++;
      for (const one of [machine, other]) one.resume(NEVER(), answer);
      expect(Buffer.compare(memoryOf(machine.image()), memoryOf(other.image()))).toBe(0);
    }
    expect(steps).toBeGreaterThan(5);
  });

  test("make the same child while the machine waits, when it has gone on, and when it has left", async () => {
    const base = await theBase();
    const machine = await runTo("first", source);
    /** What a child of an image comes to with one answer more. */
    const childOf = (image: Image) => {
      using child = Machine.restore(base, image, OPTIONS);
      child.resume(NEVER(), answer);
      const memory = memoryOf(child.image());
      child.resume(NEVER(), answer); // of what it leaves, nothing is known
      return memory;
    };
    const goesOn = () => {
      machine.resume(NEVER(), answer);
      return machine.image();
    };
    machine.image();
    const second = goesOn();
    const early = childOf(second);
    const third = goesOn();
    expect(Buffer.compare(early, memoryOf(third))).toBe(0);
    machine.resume(NEVER(), answer);
    const late = childOf(third);
    const fourth = memoryOf(machine.image());
    expect(Buffer.compare(late, fourth)).toBe(0);
    machine[Symbol.dispose]();
    expect(Buffer.compare(childOf(third), fourth)).toBe(0);
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
