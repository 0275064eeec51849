/** The fingerprints of images' pages: an image is read by looking at an instance's memory once. */
import { must } from "../base/errors.ts";
import { FINGERPRINT_WORDS, FINGERPRINTS_MAX, type Fingerprints } from "./fingerprint.ts";
import type { Instance } from "./instance.ts";
import { PAGE_BYTES, type Page, pageCount, ZEROS } from "./pages.ts";

const same = (a: Uint32Array, i: number, b: Uint32Array, j: number) =>
  a[i] === b[j] && a[i + 1] === b[j + 1] && a[i + 2] === b[j + 2] && a[i + 3] === b[j + 3];

/** Takes the fingerprints of an instance's pages from `first` to `end`. */
function take(of: Fingerprints, first: number, end: number, into: Uint32Array): void {
  for (let n = first; n < end; n += FINGERPRINTS_MAX) {
    const last = Math.min(n + FINGERPRINTS_MAX, end);
    into.set(of.of(n * PAGE_BYTES, last * PAGE_BYTES), n * FINGERPRINT_WORDS);
  }
}

export class KnownPages {
  readonly #known = new WeakMap<readonly Page[], Uint32Array>();
  /** The list that was known last, as long as anybody has it: often a sibling's. */
  #latest = new WeakRef<readonly Page[]>([]);

  /** Learns what an instance's memory begins with. `like`: a list that is known, and much like it. */
  learn(instance: Instance, pages: readonly Page[], like = this.#latest.deref() ?? []): void {
    if (this.#known.has(pages)) return;
    const fingerprints = new Uint32Array(pages.length * FINGERPRINT_WORDS);
    const there = this.#known.get(like);
    if (there) fingerprints.set(there.subarray(0, fingerprints.length));
    for (let n = 0; n < pages.length; n++) {
      const first = n;
      while (n < pages.length && !(there && pages[n] === like[n])) n++;
      take(instance.fingerprints, first, n, fingerprints);
    }
    this.#keep(pages, fingerprints);
  }

  /**
   * The pages of an instance's first `bytes`; those that are as in `like`, which is known, are the same. Pages before `first` are not
   * looked at.
   */
  read(from: Instance, bytes: number, like: readonly Page[], first = 0): Page[] {
    const count = pageCount(bytes);
    const before = must(this.#known.get(like), "fingerprints of an image that a machine was made of");
    const now = new Uint32Array(count * FINGERPRINT_WORDS);
    now.set(before.subarray(0, first * FINGERPRINT_WORDS));
    take(from.fingerprints, first, count, now);
    const zeros = from.fingerprints.ofZeros();
    const pages = like.slice(0, count);
    while (pages.length < count) pages.push(ZEROS);
    const changed: number[] = [];
    for (let n = first, i = first * FINGERPRINT_WORDS; n < count; n++, i += FINGERPRINT_WORDS)
      if (!(n < like.length ? same(now, i, before, i) : same(now, i, zeros, 0))) changed.push(n);

    const source = from.bytes;
    const copies = new Uint8Array(changed.length * PAGE_BYTES);
    changed.forEach((n, i) => {
      const page = copies.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
      page.set(source.subarray(n * PAGE_BYTES, (n + 1) * PAGE_BYTES));
      pages[n] = page;
    });
    this.#keep(pages, now);
    return pages;
  }

  #keep(pages: readonly Page[], fingerprints: Uint32Array): void {
    this.#known.set(pages, fingerprints);
    this.#latest = new WeakRef(pages);
  }
}
