/**
 * What has changed between two memories, in little: the numbers of the pages that differ, and of those pages, each
 * exclusive or what it was before, the words that are not zero. Most pages change in a few words only.
 */
import { Invalid } from "../base/codec.ts";
import { PAGE_BYTES, PAGE_WORDS, type Page, wordsOf, ZEROS } from "./pages.ts";

export interface Changes {
  /** Page numbers as runs: pages skipped since the last one, pages in the run. */
  readonly runs: readonly { readonly skip: number; readonly count: number }[];
  /** Of those pages, one after the other: words that have not changed and words that have, by turns. u16 each. */
  readonly stretches: Uint8Array;
  /** The words that have, u32 each; many of them by planes, all lowest bytes first. */
  readonly words: Uint8Array;
}

/** So many words are sorted by significance: their upper bytes are alike, which halves what a large heap deflates to. */
const PLANES_FROM_WORDS = 4096;
const STRETCH_MAX = 0xffff;

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
  #stretches: number[] = [];
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
    const stretches = new Uint8Array(Uint16Array.from(this.#stretches).buffer);
    return { stretches, words: apart(this.#words.subarray(0, this.#count)) };
  }

  #skip(words: number): void {
    if (words === 0) return;
    if (this.#changed > 0) this.#end();
    this.#same += words;
    while (this.#same > STRETCH_MAX) {
      this.#stretches.push(STRETCH_MAX, 0);
      this.#same -= STRETCH_MAX;
    }
  }
  #change(words: number): void {
    this.#changed += words;
    for (; this.#changed > STRETCH_MAX; this.#changed -= STRETCH_MAX) {
      this.#stretches.push(this.#same, STRETCH_MAX);
      this.#same = 0;
    }
  }
  #end(): void {
    this.#stretches.push(this.#same, this.#changed);
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
  if (stretches.length % 4 || words.length % 4) return new Invalid("a list is cut short");
  const lengths = new Uint16Array(stretches.slice().buffer);
  const from = together(words);
  let at = 0;
  let read = 0;
  for (let i = 0; i < lengths.length; i += 2) {
    const [same = 0, changed = 0] = [lengths[i], lengths[i + 1]];
    at += same;
    if (at + changed > to.length || read + changed > from.length)
      return new Invalid("more words have changed than there are");
    for (const end = at + changed; at < end; at++) (to[at] as number) ^= from[read++] as number;
  }
  return read === from.length ? undefined : new Invalid("words are left over");
}

/** Where there are many words: their bytes apart, by significance. */
function apart(words: Uint32Array): Uint8Array {
  const count = words.length;
  const bytes = new Uint8Array(words.buffer, words.byteOffset, 4 * count);
  if (count < PLANES_FROM_WORDS) return bytes;
  const moved = new Uint8Array(bytes.length);
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
  if (count < PLANES_FROM_WORDS) return new Int32Array(bytes.slice().buffer);
  const words = new Int32Array(count);
  const byte = (at: number) => bytes[at] as number;
  for (let i = 0; i < count; i++)
    words[i] = byte(i) | (byte(i + count) << 8) | (byte(i + 2 * count) << 16) | (byte(i + 3 * count) << 24);
  return words;
}
