/**
 * Memory as pages of 4 KiB: which differ from the base image, and which have changed since an earlier image. Every page
 * is kept as its exclusive or with the base's page: most differences are a few words, and what is left deflates to
 * almost nothing; and two images' difference is the exclusive or of theirs.
 */
import { type BaseImage, PAGE_BYTES } from "./base-image.ts";
import type { Instance } from "./instance.ts";

export const PAGE_WORDS = PAGE_BYTES / 4;

export interface Page {
  readonly number: number;
  /** The page's words, exclusive or those of the base's page (zeros beyond its end). */
  readonly difference: Int32Array;
}

/** The pages in which a machine's memory differs from the base's, by rising number. */
export function pagesThatDiffer({ memory }: Instance, base: BaseImage): Page[] {
  const now = new Int32Array(memory.buffer);
  const then = new Int32Array(base.memory.buffer, base.memory.byteOffset, base.memory.byteLength >> 2);
  const pages: Page[] = [];
  for (let at = 0; at < now.length; at += PAGE_WORDS)
    if (at < then.length ? differs(now, then, at) : isUsed(now, at)) {
      const difference = now.slice(at, at + PAGE_WORDS);
      for (let i = 0; i < PAGE_WORDS; i++) difference[i] = (difference[i] ?? 0) ^ (then[at + i] ?? 0);
      pages.push({ number: at / PAGE_WORDS, difference });
    }
  return pages;
}

function differs(a: Int32Array, b: Int32Array, at: number): boolean {
  for (let i = at; i < at + PAGE_WORDS; i++) if (a[i] !== b[i]) return true;
  return false;
}

function isUsed(a: Int32Array, at: number): boolean {
  for (let i = at; i < at + PAGE_WORDS; i++) if (a[i] !== 0) return true;
  return false;
}

/** Puts such pages into a memory that is the base's. */
export function applyPages({ memory }: Instance, pages: readonly Page[]): void {
  for (const { number, difference } of pages) {
    const page = new Int32Array(memory.buffer, number * PAGE_BYTES, PAGE_WORDS);
    for (let i = 0; i < PAGE_WORDS; i++) page[i] = (page[i] ?? 0) ^ (difference[i] ?? 0);
  }
}

/** What must be laid over `older` to get `newer`: for each page that is not the same, the exclusive or of the two. */
export function changesSince(older: readonly Page[], newer: readonly Page[]): Page[] {
  return combined(older, newer).filter((page) => isUsed(page.difference, 0));
}

/** Undoes `changesSince`: `older` with the changes laid over it. */
export function withChanges(older: readonly Page[], changes: readonly Page[]): Page[] {
  return combined(older, changes).filter((page) => isUsed(page.difference, 0));
}

/** Page by page the exclusive or; a page that only one side has stays as it is. Both by rising number. */
function combined(a: readonly Page[], b: readonly Page[]): Page[] {
  const pages: Page[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const left = a[i];
    const right = b[j];
    if (right === undefined || (left !== undefined && left.number < right.number)) {
      if (left) pages.push(left);
      i++;
    } else if (left === undefined || right.number < left.number) {
      pages.push(right);
      j++;
    } else {
      const difference = new Int32Array(PAGE_WORDS);
      for (let k = 0; k < PAGE_WORDS; k++)
        difference[k] = (left.difference[k] ?? 0) ^ (right.difference[k] ?? 0);
      pages.push({ number: left.number, difference });
      i++;
      j++;
    }
  }
  return pages;
}
