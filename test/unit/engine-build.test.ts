/** The build derives which functions save frames. One too few would corrupt programs silently, so it must be refused. */
import { readFile } from "node:fs/promises";
import { brotliCompressSync, constants } from "node:zlib";
import binaryen from "binaryen";
import { expect, test } from "vitest";
import { stockFiles } from "../../fabric/engine/build/engine.ts";
import { parse } from "../../fabric/engine/build/parse.ts";
import { assertClosed, maySuspend } from "../../fabric/engine/build/reach.ts";
import { ENGINE_FILE, theEngine } from "./engine.kit.ts";

const SMALL = `(module
  (type $to_i32 (func (param i32) (result i32))) (type $none (func))
  (import "env" "stop" (func $stop (param i32) (result i32)))
  (table $table 3 3 funcref) (elem $elem (i32.const 0) $leaf $calls $other)
  (func $leaf (param $x i32) (result i32) (local.get $x))
  (func $calls (param $x i32) (result i32) (call $stop (local.get $x)))
  (func $other (nop))
  (func $by_table (drop (call_indirect $table (type $to_i32) (i32.const 1) (i32.const 0))))
  (func $by_other_type (call_indirect $table (type $none) (i32.const 2)))
  (func $outer (call $by_table)))`;

test("functions save frames when they reach a stop by calls, or by calls of a type that one in the table has", () => {
  const module = parse(SMALL);
  const found = maySuspend(module, ["$stop"]);
  expect([...found].sort()).toEqual(["$by_table", "$calls", "$outer"]);
  expect(() => assertClosed(module, found, ["$stop"])).not.toThrow();
});

test.each(["$calls", "$by_table", "$outer"])("a set without %s is refused by name", (missing) => {
  const module = parse(SMALL);
  const found = maySuspend(module, ["$stop"]);
  found.delete(missing);
  expect(() => assertClosed(module, found, ["$stop"])).toThrow(
    `function ${missing} saves no frame, but calls`,
  );
});

test("so is the interpreter's own set, whichever function it lacks", async () => {
  const { wasm } = await stockFiles();
  const stock = binaryen.readBinary(wasm);
  stock.setFeatures(binaryen.Features.All);
  const module = parse(stock.emitText());
  stock.dispose();
  // Any import will do to start from: the first that something calls.
  const start = ["$fimport$0"];
  const found = maySuspend(module, start);
  expect(found.size).toBeGreaterThan(10);
  expect(() => assertClosed(module, found, start)).not.toThrow();
  const all = [...found];
  for (let i = 0; i < all.length; i += Math.ceil(all.length / 8)) {
    const lacking = new Set(all.filter((_, j) => j !== i));
    expect(() => assertClosed(module, lacking, start)).toThrow(`function ${all[i]} saves no frame`);
  }
});

test("what pages download of the engine stays under 350,000 bytes: its copies of functions are alike", async () => {
  await theEngine();
  const bytes = await readFile(ENGINE_FILE);
  // One step under the best, which takes twice as long.
  const params = { [constants.BROTLI_PARAM_QUALITY]: 10, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  expect(brotliCompressSync(bytes, { params }).length).toBeLessThan(350_000);
});
