/**
 * Whether two memories differ in a range, as fast as the platform can tell: WebAssembly with two memories and vectors of
 * 128 bits (Chromium 120, Firefox 125, Node 22), else Node's `Buffer.compare`, else a loop.
 */

/** Compares bytes `at` (a multiple of 4) to `end` (64 more, or a multiple of that). Both memories must be that long. */
export type Differ = (at: number, end: number) => boolean;

/**
 * What this makes (test/unit/engine-memory.test.ts assembles it again):
 *
 *     (import "" "a" (memory $a 0)) (import "" "b" (memory $b 0))
 *     (func (export "differ") (param $at i32) (param $end i32) (result i32)
 *       (loop $next
 *         (if (v128.any_true (; any of the next 64 bytes of $a, exclusive or those of $b ;))
 *           (then (return (i32.const 1))))
 *         (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
 *       (i32.const 0))
 */
export const DIFFER_WASM =
  "AGFzbQEAAAABBwFgAn9/AX8CDQIAAWECAAAAAWICAAADAgEABwoBBmRpZmZlcgAACl8BXQADQCAA/QAEACAA/QBEAQD9USAA/QAEECAA/QBEARD9Uf1QIAD9AAQgIAD9AEQBIP1RIAD9AAQwIAD9AEQBMP1R/VD9UP1TBEBBAQ8LIABBQGsiACABSQ0AC0EACw==";

let native: WebAssembly.Module | undefined | "unsupported";

export function differBetween(a: WebAssembly.Memory, b: WebAssembly.Memory): Differ {
  native ??= compile();
  if (native === "unsupported") return byViews(a, b, nodeBuffer() ? byBuffers : byWords);
  const { differ } = new WebAssembly.Instance(native, { "": { a, b } }).exports as {
    differ: (at: number, end: number) => number;
  };
  return (at, end) => differ(at, end) !== 0;
}

function compile(): WebAssembly.Module | "unsupported" {
  const bytes = Uint8Array.from(atob(DIFFER_WASM), (c) => c.charCodeAt(0));
  return WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : "unsupported";
}

/** Views must be taken again when a memory has grown. */
export function byViews(
  a: WebAssembly.Memory,
  b: WebAssembly.Memory,
  over: (a: ArrayBuffer, b: ArrayBuffer) => Differ,
): Differ {
  let [bufferA, bufferB] = [a.buffer, b.buffer];
  let differ = over(bufferA, bufferB);
  return (at, end) => {
    if (bufferA !== a.buffer || bufferB !== b.buffer) {
      [bufferA, bufferB] = [a.buffer, b.buffer];
      differ = over(bufferA, bufferB);
    }
    return differ(at, end);
  };
}

const nodeBuffer = () => (globalThis as { Buffer?: typeof Buffer }).Buffer;

export function byBuffers(a: ArrayBuffer, b: ArrayBuffer): Differ {
  const from = (nodeBuffer() as typeof Buffer).from;
  const [bytesA, bytesB] = [from(a), from(b)];
  return (at, end) => bytesA.compare(bytesB, at, end, at, end) !== 0;
}

export function byWords(a: ArrayBuffer, b: ArrayBuffer): Differ {
  const [wordsA, wordsB] = [new Int32Array(a), new Int32Array(b)];
  return (at, end) => {
    for (let i = at >> 2; i < end >> 2; i++) if (wordsA[i] !== wordsB[i]) return true;
    return false;
  };
}
