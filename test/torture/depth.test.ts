/**
 * Every way to recurse: at least ten thousand levels deep, then an error that the program can catch. A row is one line
 * of depth.rows.ts; test/browser/depth.test.ts has the same rows in the smallest stack there is.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { theBase } from "../unit/engine.kit.ts";
import { deepest, ROWS } from "./depth.rows.ts";

const MIB = 1 << 20;
/** QuickJS throws null when it has no memory for an error; compiling cannot be given up in the middle. */
const CAUGHT =
  /^(InternalError|SyntaxError): (stack overflow|out of memory)$|^(exit )?null|^fault ENOMEM: no memory was left to compile/;

beforeAll(async () => void (await theBase()), 300_000); // the engine may have to be built

describe.each(Object.entries(ROWS))("%s", (kind, rows) => {
  test.each(Object.entries(rows))("%s", async (_, row) => {
    const { levels, end } = deepest(await theBase(), row, 128 * MIB);
    expect(end).toMatch(CAUGHT);
    if (kind !== "nested") expect(end).not.toMatch(/^fault/);
    expect(levels).toBeGreaterThanOrEqual(kind === "nested" ? 1_000 : 10_000);
  });
});

test.each(Object.entries({ ...ROWS.calls, ...ROWS.nested }))("in little memory: %s", async (_, row) => {
  const { end } = deepest(await theBase(), row, 6 * MIB);
  expect(end).toMatch(CAUGHT);
});
