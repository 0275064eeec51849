/**
 * Memory as pages of 4 KiB: which have changed since an earlier memory, each as the exclusive or of the two. Most pages
 * change in a few words, so what is left deflates to almost nothing.
 */
import { PAGE_BYTES } from "./base-image.ts";

export const PAGE_WORDS = PAGE_BYTES / 4;

export interface Page {
  readonly number: number;
  /** Its words now, exclusive or its words before. */
  readonly difference: Int32Array;
}

const wordsOf = (memory: Uint8Array) => new Int32Array(memory.buffer, memory.byteOffset, memory.length >> 2);

/** By rising number. Memory only grows: what `before` does not have was zeros. */
export function changedPages(before: Uint8Array, now: Uint8Array): Page[] {
  const old = wordsOf(before);
  const words = wordsOf(now);
  const pages: Page[] = [];
  for (let at = 0; at < words.length; at += PAGE_WORDS) {
    const grown = at >= old.length;
    if (grown ? isUnused(words, at) : isSame(words, old, at)) continue;
    const difference = words.slice(at, at + PAGE_WORDS);
    if (!grown)
      for (let i = 0; i < PAGE_WORDS; i++) difference[i] = (difference[i] ?? 0) ^ (old[at + i] ?? 0);
    pages.push({ number: at / PAGE_WORDS, difference });
  }
  return pages;
}

function isSame(a: Int32Array, b: Int32Array, at: number): boolean {
  for (let i = at; i < at + PAGE_WORDS; i++) if (a[i] !== b[i]) return false;
  return true;
}

function isUnused(a: Int32Array, at: number): boolean {
  for (let i = at; i < at + PAGE_WORDS; i++) if (a[i] !== 0) return false;
  return true;
}

/** Makes the memory from before, in `memory`, the one with these changes. Page numbers must lie within it. */
export function applyChanges(memory: Uint8Array, pages: readonly Page[]): void {
  const words = wordsOf(memory);
  for (const { number, difference } of pages) {
    const at = number * PAGE_WORDS;
    for (let i = 0; i < PAGE_WORDS; i++) words[at + i] = (words[at + i] ?? 0) ^ (difference[i] ?? 0);
  }
}
