/** The rewriting of functions, on small ones: they must give the same whether they are suspended at their calls or not. */
import binaryen from "binaryen";
import { expect, test } from "vitest";
import { splitFunctions } from "../../fabric/engine/build/frames.ts";
import { parse, print } from "../../fabric/engine/build/parse.ts";
import { maySuspend } from "../../fabric/engine/build/reach.ts";
import { FEATURES, markSites } from "../../fabric/engine/build/sites.ts";
import { FRAMES_HEADER } from "../../fabric/engine/memory-map.ts";

/** `ask(n)` may suspend; it gives 3n + 1. `$twice` and `$pick` are called through the table. */
const FUNCTIONS: Record<string, string> = {
  "values that an expression holds": `(func $main (param $x i32) (result i32) (local $y i64)
    (local.set $y (i64.const 12345678901))
    (i32.add
      (i32.mul (i32.add (local.get $x) (i32.const 5)) (call $ask (local.tee $x (i32.const 2))))
      (i32.sub (call $ask (local.get $x)) (i32.wrap_i64 (i64.shr_u (local.get $y) (i64.const 3))))))`,
  "an if with a value": `(func $main (param $x i32) (result i32)
    (i32.sub (local.get $x) (if (result i32) (i32.gt_s (call $ask (local.get $x)) (i32.const 10))
      (then (i32.add (local.get $x) (call $ask (i32.const 1)))) (else (call $ask (i32.const 9))))))`,
  "a block left with a value": `(func $main (param $x i32) (result i32) (local $n i32)
    (i32.add (local.get $x) (block $out (result i32)
      (drop (br_if $out (call $ask (local.get $x)) (i32.gt_s (local.get $x) (i32.const 2))))
      (if (call $ask (i32.const 0)) (then (br $out (i32.add (i32.const 100) (call $ask (local.get $x))))))
      (local.get $n))))`,
  "loops in loops": `(func $main (param $x i32) (result i32) (local $i i32) (local $j i32) (local $t i32)
    (loop $outer
      (local.set $j (i32.const 0))
      (loop $inner
        (local.set $t (i32.add (local.get $t) (i32.xor (call $ask (local.get $j)) (local.get $i))))
        (br_if $inner (i32.lt_s (local.tee $j (i32.add (local.get $j) (i32.const 1))) (local.get $x))))
      (br_if $outer (i32.lt_s (local.tee $i (i32.add (local.get $i) (call $one))) (i32.const 4))))
    (local.get $t))
    (func $one (result i32) (i32.div_s (call $ask (i32.const 1)) (i32.const 4)))`,
  "a switch": `(func $main (param $x i32) (result i32) (local $t i32)
    (loop $again
      (block $c (block $b (block $a (br_table $a $b $c (i32.and (local.get $x) (i32.const 3))))
        (local.set $t (i32.add (local.get $t) (call $ask (i32.const 10)))) (br $c))
        (local.set $t (i32.mul (call $ask (local.get $t)) (i32.const 2))))
      (br_if $again (i32.ge_s (local.tee $x (i32.sub (local.get $x) (i32.const 1))) (i32.const 0))))
    (call $ask (local.get $t)))`,
  "calls by table, of other types, and last ones": `(func $main (param $x i32) (result i32)
    (call $none (local.get $x))
    (i32.trunc_f64_s (f64.add (f64.convert_i32_s (call $last (local.get $x)))
      (call_indirect $table (type $to_f64) (f64.const 1.5) (i32.const 0)))))
    (func $none (param $x i32) (if (local.get $x) (then (drop (call $ask (local.get $x))))))
    (func $last (param $x i32) (result i32) (if (i32.gt_s (local.get $x) (i32.const 1)) (then (return (call $ask (i32.const 7))))) (call $ask (local.get $x)))`,
  recursion: `(func $main (param $x i32) (result i32)
    (if (result i32) (local.get $x)
      (then (i32.add (local.get $x) (i32.mul (call $main (i32.sub (local.get $x) (i32.const 1))) (i32.const 3))))
      (else (call $ask (i32.const 4)))))`,
};

const FRAMES = 1024;

async function compiled(functions: string): Promise<WebAssembly.Module> {
  const module = parse(`(module
    (type $to_f64 (func (param f64) (result f64)))
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (global $global$0 (mut i32) (i32.const 0)) (global $stack_mark (mut i32) (i32.const 0))
    (memory $memory 1) (table $table 1 1 funcref) (elem $elem (i32.const 0) $twice)
    (export "memory" (memory $memory)) (export "main" (func $main))
    (func $free (param $at i32))
    (func $twice (param $x f64) (result f64) (f64.mul (local.get $x) (f64.convert_i32_s (call $ask (i32.const 3)))))
    ${functions})`);
  const set = maySuspend(module, ["$ask"]);
  const { module: split } = splitFunctions(markSites(module, set, ["$ask"]), set, "$free");
  const built = binaryen.parseText(print(split));
  built.setFeatures(FEATURES);
  expect(built.validate()).toBe(1);
  const bytes = built.emitBinary();
  built.dispose();
  return WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>);
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly passed_i32: WebAssembly.Global;
  main(x: number): number;
  start_unwinding(frames: number): void;
  stop_unwinding(): void;
  resume_frames(frames: number): void;
}

/** Runs main(x), suspended at those calls of `ask` for which `stops` is true, and resumed each time in another instance. */
function run(module: WebAssembly.Module, x: number, stops: (call: number) => boolean) {
  const asked: number[] = [];
  let suspended: number | undefined;
  const instance = (): Exports => {
    const env = {
      ask: (n: number) => {
        asked.push(n);
        const answer = 3 * n + 1;
        if (!stops(asked.length)) return answer;
        suspended = answer;
        now.start_unwinding(FRAMES);
        return -1;
      },
    };
    return new WebAssembly.Instance(module, { env }).exports as unknown as Exports;
  };
  let now = instance();
  const end = now.memory.buffer.byteLength;
  const begin = FRAMES + FRAMES_HEADER.bytes;
  const header = (pending: number) =>
    new Uint32Array(now.memory.buffer, FRAMES, 5).set([begin, pending, begin, pending, end]);
  header(end);
  let result = now.main(x);
  while (suspended !== undefined) {
    now.stop_unwinding();
    const [saved = 0, , , pending = 0] = new Uint32Array(now.memory.buffer, FRAMES, 5);
    const bytes = new Uint8Array(now.memory.buffer);
    bytes.copyWithin(pending - (saved - begin), begin, saved);
    now = instance();
    new Uint8Array(now.memory.buffer).set(bytes);
    header(pending - (saved - begin));
    now.passed_i32.value = suspended;
    suspended = undefined;
    now.resume_frames(FRAMES);
    result = now.passed_i32.value;
  }
  return { asked, result };
}

test.each(Object.entries(FUNCTIONS))("%s: the same suspended at any call", async (_, functions) => {
  const module = await compiled(functions);
  for (let x = 0; x < 6; x++) {
    const calm = run(module, x, () => false);
    expect(calm.asked.length).toBeGreaterThan(0);
    expect(run(module, x, () => true)).toEqual(calm);
    for (let k = 1; k <= calm.asked.length; k++) expect(run(module, x, (call) => call === k)).toEqual(calm);
  }
});
