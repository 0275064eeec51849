/**
 * Promises that were rejected and that nobody has handled yet, in a list in the guest's memory: it goes wherever the process
 * goes, and is the same on any host. Two words each: the promise and the reason, as values of their own.
 */
import type { BaseAddresses } from "./base-image.ts";
import type { Borrowed, Value } from "./exports.ts";
import type { Instance } from "./instance.ts";

/** Beyond these, at once, they are not noticed. */
const MAX = 1_000;
const COUNT_BYTES = 8;
/** Where a value is while it gets an address of its own. */
const VALUE_BYTES = 8;
export const REJECTIONS_BYTES = COUNT_BYTES + VALUE_BYTES + 8 * MAX;

type Addresses = Pick<BaseAddresses, "context" | "rejections">;

export class Rejections {
  readonly #instance: Instance;
  readonly #addresses: Addresses;

  constructor(instance: Instance, addresses: Addresses) {
    this.#instance = instance;
    this.#addresses = addresses;
  }

  /** Why the first of them was rejected; 0: there is none. */
  get first(): Borrowed {
    return this.#count > 0 ? (this.#words[this.#entry(0) + 1] ?? 0) : 0;
  }

  add(promise: bigint, reason: bigint): void {
    const count = this.#count;
    if (count >= MAX) return;
    const kept = this.#keep(promise);
    const why = kept && this.#keep(reason);
    if (!why) return; // there is no memory left, which is said elsewhere
    this.#words.set([kept, why], this.#entry(count));
    this.#count = count + 1;
  }

  /** Somebody handles it after all. */
  remove(promise: bigint): void {
    const { exports, bytes } = this.#instance;
    const values = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const last = this.#count - 1;
    for (let n = last; n >= 0; n--) {
      const at = this.#entry(n);
      const [kept = 0, why = 0] = this.#words.subarray(at, at + 2);
      if (values.getBigInt64(kept, true) !== promise) continue;
      this.#words.copyWithin(at, at + 2, this.#entry(last + 1));
      this.#words.fill(0, this.#entry(last), this.#entry(last + 1));
      this.#count = last;
      for (const value of [why, kept]) exports.QTS_FreeValuePointer(this.#addresses.context, value);
      return;
    }
  }

  get #words(): Uint32Array {
    return this.#instance.words;
  }
  /** What an image says of it may be a stranger's invention. */
  get #count(): number {
    return Math.min(this.#words[this.#addresses.rejections >> 2] ?? 0, MAX);
  }
  set #count(count: number) {
    this.#words[this.#addresses.rejections >> 2] = count;
  }
  /** Which word. */
  #entry(n: number): number {
    return (this.#addresses.rejections + COUNT_BYTES + VALUE_BYTES + 8 * n) >> 2;
  }

  #keep(value: bigint): Value {
    const { exports, memory } = this.#instance;
    const at = this.#addresses.rejections + COUNT_BYTES;
    new BigInt64Array(memory.buffer, at, 1)[0] = value;
    const kept = exports.QTS_DupValuePointer(this.#addresses.context, at);
    new BigInt64Array(memory.buffer, at, 1)[0] = 0n;
    return kept;
  }
}
