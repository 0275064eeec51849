/** What the page makes of programs and of what comes out of them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { namesIn } from "../../web/editor/names.ts";
import { faultIn } from "../../web/faults.ts";
import { pixmap, resultInText, resultOf } from "../../web/result.ts";
import { SNIPPETS } from "../../web/snippets.ts";
import { TerminalLines } from "../../web/terminal.ts";
import { runJob } from "./guest-process.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

describe("names for the editor", () => {
  const names = namesIn(readFileSync(new URL("../../fabric/guest/roost.d.ts", import.meta.url), "utf8"));
  const named = (name: string) => names.find((n) => n.name === name);

  test("functions of the module, with every overload and what is said of them", () => {
    expect(named("fork")).toMatchObject({ kind: "function", imported: true });
    expect(named("fork")?.doc).toMatch(/Copies this process/);
    expect(named("wait")?.signature.split("\n")).toEqual([
      "function wait(): ChildEnd",
      "function wait(options: { timeout?: number }): ChildEnd | null",
    ]);
  });

  test("objects have members, globals need no import", () => {
    expect(named("fs")?.members.map((m) => m.name)).toEqual(
      expect.arrayContaining(["readFileSync", "writeFileSync", "existsSync"]),
    );
    expect(named("console")).toMatchObject({ imported: false });
    expect(named("console")?.members.map((m) => m.name)).toContain("log");
    expect(named("process")?.members.map((m) => m.name)).toContain("argv");
    expect(named("setTimeout")).toMatchObject({ kind: "function", imported: false });
    expect(named("URL")).toMatchObject({ kind: "class" });
  });

  test("every name the module really has is known", async () => {
    const source = `import * as roost from "roost";\nconsole.log(Object.keys(roost).join());`;
    const { stdout } = await runJob(source);
    const missing = stdout
      .trim()
      .split(",")
      .filter((name) => !named(name));
    expect(missing).toEqual([]);
  });
});

describe("results", () => {
  test("pixels are a picture, with three bytes or four, and only if they fit", () => {
    const rgb = resultOf({ width: 2, height: 1, data: new Uint8Array([1, 2, 3, 4, 5, 6]) });
    expect(rgb).toMatchObject({ kind: "picture" });
    expect(rgb?.kind === "picture" && [...rgb.picture.rgba]).toEqual([1, 2, 3, 255, 4, 5, 6, 255]);
    expect(resultOf({ width: 1, height: 1, data: new Uint8ClampedArray(4) })?.kind).toBe("picture");
    expect(resultOf({ width: 2, height: 2, data: new Uint8Array(5) })?.kind).toBe("data");
    expect(resultOf({ width: 1e9, height: 1e9, data: [] })?.kind).toBe("data");
  });

  test("a picture's file is a picture; a string is text, or what it says", () => {
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2]);
    expect(resultOf(png)).toEqual({ kind: "image", type: "image/png", bytes: png });
    expect(resultOf(new Uint8Array([...utf8("P5 1 1 255\n"), 7]))).toMatchObject({ kind: "picture" });
    expect(resultOf(png.subarray(1))).toMatchObject({ kind: "data" });
    expect(resultOf("two\nlines")).toEqual({ kind: "text", text: "two\nlines" });
    expect(resultOf('[{"a":1}]')).toMatchObject({ kind: "table" });
  });

  test("portable pixmaps: printed, or as bytes", () => {
    expect(resultInText("P3\n# made by hand\n1 1\n255\n255 0 10\n")).toMatchObject({ kind: "picture" });
    expect([...(pixmap(utf8("P2 2 1 1 0 1 "))?.rgba ?? [])]).toEqual([0, 0, 0, 255, 255, 255, 255, 255]);
    const raw = new Uint8Array([...utf8("P6 1 1 255\n"), 10, 13, 32]);
    expect([...(pixmap(raw)?.rgba ?? [])]).toEqual([10, 13, 32, 255]);
    expect(pixmap(utf8("P6 9 9 255\nshort"))).toBeUndefined();
    expect(pixmap(utf8("P6 0 9 255\n"))).toBeUndefined();
  });

  test("lists of records and lists of lists are tables; anything else is data", () => {
    expect(resultOf([{ a: 1 }, { a: 2, b: "x" }])).toMatchObject({
      kind: "table",
      table: {
        columns: ["a", "b"],
        rows: [
          ["1", ""],
          ["2", "x"],
        ],
        more: 0,
      },
    });
    expect(resultOf([[1, 2], [3]])).toMatchObject({ kind: "table", table: { columns: ["0", "1"] } });
    expect(resultOf(new Map([["k", 1]]))).toMatchObject({ kind: "table" });
    expect(resultOf([1, 2])).toMatchObject({ kind: "data" });
    expect(resultOf(undefined)).toBeUndefined();
    expect(resultInText("just words")).toBeUndefined();
    expect(resultInText('[{"a":1}]')).toMatchObject({ kind: "table" });
    expect(resultInText("[not json")).toBeUndefined();
  });

  test("what JSON has no word for is named", () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    const odd = {
      big: 3n,
      when: new Date(0),
      set: new Set([1]),
      bytes: new Uint8Array([7]),
      not: Number.NaN,
      loop,
    };
    const json = resultOf(odd);
    for (const part of ['"3n"', "1970-01-01", '"Set"', '"Uint8Array"', '"NaN"', '"(itself)"'])
      expect(json?.kind === "data" && json.json).toContain(part);
  });
});

test("the line of the program an error comes from", () => {
  const lines = (text: string) => {
    const terminal = new TerminalLines();
    terminal.print(2, utf8(text));
    return terminal.snapshot();
  };
  expect(faultIn(lines("Uncaught SyntaxError: unexpected\n    at program.js:2:7\n"), "program.js")).toEqual({
    line: 2,
    message: "Uncaught SyntaxError: unexpected",
  });
  expect(
    faultIn(
      lines("TypeError: a\n    at f (lib.js:9:9)\n    at <anonymous> (my program.js:3:1)\n"),
      "my program.js",
    ),
  ).toMatchObject({ line: 3, message: "TypeError: a" });
  expect(
    faultIn(lines("Uncaught (in a promise) Error: b\n    at main (program.js:4:1)\n"), "program.js"),
  ).toMatchObject({ line: 4 });
  expect(faultIn(lines("a warning about program.js:2\n"), "program.js")).toBeUndefined();
  expect(faultIn(lines("RangeError: x\n    at other.js:1:1\n"), "program.js")).toBeUndefined();
});

describe("the programs to begin with", () => {
  test.each(SNIPPETS.map(({ title, source }) => [title, source] as const))("%s", async (title, source) => {
    const job = await runJob(source, title === "a picture" ? { argv: ["24"] } : {});
    expect(job).toMatchObject({ status: 0, stderr: "" });
  });
});
