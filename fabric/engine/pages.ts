/**
 * Memory as pages of 4 KiB. Pages of images are never written to, so images share those that did not change, and a
 * page that is the same object in two images is the same in both.
 */
export const PAGE_BYTES = 4096;
export const PAGE_WORDS = PAGE_BYTES / 4;

/** Exactly PAGE_BYTES, which nobody changes. */
export type Page = Uint8Array;

/** What every page beyond the end of a list is. */
export const ZEROS: Page = new Uint8Array(PAGE_BYTES);

/** In a list of what a memory holds, a page of which nothing is known: no image's, and so never the same as one. */
export const UNKNOWN: Page = new Uint8Array(0);

export const pageCount = (bytes: number) => Math.ceil(bytes / PAGE_BYTES);

/** Pages as views of `memory`, which must not change any more. */
export function pagesOf(memory: Uint8Array): Page[] {
  return Array.from({ length: pageCount(memory.length) }, (_, n) => {
    const page = memory.subarray(n * PAGE_BYTES, (n + 1) * PAGE_BYTES);
    return page.some((byte) => byte !== 0) ? page : ZEROS;
  });
}

/** A flat copy, `bytes` long. */
export function flat(pages: readonly Page[], bytes: number): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(bytes);
  layOver(memory, pages, []);
  return memory;
}

/** How many pages are in the same place of both lists. */
export function inCommon(a: readonly Page[], b: readonly Page[]): number {
  let count = 0;
  for (let n = Math.min(a.length, b.length) - 1; n >= 0; n--) if (a[n] === b[n]) count++;
  return count;
}

/** Makes `memory` hold `pages` and then zeros; now it holds `before` and then zeros. */
export function layOver(memory: Uint8Array, pages: readonly Page[], before: readonly Page[]): void {
  const isThere = (n: number) => (pages[n] ?? ZEROS) === (before[n] ?? ZEROS);
  const count = Math.min(Math.max(pages.length, before.length), memory.length / PAGE_BYTES);
  for (let n = 0; n < count; ) {
    const page = pages[n] ?? ZEROS;
    const first = n++;
    if (isThere(first)) continue;
    // Pages that were written down together lie side by side, and are copied at once.
    let { byteOffset } = page;
    for (; n < count; n++) {
      const next = pages[n] ?? ZEROS;
      byteOffset += PAGE_BYTES;
      if (next.byteOffset !== byteOffset || next.buffer !== page.buffer || isThere(n)) break;
    }
    memory.set(new Uint8Array(page.buffer, page.byteOffset, (n - first) * PAGE_BYTES), first * PAGE_BYTES);
  }
}

export const wordsOf = (page: Page) => new Int32Array(page.buffer, page.byteOffset, PAGE_WORDS);
