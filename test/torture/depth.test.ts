/**
 * Every way to recurse: at least ten thousand levels deep, then an error that the program can catch. A row is one line
 * of depth.rows.ts; test/browser/depth.test.ts has the same rows in the smallest stack there is.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { theBase } from "../unit/engine.kit.ts";
import { deepest, ROWS } from "./depth.rows.ts";

const MIB = 1 << 20;
/** QuickJS throws null when it has no memory for an error. */
const CAUGHT = /^(InternalError|SyntaxError): (stack overflow|out of memory)$|^(exit )?null/;

beforeAll(async () => void (await theBase()), 300_000); // the engine may have to be built

describe.each(Object.entries(ROWS))("%s", (kind, rows) => {
  test.each(Object.entries(rows))("%s", async (_, row) => {
    const { levels, end } = deepest(await theBase(), row, 128 * MIB);
    expect(end).toMatch(CAUGHT);
    expect(levels).toBeGreaterThanOrEqual(kind === "nested" ? 1_000 : 10_000);
  });
});

test.each(Object.entries({ ...ROWS.calls, ...ROWS.nested }))("in little memory: %s", async (_, row) => {
  const { end } = deepest(await theBase(), row, 6 * MIB);
  // What QuickJS says where memory runs out just as it makes room for what is assigned to.
  if (end !== "SyntaxError: invalid assignment left-hand side") expect(end).toMatch(CAUGHT);
});

/** Their source texts take what was memory for the stack when they were parsed: compiling them must be able to fail as well. */
test.each(["() => ", "async () => ", "function f() {"])(
  "as many functions as fit, and more: %s",
  async (open) => {
    const close = open.endsWith("{") ? "}" : "";
    const ends = new Set<string>();
    for (let n = 200; n < 2_600; n += 150) {
      const text = JSON.stringify(open.repeat(n) + close.repeat(n));
      const row = `new Function(${text}${close ? "" : ` + "1"`}); d = ${n}; throw new Error("all well")`;
      ends.add(deepest(await theBase(), row, 12 * MIB).end.replace(/^\w+Error/, "Error"));
    }
    expect(
      [...ends].filter((end) => !/^Error: (stack overflow|out of memory|all well)$|^null/.test(end)),
    ).toEqual([]);
    expect(ends).toContain("Error: all well");
    expect(ends.size).toBeGreaterThan(1);
  },
);
