/**
 * Random numbers. The interpreter's own generator lies in the memory that a fork copies, so parent and child would
 * draw the same numbers; this one is seeded from the host at first use, and once more in every child.
 */
import { call, invalid } from "./system.ts";

const CALL_BYTES_MAX = 65_536;
type IntegerArray = Exclude<ArrayBufferView, DataView | Float32Array | Float64Array>;

/** sfc32's state: three words and a counter. */
let state: [number, number, number, number] | undefined;

/** The child of a fork draws its own seed when it needs one. */
export function forgetSeed() {
  state = undefined;
}

function word(): number {
  if (!state) {
    const seed = new DataView(randomBytes(16).buffer);
    state = [seed.getInt32(0), seed.getInt32(4), seed.getInt32(8), seed.getInt32(12)];
  }
  const [a, b, c, counter] = state;
  const sum = (a + b + counter) | 0;
  state = [b ^ (b >>> 9), (c + (c << 3)) | 0, (((c << 21) | (c >>> 11)) + sum) | 0, (counter + 1) | 0];
  return sum >>> 0;
}

/** In [0, 1), with 53 random bits. */
export function random(): number {
  return ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
}

function randomBytes(length: number): Uint8Array {
  return call("random", { length }).bytes.slice();
}

export const crypto = {
  getRandomValues<T extends IntegerArray>(array: T): T {
    if (!ArrayBuffer.isView(array) || array instanceof Float32Array || array instanceof Float64Array)
      throw new TypeError("crypto.getRandomValues: pass a typed array of integers");
    if (array.byteLength > CALL_BYTES_MAX)
      throw invalid(`crypto.getRandomValues: at most ${CALL_BYTES_MAX} bytes at a time`);
    const target = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    if (target.length) target.set(randomBytes(target.length));
    return array;
  },
  randomUUID(): string {
    const bytes = randomBytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40; // version 4
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80; // its variant
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  },
};
