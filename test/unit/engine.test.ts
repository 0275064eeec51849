/** The engine: programs that are stopped, moved and copied in the middle of whatever they do must not notice. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { ensureEngine } from "../../fabric/engine/build/main.ts";
import {
  bootBase,
  decodeImage,
  encodeBase,
  encodeImage,
  type Image,
  imageId,
  loadEngine,
  Machine,
  memoryOf,
  withKeptBase,
} from "../../fabric/engine/index.ts";
import { ZEROS } from "../../fabric/engine/pages.ts";
import { ofCalm, states } from "../browser/pages/engine/states.ts";
import {
  ALWAYS,
  bytesOf,
  ENGINE_FILE,
  finish,
  imageOf,
  NEVER,
  OPTIONS,
  PRELUDE,
  program,
  run,
  runTo,
  theBase,
  theEngine,
  words,
} from "./engine.kit.ts";

/** Long enough to be polled, in the middle of everything. */
const WORK = `function work(n) { let x = n; for (let i = 0; i < 3000; i++) x = (x * 31 + i) % 1000003; return x; }`;

/** Each suspends inside something that QuickJS implements in C, or that must be undone on the way out. */
const SCENES: Record<string, string> = {
  "nested calls": `function deep(n) { return n ? deep(n - 1) + work(n) % 7 + ":" : ask("deep"); } print(deep(40));`,
  "a sort's comparison": `print([5, 3, 9, 1, 7].sort((a, b) => { ask("compare"); work(a); return a - b; }));`,
  "a sort of typed numbers": `print(new Float64Array([5, 3, 9, 1]).sort((a, b) => { ask("c"); work(1); return b - a; }));`,
  "getters, setters and proxies": `
    const o = { get x() { return ask("get") + work(1); }, set x(v) { ask("set"); this.y = v + work(2); } };
    const p = new Proxy(o, { get: (t, k) => { ask("trap"); return Reflect.get(t, k); }, has: () => ask("has") !== "" });
    o.x = 5; print(p.x, p.y, "z" in p);`,
  generators: `
    function* inner(n) { try { while (n--) yield ask("yield") + work(n); } finally { ask("closed"); print("closed"); } }
    function* outer() { yield* inner(3); const [first] = inner(5); yield first; }
    print([...outer()].join());`,
  "try, catch and finally": `
    function f(n) { try { if (n === 0) throw new RangeError(ask("throw")); return f(n - 1); }
      catch (e) { ask("caught"); work(n); e.message += n; throw e; } finally { ask("finally"); work(n); print("finally", n); } }
    try { f(4); } catch (e) { print(e.name, e.message, e.stack.split("\\n").length); }`,
  "destructuring and iterators closed by an exception": `
    const it = { [Symbol.iterator]: () => ({ i: 0, next() { ask("next"); return { value: this.i++, done: false }; }, return() { ask("return"); print("returned"); return {}; } }) };
    try { for (const x of it) { work(x); if (x === 3) throw new Error("three"); } } catch (e) { print(e.message); }
    const [a, b] = it; print(a, b);`,
  "callbacks of builtins": `
    print("a-b-c".replace(/[a-z]/g, (c) => ask(c) + work(1)), [3, 1, 2].map((x) => x + ask("m").length + work(x)), JSON.stringify({ a: { toJSON: () => ask("json") } }));
    print(JSON.parse("[1,[2,3]]", (k, v) => { ask("revive"); return Array.isArray(v) ? v : v + work(1); }), Array.from({ length: 3 }, (_, i) => ask("from") + i));
    print(new Map([[1, 2]]).forEach((v) => ask("each")), \`\${{ toString: () => ask("string") }}\`, +{ valueOf: () => ask("value").length });
    print(Reflect.apply((x) => ask(x), null, ["reflect"]), ((x) => ask(x)).bind(null, "bound")(), [1, 2, 3].reduce((a, x) => a + ask("r").length * x, 0));`,
  classes: `
    class A { #n = ask("field"); static s = ask("static"); constructor() { ask("new"); this.m = work(3); } get n() { return this.#n; } }
    class B extends A { constructor() { ask("before"); super(); ask("after"); } toString() { return super.n + this.m + B.s; } }
    print(new B());`,
  "eval and new Function": `globalThis.ask = ask; print(eval("ask('eval') + 1"), new Function("return ask('function')")(), (0, eval)("ask('indirect')"));`,
  "regular expressions that are polled": `print(/^(a|aa)+$/.test("a".repeat(27) + "b"));`,
  "promises and async functions": `
    const later = (x) => Promise.resolve(x).then((y) => { ask("then"); work(1); return y + 1; });
    async function f(n) { if (n === 0) throw new Error(await later(0)); try { return await f(n - 1); } finally { ask("async finally"); print("async", n, await later(n)); } }
    async function* g() { for (let i = 0; i < 3; i++) { ask("g"); yield await later(i); } }
    for await (const x of g()) print("got", x, work(x));
    await f(3).catch((e) => print("caught", e.message));
    print(await Promise.all([1, 2, 3].map(async (x) => (await later(x)) + ask("all"))));`,
  "numbers of all kinds": `
    let b = 1n; for (let i = 1n; i < 200n; i++) b *= i; let f = 0.1; for (let i = 0; i < 5000; i++) f = f * 1.0001 + 1e-9;
    print(b % 1000000007n, f, ask("x").length / 3, work(-5), 0xffffffff | 0, 2 ** 53);`,
};

/** Far more frames than a segment of the stack holds. */
const DEEP = `const down = (n) => (n === 0 ? 0 : down(n - 1) + ask("at " + n).length);
print(down(4000));`;

describe("a program notices nothing", () => {
  for (const [name, source] of Object.entries(SCENES))
    test(`of ${name}, stopped at every poll and call, each time in another instance`, async () => {
      const undisturbed = await run(`${WORK}\n${source}`);
      expect(undisturbed.end).toBe("exit");
      expect(undisturbed.output.length).toBeGreaterThan(0);
      const moved = await run(`${WORK}\n${source}`, { world: ALWAYS(), move: "instance" });
      expect(moved.end).toBe("exit");
      expect(moved.output).toEqual(undisturbed.output);
      expect(moved.moves).toBeGreaterThan(0);
      expect(moved.machine.polls).toBe(undisturbed.machine.polls);
    });

  test.each([...Object.entries(SCENES), ["recursion that asks at every depth", DEEP]])(
    "of %s, answered within its calls and moved at every poll",
    async (_, source) => {
      const undisturbed = await run(`${WORK}\n${source}`);
      const output: string[] = [];
      const answer = (request: Uint8Array) => {
        const text = words(request);
        if (text.startsWith("print ")) output.push(text.slice(6));
        return text.startsWith("exit") ? undefined : bytesOf(`answer to ${text}`);
      };
      const moved = await run(`${WORK}\n${source}`, { world: { ...ALWAYS(), answer }, move: "instance" });
      expect([moved.end, output]).toEqual(["exit", undisturbed.output]);
      expect(moved.machine.polls).toBe(undisturbed.machine.polls);
    },
  );

  test("of moves by encoded images", async () => {
    const source = Object.values(SCENES)
      .map((scene) => `{ ${scene} }`)
      .join("\n");
    const undisturbed = await run(`${WORK}\n${source}`);
    const moved = await run(`${WORK}\n${source}`, { world: ALWAYS(), move: "bytes" });
    expect(moved.output).toEqual(undisturbed.output);
  });

  test("even where every poll stops a long loop", async () => {
    const source = `let t = 0; for (let i = 0; i < 2e6; i++) t = (t + i * 7) % 65521; print(t);`;
    const moved = await run(source, { world: ALWAYS(), move: "instance" });
    expect(moved.moves).toBeGreaterThan(150);
    expect(moved.output).toEqual((await run(source)).output);
  });
});

test("nor does its memory: however often it is stopped or moved, after any boot", async () => {
  await theEngine(); // so that it is built
  const everything = await states(await readFile(ENGINE_FILE));
  expect(Object.keys(everything).length).toBeGreaterThan(5);
  for (const { calm, stopped, moved } of Object.values(everything)) {
    const memories = stopped.map((state) => state.split(" ").at(-1));
    expect(new Set(memories).size).toBe(memories.length); // it does something all the time
    expect(moved).toEqual(stopped);
    expect(calm).toEqual(ofCalm(stopped));
  }
});

describe("fork", () => {
  test("twice: four processes from two calls, each with its own answers and memory", async () => {
    const machine = await runTo(
      "fork",
      `let log = []; function fork() { log.push(log.length); return ask("fork"); }
       const first = [1].map(() => fork())[0]; const second = [1].map(() => fork())[0];
       log.push("end"); print(first, second, log.join());`,
    );
    const ends: string[] = [];
    for (const first of ["parent", "child"]) {
      const a = Machine.restore(await theBase(), machine.image(), OPTIONS);
      expect(a.resume(NEVER(), bytesOf(first)).kind).toBe("call");
      for (const second of ["parent", "child"]) {
        const b = Machine.restore(await theBase(), a.image(), OPTIONS);
        ends.push(...(await finish(b, b.resume(NEVER(), bytesOf(second)))).output);
      }
    }
    const log = "0,1,end";
    expect(ends).toEqual([
      `parent parent ${log}`,
      `parent child ${log}`,
      `child parent ${log}`,
      `child child ${log}`,
    ]);
  });

  test("Math.random repeats in a copy, until it is seeded", async () => {
    const machine = await runTo("here", `ask("here"); print(Math.random());`);
    const drawn = async (seed?: bigint) => {
      const copy = Machine.restore(await theBase(), machine.image(), OPTIONS);
      if (seed !== undefined) copy.seedRandom(seed);
      return (await finish(copy, copy.resume(NEVER(), bytesOf("")))).output[0];
    };
    expect(await drawn()).toBe(await drawn());
    expect(await drawn(7n)).toBe(await drawn(7n));
    expect(new Set([await drawn(), await drawn(7n), await drawn(8n), await drawn(0n)]).size).toBe(4);
  });
});

describe("the base image", () => {
  test("is the same however often it is booted", async () => {
    const [a, b] = [await theBase(), await bootBase(await theEngine(), PRELUDE)];
    expect(b.id).toBe(a.id);
    expect(Buffer.from(b.memory).equals(a.memory)).toBe(true);
  });

  test("is the same in another process, of another zone and language", async () => {
    const code = `
      import { createServer } from "vite";
      const vite = await createServer({ configFile: false, root: ".", logLevel: "silent", server: { middlewareMode: true, hmr: false }, optimizeDeps: { noDiscovery: true } });
      const kit = await vite.ssrLoadModule("/test/unit/engine.kit.ts");
      process.stdout.write((await kit.theBase()).id); await vite.close();`;
    await theBase(); // so that the engine is built
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], {
      env: { ...process.env, TZ: "Asia/Kathmandu", LANG: "tr_TR.UTF-8" },
    });
    expect(stdout).toBe((await theBase()).id);
  });

  test("is taken from where it was kept instead of booted, and is the same; what is damaged or of another prelude is not taken", async () => {
    const [engine, base] = await Promise.all([theEngine(), theBase()]);
    const kept = Buffer.from(await encodeBase(base, PRELUDE)); // as files are read
    const withIt = await withKeptBase(engine, kept, PRELUDE);
    expect([withIt.booted?.id, withIt.booted?.memory.byteOffset]).toEqual([base.id, 0]); // words are read from it
    const taken = await bootBase(withIt, PRELUDE);
    expect([taken.id, taken.addresses]).toEqual([base.id, base.addresses]);
    expect(Buffer.from(taken.memory).equals(base.memory)).toBe(true);
    const images = [taken, base].map((from) => {
      const machine = Machine.fresh(from, OPTIONS);
      machine.start(program(`ask("x"); print(6 * 7);`), NEVER());
      return encodeImage(machine.image());
    });
    expect(await images[0]).toEqual(await images[1]);

    const other = { source: `${PRELUDE.source} // another` };
    expect((await withKeptBase(engine, kept, other)).booted).toBeUndefined();
    expect((await bootBase(withIt, other)).id).not.toBe(base.id);
    expect((await withKeptBase({ ...engine, id: "another" }, kept, PRELUDE)).booted).toBeUndefined();
    for (const at of [0, 4, 40, 200, kept.length >> 1, kept.length - 1]) {
      const damaged = Uint8Array.from(kept);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect((await withKeptBase(engine, damaged, PRELUDE)).booted).toBeUndefined();
    }
    for (const length of [0, 3, 100, kept.length - 1])
      expect((await withKeptBase(engine, kept.subarray(0, length), PRELUDE)).booted).toBeUndefined();
  });

  test("depends on the prelude", async () => {
    const other = { source: `${PRELUDE.source} // another` };
    expect((await bootBase(await theEngine(), other)).id).not.toBe((await theBase()).id);
  });

  test.each([
    ["throws", `throw new TypeError("no")`, /prelude failed: TypeError: no/],
    ["does not parse", `let let`, /prelude failed: SyntaxError/],
    ["sets no hooks", `1`, /__hooks/],
    ["sets half of the hooks", `globalThis.__hooks = { started() {} }`, /tick is no function/],
    ["makes a call", `__sys(new ArrayBuffer(1))`, /made a system call/],
  ])("refuses a prelude that %s", async (_, source, sentence) => {
    await expect(bootBase(await theEngine(), { source })).rejects.toThrow(sentence);
  });

  test("leaves no trace of its globals", async () => {
    expect((await run(`print(typeof __sys, typeof __hooks)`)).output).toEqual(["undefined undefined"]);
  });
});

describe("what a program sees of the world", () => {
  test("its clock and zone are the host's", async () => {
    const world = (zone: string) => ({ ...NEVER(), zone, now: () => 1_720_000_000_000 });
    const source = `print(Date.now(), new Date().getHours(), new Date(0).getTimezoneOffset(), new Date(2024, 0, 1).getTime(), new Date(-1e14).getTimezoneOffset());`;
    const there = async (zone: string) => (await run(source, { world: world(zone) })).output[0];
    expect(await there("UTC")).toBe("1720000000000 9 0 1704067200000 0");
    expect(await there("America/New_York")).toBe("1720000000000 5 300 1704085200000 296");
    expect(await there("Asia/Kathmandu")).toBe("1720000000000 15 -330 1704046500000 -341");
  });

  test("a zone that does not exist ends it with a sentence", async () => {
    const { end } = await run(`new Date().getHours()`, { world: { ...NEVER(), zone: "Mars/Base" } });
    expect(end).toBe(
      `fault EINVAL: "Mars/Base" is no time zone this host knows; give an IANA name such as Europe/Madrid`,
    );
  });

  test("calls carry bytes of any value and length, both ways", async () => {
    const machine = Machine.fresh(await theBase(), OPTIONS);
    const source = `let r = raw(new Uint8Array([0, 255, 128]).buffer); for (;;) r = raw(r);`;
    let stop = machine.start(program(source), NEVER());
    for (const length of [0, 1, 65_537, 3_000_000]) {
      if (stop.kind !== "call") throw new Error(stop.kind);
      const answer = Uint8Array.from({ length }, (_, i) => i % 251);
      stop = machine.resume(NEVER(), answer);
      expect(stop.kind === "call" && Buffer.from(stop.request).equals(answer)).toBe(true);
    }
  });

  test("a call without an ArrayBuffer throws in the guest", async () => {
    expect(
      (await run(`for (const x of [[], [1], ["a"], [{}]]) try { raw(...x); } catch (e) { print(e.name); }`))
        .output,
    ).toHaveLength(4);
  });
});

describe("errors", () => {
  test("an uncaught one reaches the guest library with its place", async () => {
    const { end } = await run(`\nfunction f() { null.x; }\nf();`);
    expect(end).toMatch(/^exit TypeError: .*\n +at f \(job\.js:3/);
  });
  test("a program that does not parse says where", async () => {
    expect((await run(`\n\nlet x = ;`)).end).toMatch(/^exit SyntaxError: .*\n +at job\.js:4/);
  });
  test("a rejected top-level await", async () => {
    expect((await run(`await Promise.reject(new Error("late"))`)).end).toMatch(/^exit Error: late/);
  });
  test("an import that is not there", async () => {
    expect((await run(`import "fs"`)).end).toMatch(/^exit ReferenceError: could not load module/);
  });
  test("a program that ends is asked for more until it exits", async () => {
    const machine = Machine.fresh(await theBase(), OPTIONS);
    const seen: string[] = [];
    let stop = machine.start(program(`Promise.resolve().then(() => print("job"));`), NEVER());
    while (stop.kind === "call" && seen.length < 5) {
      seen.push(words(stop.request));
      stop = machine.resume(NEVER(), bytesOf(""));
    }
    expect(seen).toEqual(["print job", "exit", "tick", "tick", "tick"]);
  });
});

describe("limits", () => {
  const GREEDY = `
    const tries = { arrays: () => { const a = []; for (;;) a.push(new Uint8Array(100_000)); }, objects: () => { let l; for (;;) l = { l }; },
      text: () => { let s = "x"; for (;;) s = s + s + s.length; } };`;
  test("memory: running out is an error the program can catch, and it goes on", async () => {
    const source = `${GREEDY} for (const k in tries) try { tries[k](); } catch (e) { print(k, "caught"); } print("well");`;
    for (const options of [{}, { world: ALWAYS(), move: "instance" as const }]) {
      const { output, end, machine } = await run(source, options);
      expect(output).toEqual(["arrays caught", "objects caught", "text caught", "well"]);
      expect(end).toBe("exit");
      expect(machine.memoryBytes).toBeLessThanOrEqual(OPTIONS.memoryBytesMax);
    }
  });

  test("memory: an answer that does not fit is an error of the call", async () => {
    const machine = Machine.fresh(await theBase(), OPTIONS);
    machine.start(program(`try { raw(new ArrayBuffer(1)); } catch (e) { print("caught", e); }`), NEVER());
    const { output } = await finish(machine, machine.resume(NEVER(), new Uint8Array(40 << 20)));
    expect(output).toEqual(["caught InternalError: out of memory"]);
  });

  test("memory: an image too large for its job is refused", async () => {
    const machine = await runTo("full", `const a = new Uint8Array(8e6).fill(1); ask("full");`);
    const base = await theBase();
    expect(() => Machine.restore(base, machine.image(), { memoryBytesMax: 4 << 20 })).toThrow(
      /ENOMEM: the image has/,
    );
  });

  const DEEP = `
    let d = 0; const tries = { plain: () => { (function f() { d++; f(); })(); }, sort: () => { (function f() { [2, 1].sort(f); })(); },
      getter: () => ({ get x() { return this.x; } }).x, json: () => { const o = { toJSON: () => JSON.stringify(o) }; JSON.stringify(o); },
      generator: () => { function* g() { yield* g(); } [...g()]; }, proxy: () => new Proxy({}, { get: (t, k, r) => r[k] }).x };`;
  test("stack: endless recursion is an error the program can catch", async () => {
    const { output, end } = await run(
      `${DEEP} for (const k in tries) try { tries[k](); } catch (e) { print(k, e); } print(d > 300);`,
    );
    expect(end).toBe("exit");
    expect(output).toEqual([
      ...["plain", "sort", "getter", "json", "generator", "proxy"].map(
        (k) => `${k} InternalError: stack overflow`,
      ),
      "true",
    ]);
  });

  test("stack: the same when deep frames have been moved, and none is lost on the way back", async () => {
    const source = `${DEEP} let at = 0; function f(n) { at = n; if (n % 50 === 0) ask("deep"); try { return 1 + f(n + 1); } catch (e) { if (e.message !== "stack overflow") throw e; return 0; } }
      print(f(1) === at - 1 || f(1), at > 300);`;
    const { output } = await run(source, { world: ALWAYS(), move: "instance" });
    expect(output).toEqual((await run(source)).output);
  });

  test("stack: 20,000 calls deep, stopped and moved there, and back again", async () => {
    const source = `let at = 0; function f(n) { at++; if (n % 5000 === 0) { ask("deep"); for (let i = 0; i < 20000; i++); } return n ? 1 + f(n - 1) : 0; }
      print(f(20_000), f(20_000), at);`;
    const { output, moves } = await run(source, { world: ALWAYS(), move: "instance" });
    expect(output).toEqual(["20000 20000 40002"]);
    expect(moves).toBeGreaterThan(20);
  });

  const NESTED = {
    "JSON, parsed": `let d = 0; for (let x = JSON.parse("[".repeat(20_000) + "]".repeat(20_000)); x; x = x[0]) d++; print(d);`,
    parentheses: `print(20_000 * eval("(".repeat(2_000) + "1" + ")".repeat(2_000)));`,
    "arrays, flattened": `let x = [20_000]; for (let i = 0; i < 20_000; i++) x = [x]; print(x.flat(Infinity));`,
    "a regular expression": `print(20_000 * RegExp("(?:".repeat(2_000) + "a" + ")".repeat(2_000)).test("a"));`,
  };
  test.each(Object.entries(NESTED))("stack: deeply nested %s", async (_, source) => {
    expect((await run(source)).output).toEqual(["20000"]);
  });

  test.each(["(", "{", "({a:", "[", "f(", "`${", "x => ("])(
    "stack: %s nested without end is an error",
    async (open) => {
      const { output, end } = await run(
        `const nested = ${JSON.stringify(open)}.repeat(200_000); try { Function(nested); } catch (e) { print(e.name); } print("fine");`,
      );
      expect(output.at(-1)).toBe("fine");
      expect(output[0]).toMatch(/^(Syntax|Internal)Error$/);
      expect(end).toBe("exit");
    },
  );

  test("stack: memory that runs out on the way down is an error the program can catch", async () => {
    const source = `const kept = []; try { for (;;) kept.push(new Uint8Array(65536)); } catch {} kept.length -= 20;
      let d = 0; try { (function f() { d++; f(); })(); } catch (e) { kept.length = 0; print(e.name, d > 300); }`;
    expect((await run(source)).output).toEqual(["InternalError true"]);
  });
});

test("100,000 calls leave nothing behind", async () => {
  const machine = await runTo(
    "warm",
    `for (let i = 0; i < 2000; i++) ask("x" + i % 10); ask("warm"); for (;;) ask("x");`,
  );
  const { memoryBytes } = machine;
  const answer = bytesOf("some answer of a middling length");
  for (let i = 0; i < 100_000; i++) machine.resume(NEVER(), answer);
  expect(machine.memoryBytes).toBe(memoryBytes);
  // Freed memory would show as pages: the image must not have grown either.
  const before = await pagesOf(machine);
  for (let i = 0; i < 10_000; i++) machine.resume(NEVER(), answer);
  expect(await pagesOf(machine)).toBeLessThanOrEqual(before + 1);
});

/** Pages in which an image differs from the base. */
const changed = async ({ pages }: Image) => {
  const { pages: before } = await theBase();
  return pages.flatMap((page, n) => (page === (before[n] ?? ZEROS) ? [] : [n]));
};
const pagesOf = async (machine: Machine) => (await changed(machine.image())).length;

/** Compares megabytes in no time, as `toEqual` does not. */
function isSame(a: Image, b: Image): boolean {
  expect({ ...a, pages: 0 }).toEqual({ ...b, pages: 0 });
  return Buffer.compare(memoryOf(a), memoryOf(b)) === 0;
}

describe("images", () => {
  const hello = () => runTo("hello", `function f(n) { return n ? f(n - 1) : ask("hello"); } print(f(5));`);

  test("of a small program are a few KB", async () => {
    const { length } = await encodeImage((await hello()).image());
    expect(length).toBeLessThan(5000);
  });

  test("survive a round trip", async () => {
    const machine = await hello();
    const image = machine.image();
    const again = imageOf(await decodeImage(await theBase(), await encodeImage(image)));
    expect(isSame(again, image)).toBe(true);
    expect(isSame(Machine.restore(await theBase(), again, OPTIONS).image(), image)).toBe(true);
  });

  test("can be told as what has changed since an earlier one, by those who have that", async () => {
    const machine = await runTo(
      "first",
      `let kept = [1]; for (let i = 0; i < 3000; i++) kept.push({ i }); ask("first"); kept[7].more = "x"; kept.length = 2999; ask("second");`,
    );
    const first = machine.image();
    const whole = await encodeImage(first);
    const since = { id: imageId(whole) ?? "", image: first };
    machine.resume(NEVER(), bytesOf("go on"));
    const second = machine.image();
    const changes = await encodeImage(second, since);
    expect(changes.length).toBeLessThan(whole.length / 8);
    expect(isSame(imageOf(await decodeImage(await theBase(), changes, since)), second)).toBe(true);
    expect(await decodeImage(await theBase(), changes)).toMatchObject({
      reason: expect.stringMatching(/is not here/),
    });
    const wrong = { id: imageId(changes) ?? "", image: second };
    expect(await decodeImage(await theBase(), changes, wrong)).toMatchObject({
      reason: expect.stringMatching(/is not here/),
    });
  });

  test("cut short anywhere are invalid", async () => {
    const base = await theBase();
    const bytes = await encodeImage((await hello()).image());
    for (let length = 0; length < bytes.length; length++)
      expect(await decodeImage(base, bytes.slice(0, length))).toBeInstanceOf(Invalid);
    expect(await decodeImage(base, new Uint8Array([...bytes, 0]))).toBeInstanceOf(Invalid);
  });

  test("with a bit flipped are invalid, or the same", async () => {
    const base = await theBase();
    const image = (await hello()).image();
    const bytes = await encodeImage(image);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      const decoded = await decodeImage(base, flipped);
      if (!(decoded instanceof Invalid)) expect(isSame(decoded, image)).toBe(true);
    }
  });

  test("of another base or engine are refused by name", async () => {
    const bytes = await encodeImage((await hello()).image());
    const otherBase = await bootBase(await theEngine(), { source: `${PRELUDE.source} // another` });
    const refused = await decodeImage(otherBase, bytes);
    expect(refused instanceof Invalid && refused.reason).toMatch(
      /based on [0-9a-f]{12} where this host booted [0-9a-f]{12}/,
    );
    const base = await theBase();
    const otherEngine = { ...base, engine: { ...base.engine, id: "ab".repeat(32) } };
    const refusedToo = await decodeImage(otherEngine, bytes);
    expect(refusedToo instanceof Invalid && refusedToo.reason).toMatch(
      /of engine [0-9a-f]{12} where this host has abababababab/,
    );
  });

  test("with nonsense for memory end the machine, not the host", async () => {
    const base = await theBase();
    const image = (await hello()).image();
    // Every word of every page that a program dirties, overwritten by one of many patterns; the frames among them.
    for (let seed = 1; seed <= 60; seed++) {
      const pages = [...image.pages];
      for (const number of await changed(image)) {
        const words = new Int32Array(Uint8Array.from(image.pages[number] ?? []).buffer);
        for (let i = 0; i < 1024; i++)
          if ((i * 2654435761 + number + seed * 97) % 13 < 2)
            words[i] = (words[i] ?? 0) ^ (seed * 0x9e3779b1);
        pages[number] = new Uint8Array(words.buffer);
      }
      using machine = Machine.restore(base, { ...image, pages }, OPTIONS);
      let polls = 0;
      const stop = machine.resume({ ...NEVER(), poll: () => ++polls > 3 }, bytesOf("x"));
      expect(["call", "preempted", "fault"]).toContain(stop.kind);
    }
  });
});

describe("the build", () => {
  test("does nothing when the engine is up to date, and gives the same bytes as its note says", async () => {
    await theEngine();
    expect(await ensureEngine(ENGINE_FILE)).toMatchObject({ built: false });
    const bytes = await readFile(ENGINE_FILE);
    const note = JSON.parse(await readFile(`${ENGINE_FILE}.json`, "utf8"));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(note.sha256);
    expect((await loadEngine(bytes)).id).toBe(note.sha256);
  });

  test("bytes that are no engine are refused with a sentence", async () => {
    await expect(loadEngine(bytesOf("no engine"))).rejects.toThrow(
      /EVERSION: this host cannot compile the engine/,
    );
  });
});
