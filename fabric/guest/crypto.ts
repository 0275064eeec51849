/** Random bytes from the host's cryptographic source. (The machine seeds Math.random itself, anew in every child.) */
import { call, invalid } from "./system.ts";

const CALL_BYTES_MAX = 65_536;
type IntegerArray = Exclude<ArrayBufferView, DataView | Float32Array | Float64Array>;

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
