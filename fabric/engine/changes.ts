/**
 * What has changed between two memories, in little: the numbers of the pages that differ, and of those pages, each
 * exclusive or what it was before, the words that are not zero. Most pages change in a few words only.
 */
import { decode, Invalid, Reader, Writer } from "../base/codec.ts";
import { PAGE_BYTES, PAGE_WORDS, type Page, wordsOf, ZEROS } from "./pages.ts";

export interface Changes {
  /** Page numbers as runs: pages skipped since the last one, pages in the run. */
  readonly runs: readonly { readonly skip: number; readonly count: number }[];
  /** Of those pages, one after the other: how many words have not changed and how many have, by turns. Varints. */
  readonly stretches: Uint8Array;
  /** The words that have: few of them without their zeros, many by planes. */
  readonly words: Uint8Array;
}

/** So many words are sorted by significance: their upper bytes are alike, which halves what a large heap deflates to. */
const PLANES_FROM_WORDS = 4096;

/** Memory only grows: what `before` does not have was zeros. */
export function changesBetween(before: readonly Page[], now: readonly Page[]): Changes {
  const runs: { skip: number; count: number }[] = [];
  const to = new StretchWriter();
  let next = 0;
  for (let n = 0; n < Math.max(now.length, before.length); n++) {
    const [page, old] = [now[n] ?? ZEROS, before[n] ?? ZEROS];
    if (page === old || !to.page(wordsOf(page), wordsOf(old))) continue;
    const last = runs.at(-1);
    if (last && n === next) last.count++;
    else runs.push({ skip: n - next, count: 1 });
    next = n + 1;
  }
  return { runs, ...to.finish() };
}

class StretchWriter {
  #words = new Uint32Array(1024);
  #count = 0;
  readonly #stretches = new Writer();
  #same = 0;
  #changed = 0;

  /** False where nothing has changed: then the page counts for nothing. */
  page(now: Int32Array, before: Int32Array): boolean {
    let at = 0;
    while (at < PAGE_WORDS && now[at] === before[at]) at++;
    if (at === PAGE_WORDS) return false;
    this.#room();
    const words = this.#words;
    let count = this.#count;
    for (let from = 0; ; ) {
      this.#skip(at - from);
      from = at;
      while (at < PAGE_WORDS && now[at] !== before[at])
        words[count++] = (now[at] as number) ^ (before[at++] as number);
      this.#change(at - from);
      if (at === PAGE_WORDS) break;
      from = at;
      while (at < PAGE_WORDS && now[at] === before[at]) at++;
      if (at === PAGE_WORDS) {
        this.#skip(at - from);
        break;
      }
    }
    this.#count = count;
    return true;
  }

  finish(): { stretches: Uint8Array; words: Uint8Array } {
    if (this.#changed > 0) this.#end();
    return { stretches: this.#stretches.finish(), words: packed(this.#words.subarray(0, this.#count)) };
  }

  #skip(words: number): void {
    if (words === 0) return;
    if (this.#changed > 0) this.#end();
    this.#same += words;
  }
  #change(words: number): void {
    this.#changed += words;
  }
  #end(): void {
    this.#stretches.varint(this.#same);
    this.#stretches.varint(this.#changed);
    this.#same = this.#changed = 0;
  }
  #room(): void {
    if (this.#count + PAGE_WORDS <= this.#words.length) return;
    const grown = new Uint32Array(2 * this.#words.length);
    grown.set(this.#words);
    this.#words = grown;
  }
}

/** The memory of which `before` became that. Whatever is in `changes`, no page beyond `pagesMax` is made. */
export function withChanges(before: readonly Page[], changes: Changes, pagesMax: number): Page[] | Invalid {
  const numbers: number[] = [];
  let number = 0;
  for (const { skip, count } of changes.runs) {
    number += skip;
    if (number + count > pagesMax) return new Invalid("a page is outside the memory");
    for (let i = 0; i < count; i++) numbers.push(number++);
  }
  const changed = new Uint8Array(numbers.length * PAGE_BYTES);
  for (const [i, n] of numbers.entries()) changed.set(before[n] ?? ZEROS, i * PAGE_BYTES);
  const wrong = apply(changes, new Int32Array(changed.buffer));
  if (wrong) return wrong;
  const pages = [...before];
  numbers.forEach((n, i) => {
    while (pages.length < n) pages.push(ZEROS);
    pages[n] = changed.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
  });
  return pages;
}

/** Makes of the pages what they became, one after the other. */
function apply({ stretches, words }: Changes, to: Int32Array): Invalid | undefined {
  const sums = decode(SUMS, stretches);
  if (sums instanceof Invalid) return sums;
  if (sums.words > to.length) return new Invalid("more words have changed than there are");
  const values = unpacked(words, sums.changed);
  if (values instanceof Invalid) return values;
  const from = new Reader(stretches);
  let at = 0;
  let read = 0;
  while (from.left > 0) {
    at += from.varint();
    for (const end = at + from.varint(); at < end; at++) (to[at] as number) ^= values[read++] as number;
  }
  return undefined;
}

/** How many words the stretches are of, and how many of those have changed. */
const SUMS = {
  read(from: Reader): { words: number; changed: number } {
    const sums = { words: 0, changed: 0 };
    while (from.left > 0) {
      const [same, changed] = [from.varint(), from.varint()];
      sums.words += same + changed;
      sums.changed += changed;
    }
    return sums;
  },
};

const packed = (words: Uint32Array): Uint8Array =>
  words.length < PLANES_FROM_WORDS ? withoutZeros(words) : apart(words);

function unpacked(bytes: Uint8Array, count: number): Int32Array | Invalid {
  if (count < PLANES_FROM_WORDS) return withZeros(bytes, count);
  return bytes.length === 4 * count
    ? together(bytes)
    : new Invalid("there are not as many words as have changed");
}

/** For any two words a byte that says which bytes of theirs are not zero, lowest first; then those bytes. */
function withoutZeros(words: Uint32Array): Uint8Array {
  const masks = (words.length + 1) >> 1;
  const bytes = new Uint8Array(masks + 4 * words.length);
  let at = masks;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number;
    for (let n = 0; n < 4; n++) {
      const byte = (word >>> (8 * n)) & 255;
      if (byte === 0) continue;
      (bytes[i >> 1] as number) |= 1 << (n + 4 * (i & 1));
      bytes[at++] = byte;
    }
  }
  return bytes.subarray(0, at);
}

function withZeros(bytes: Uint8Array, count: number): Int32Array | Invalid {
  const words = new Int32Array(count);
  let at = (count + 1) >> 1;
  for (let i = 0; i < count; i++) {
    const mask = (bytes[i >> 1] ?? 0) >> (4 * (i & 1));
    for (let n = 0; n < 4; n++) if (mask & (1 << n)) (words[i] as number) |= (bytes[at++] ?? 0) << (8 * n);
  }
  return at === bytes.length ? words : new Invalid("there are not as many words as have changed");
}

/** Their bytes apart, by significance: all lowest ones first. */
function apart(words: Uint32Array): Uint8Array {
  const count = words.length;
  const moved = new Uint8Array(4 * count);
  for (let i = 0; i < count; i++) {
    const word = words[i] as number;
    moved[i] = word;
    moved[i + count] = word >>> 8;
    moved[i + 2 * count] = word >>> 16;
    moved[i + 3 * count] = word >>> 24;
  }
  return moved;
}

/** The same, back. */
function together(bytes: Uint8Array): Int32Array {
  const count = bytes.length / 4;
  const words = new Int32Array(count);
  const byte = (at: number) => bytes[at] as number;
  for (let i = 0; i < count; i++)
    words[i] = byte(i) | (byte(i + count) << 8) | (byte(i + 2 * count) << 16) | (byte(i + 3 * count) << 24);
  return words;
}
