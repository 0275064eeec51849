/** An image put by: as what it differs in from another's pages, a few KiB for a process that sleeps. */
import { Invalid } from "../base/codec.ts";
import { type Changes, changesBetween, withChanges } from "./changes.ts";
import type { Image } from "./image.ts";
import type { Page } from "./pages.ts";

/** With more pages than these of its own, an image is kept as it is: to take it apart would take milliseconds. */
const OWN_PAGES_MAX = 256;

export class CompactImage {
  readonly #image: Omit<Image, "pages">;
  readonly #like: readonly Page[];
  readonly #pages: readonly Page[] | Changes;

  /** `like`: pages that stay in memory anyway. */
  constructor({ pages, ...rest }: Image, like: readonly Page[]) {
    this.#image = rest;
    this.#like = like;
    const own = pages.reduce((count, page, n) => count + Number(page !== like[n]), 0);
    this.#pages = own > OWN_PAGES_MAX ? pages : changesBetween(like, pages);
  }

  get memoryBytes(): number {
    return this.#image.memoryBytes;
  }

  /** Made anew at each use. */
  get image(): Image {
    const kept = this.#pages;
    const pages = "runs" in kept ? withChanges(this.#like, kept, Number.POSITIVE_INFINITY) : kept;
    if (pages instanceof Invalid) throw new Error(`bug: an image put by is damaged: ${pages.reason}`);
    return { ...this.#image, pages };
  }
}
