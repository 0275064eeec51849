/** Node's own `util.inspect` and `util.format` say what is right. */
import { Console } from "node:console";
import { Writable } from "node:stream";
import util from "node:util";
import { describe, expect, test } from "vitest";
import { format, inspect } from "../../fabric/guest/inspect.ts";
import { tableOf } from "../../fabric/guest/table.ts";

class Point {
  x = 1;
  nested = { list: [1, 2, { deep: { deeper: 1 } }] };
}
class Dictionary extends Map<number, number> {}
class Row extends Array<unknown> {}
function named() {}
const circular: Record<string, unknown> = { x: 1 };
circular.self = circular;
circular.list = [circular, { circular }];
const holes = [1];
holes[1000] = 2;
const middle: unknown[] = [];
middle[1] = 1;
middle.length = 4;
const numbers = (length: number) => Array.from({ length }, (_, i) => i * i);
const lines = "line one is long\nline two is long\n";

const values: Record<string, unknown[]> = {
  primitives: [1, -0, 1n, Number.NaN, true, null, undefined, Symbol("q"), "text"],
  strings: [
    "it's",
    "a\nb\t\u001b\\",
    "'\"",
    "'\"`",
    "🦜",
    ["🦜"],
    lines.repeat(5),
    { lines: lines.repeat(3) },
  ],
  arrays: [
    [],
    [1, 2, 3],
    [[1, [2, [3, [4, []]]]]],
    middle,
    holes,
    Object.assign([1], { extra: "x" }),
    Row.from([1, 2, 3]),
  ],
  "long arrays": [numbers(7), numbers(30), numbers(120), numbers(20).map((n) => `item${n}`), [..."abcdefg"]],
  "mixed arrays": [
    [undefined, null, true, "x", 1, 2, 3, 4],
    [1.5, 2.25, -3, Number.NaN, 1e21, 7, 8],
    [1n, 2n, 3n, 4n, 5n, 6n, 7n],
  ],
  objects: [
    {},
    { a: 1, "b-c": 2, [Symbol("s")]: 3 },
    { a: { b: { c: { d: 1 } } } },
    { a: { b: { c: {}, d: [] } } },
  ],
  "wide objects": [
    { a: "a".repeat(28), b: "b".repeat(28), c: "c".repeat(14), d: 1 },
    { a: "a".repeat(24), b: "b".repeat(24), c: "cccccc" },
    { id: 1, children: [{ id: 2, children: [{ id: 3, children: [] }] }] },
    numbers(8).map((id) => ({ id, name: `n${id}` })),
  ],
  collections: [
    new Map(),
    new Set(),
    new Map([[{ k: 1 }, [1, 2]]]),
    new Set([1, "b", { c: 1 }]),
    new Dictionary([[1, 2]]),
  ],
  nested: [
    { m: new Map([[1, { a: { b: { c: 1 } } }]]) },
    new Set(numbers(150)),
    new Map([["a", new Map([["b", new Set([1])]])]]),
  ],
  buffers: [
    new Uint8Array([1, 2, 3]),
    new Float64Array(200),
    new ArrayBuffer(4),
    new DataView(new ArrayBuffer(2)),
    { b: new Uint8Array(9) },
  ],
  classes: [
    new Point(),
    [new Point()],
    { p: { q: { r: new Point() } } },
    Object.create(new Point()),
    Object.create({}),
  ],
  prototypes: [
    Object.create(null),
    Object.assign(Object.create(null), { a: 1 }),
    { a: { b: { c: Object.assign(Object.create(null), { d: 1 }) } } },
  ],
  functions: [
    named,
    () => 1,
    class {},
    class Sub extends Point {},
    async () => 1,
    function* g() {},
    Object.assign(() => 1, { p: 1 }),
  ],
  others: [
    new Date(0),
    new Date(Number.NaN),
    /a\/b/gi,
    Object(3),
    Object("abc"),
    Object(Symbol("b")),
    new WeakMap(),
    Math,
    JSON,
  ],
  accessors: [
    {
      get x() {
        return 1;
      },
      set x(_) {},
      get y() {
        return 2;
      },
      set z(_: number) {},
    },
  ],
  circles: [circular, new Map([["m", circular]])],
};

describe("inspect", () => {
  for (const [name, list] of Object.entries(values))
    test(`shows ${name} as Node does, at any depth`, () => {
      for (const value of list)
        for (const depth of [undefined, 0, 1, null]) {
          const options = depth === undefined ? {} : { depth };
          expect(inspect(value, options)).toBe(util.inspect(value, options));
        }
    });

  test("shows errors with stack, cause and properties as Node does", () => {
    const cause = new RangeError("deeper");
    // Frames that an error shares with its cause are left out by Node, not here.
    cause.stack = "RangeError: deeper\n    at elsewhere (job.js:1:1)";
    for (const error of [
      new Error("x"),
      Object.assign(new TypeError("y"), { code: 5 }),
      new Error("z", { cause }),
    ]) {
      expect(inspect(error)).toBe(util.inspect(error));
      expect(inspect({ nested: { error } })).toBe(util.inspect({ nested: { error } }));
    }
  });

  test("shows the ends of a deep stack", () => {
    const error = new Error("deep");
    error.stack = Array.from({ length: 1_000 }, (_, n) => `    at f (job.js:${n}:1)\n`).join("");
    const lines = inspect(error).split("\n");
    expect(lines.length).toBe(42);
    expect(lines.slice(0, 2)).toEqual(["Error: deep", "    at f (job.js:0:1)"]);
    expect(lines.slice(30, 33)).toEqual([
      "    at f (job.js:29:1)",
      "    … 960 more",
      "    at f (job.js:990:1)",
    ]);
    expect(lines.at(-1)).toBe("    at f (job.js:999:1)");
  });

  test("says what an object says of itself", () => {
    expect(inspect({ a: { [Symbol.for("nodejs.util.inspect.custom")]: () => "<itself>" } })).toBe(
      "{ a: <itself> }",
    );
  });
});

describe("format", () => {
  const calls: unknown[][] = [
    ["%s is %d and %i, %f", "a", 1.5, 2.7, "1.5x", "rest", { a: 1 }],
    ["%s", { a: { b: 1 } }],
    ["%s", new Point()],
    ["%s", { toString: () => "own" }],
    ["%s %s %s %s %s", null, undefined, -0, 5n, Symbol("a")],
    ["%s", [1, [2]]],
    ["%d %d %d", "12", {}, 3n],
    ["%j", { a: [1] }],
    ["%j", circular],
    ["%O", { a: { b: { c: { d: 1 } } } }],
    ["%c styled", "css"],
    ["100%", 5],
    ["%% and %x", 1],
    ["a%sb%s", "1"],
    ["%s"],
    [1, "a", [2], "b"],
    [],
    [undefined],
  ];
  for (const args of calls)
    test(`of ${util.inspect(args)}`, () => {
      expect(format(...args)).toBe(util.format(...args));
    });
});

test.each([
  [
    "objects",
    [
      { a: 1, b: "x" },
      { a: 2, c: [1, 2] },
    ],
    undefined,
  ],
  ["values", [1, "two", null], undefined],
  ["objects and values", { x: { y: 1 }, z: 3 }, undefined],
  ["some columns", [{ a: 1, b: 2 }, { b: 3 }], ["b", "d"]],
  ["nothing", [], undefined],
])("a table of %s has what Node's has", (_, data, columns) => {
  const printed: string[] = [];
  new Console({
    stdout: new Writable({
      write(text, _encoding, done) {
        printed.push(String(text));
        done();
      },
    }),
  }).table(data, columns);
  const cells = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.split("│").map((cell) => cell.trim()))
      .filter((row) => row.length > 1);
  expect(cells(tableOf(data, columns) ?? "")).toEqual(cells(printed.join("")));
});

test("a table is of what holds something, each row as long as the next", () => {
  expect(tableOf(5)).toBeUndefined();
  expect(tableOf(new Map([["k", { v: 1 }]]))).toContain("│ 'k'     │ 1 │");
  const widths = (tableOf(new Set(["a", { b: "long ".repeat(20) }])) ?? "")
    .split("\n")
    .map((line) => line.length);
  expect(new Set(widths).size).toBe(1);
});
