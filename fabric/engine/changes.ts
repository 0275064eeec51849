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
    let first = 0;
    while (first < PAGE_WORDS && now[first] === before[first]) first++;
    if (first === PAGE_WORDS) return false;
    this.#skip(first);
    this.#room();
    for (let i = first; i < PAGE_WORDS; i++) {
      const difference = (now[i] ?? 0) ^ (before[i] ?? 0);
      if (difference === 0) {
        this.#skip(1);
        continue;
      }
      if (this.#changed === STRETCH_MAX) this.#end();
      this.#changed++;
      this.#words[this.#count++] = difference;
    }
    return true;
  }

  finish(): { stretches: Uint8Array; words: Uint8Array } {
    if (this.#changed > 0) this.#end();
    const stretches = new Uint8Array(Uint16Array.from(this.#stretches).buffer);
    return { stretches, words: planes(new Uint8Array(this.#words.buffer, 0, 4 * this.#count), "apart") };
  }

  #skip(words: number): void {
    if (this.#changed > 0) this.#end();
    this.#same += words;
    while (this.#same > STRETCH_MAX) {
      this.#stretches.push(STRETCH_MAX, 0);
      this.#same -= STRETCH_MAX;
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
  const differences = spread(changes, numbers.length * PAGE_WORDS);
  if (differences instanceof Invalid) return differences;
  const pages = [...before];
  numbers.forEach((n, i) => {
    const words = differences.subarray(i * PAGE_WORDS, (i + 1) * PAGE_WORDS);
    const old = wordsOf(pages[n] ?? ZEROS);
    for (let k = 0; k < PAGE_WORDS; k++) words[k] = (words[k] ?? 0) ^ (old[k] ?? 0);
    while (pages.length < n) pages.push(ZEROS);
    pages[n] = new Uint8Array(words.buffer, words.byteOffset, PAGE_BYTES);
  });
  return pages;
}

/** The words of all pages, those that have not changed as zeros. */
function spread({ stretches, words }: Changes, total: number): Int32Array | Invalid {
  if (stretches.length % 4 || words.length % 4) return new Invalid("a list is cut short");
  const lengths = new Uint16Array(stretches.slice().buffer);
  const from = new Int32Array(planes(words, "together").slice().buffer);
  const to = new Int32Array(total);
  let at = 0;
  let read = 0;
  for (let i = 0; i < lengths.length; i += 2) {
    const [same = 0, changed = 0] = [lengths[i], lengths[i + 1]];
    at += same;
    if (at + changed > total || read + changed > from.length)
      return new Invalid("more words have changed than there are");
    to.set(from.subarray(read, read + changed), at);
    at += changed;
    read += changed;
  }
  return read === from.length ? to : new Invalid("words are left over");
}

/** Where there are many words: their bytes apart, by significance, or together again. */
function planes(bytes: Uint8Array, which: "apart" | "together"): Uint8Array {
  const count = bytes.length / 4;
  if (count < PLANES_FROM_WORDS) return bytes;
  const moved = new Uint8Array(bytes.length);
  for (let plane = 0; plane < 4; plane++)
    for (let i = 0; i < count; i++) {
      const [apart, together] = [plane * count + i, 4 * i + plane];
      if (which === "apart") moved[apart] = bytes[together] ?? 0;
      else moved[together] = bytes[apart] ?? 0;
    }
  return moved;
}
