/**
 * One image's memory laid out flat, so that an instance can be compared with it natively, and be made to hold it in one copy.
 * For another image, only the pages in which the two differ are laid out anew.
 */
import { type Instance, WASM_PAGE_BYTES } from "./instance.ts";
import { inCommon, layOver, PAGE_BYTES, type Page, pageCount, ZEROS } from "./pages.ts";

const INITIAL_BYTES = 2 << 20;
/** More than this is given back to the host once it is not needed. */
const KEPT_BYTES_MAX = 64 << 20;
/** Compared at once; where they differ, page by page. */
const BLOCK_PAGES = 16;

/** What share of an image's pages must be shown already for it to be copied from here. */
const NEARLY = 7 / 8;

const newMemory = (bytes: number) => new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE_BYTES) });

export class Mirror {
  #memory = newMemory(INITIAL_BYTES);
  #shown: readonly Page[] = [];

  /** The pages of an instance's first `bytes`, sharing those that are as in `like`. */
  read(from: Instance, bytes: number, like: readonly Page[]): Page[] {
    const count = pageCount(bytes);
    const before = like.slice(0, count);
    while (before.length < count) before.push(ZEROS);
    this.#show(before);

    const changed: number[] = [];
    const differ = from.differFrom(this.#memory);
    for (let block = 0; block < count; block += BLOCK_PAGES) {
      const end = Math.min(block + BLOCK_PAGES, count);
      if (!differ(block * PAGE_BYTES, end * PAGE_BYTES)) continue;
      for (let n = block; n < end; n++) if (differ(n * PAGE_BYTES, (n + 1) * PAGE_BYTES)) changed.push(n);
    }

    const source = from.bytes;
    const copies = new Uint8Array(changed.length * PAGE_BYTES);
    const pages = [...before];
    changed.forEach((n, i) => {
      const page = copies.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
      page.set(source.subarray(n * PAGE_BYTES, (n + 1) * PAGE_BYTES));
      pages[n] = page;
    });
    return pages;
  }

  /**
   * Makes `memory`, which may hold anything, begin with `pages`, if these are nearly what was read last: a fork's child is made
   * of an image that has just been taken, and what is flat here is in the processor's cache.
   */
  copyTo(memory: Uint8Array, pages: readonly Page[]): boolean {
    if (inCommon(this.#shown, pages) < pages.length * NEARLY) return false;
    this.#show(pages);
    memory.set(new Uint8Array(this.#memory.buffer, 0, pages.length * PAGE_BYTES));
    return true;
  }

  #show(pages: readonly Page[]): void {
    const { byteLength } = this.#memory.buffer;
    const missing = pages.length * PAGE_BYTES - byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
    else if (byteLength > KEPT_BYTES_MAX && -missing > byteLength / 2) {
      this.#memory = newMemory(pages.length * PAGE_BYTES);
      this.#shown = [];
    }
    layOver(new Uint8Array(this.#memory.buffer), pages, this.#shown);
    this.#shown = pages;
  }
}
