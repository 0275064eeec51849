import type { ImageId } from "../base/ids.ts";
import { type Image, inCommon, PAGE_BYTES } from "../engine/index.ts";

/** Memory of images kept, besides those that running processes continue. */
const CACHE_BYTES = 128 << 20;
/** Of small ones as many as could be asked for again soon: most are of children that have long been started. */
const CACHE_IMAGES = 256;

/** The images used last, up to a number of them and of bytes. */
export class ImageCache {
  readonly #images = new Map<ImageId, { readonly image: Image; readonly bytes: number }>();
  #bytes = 0;

  has(id: ImageId): boolean {
    return this.#images.has(id);
  }

  /** An image, which is then the one used last. */
  get(id: ImageId): Image | undefined {
    const entry = this.#images.get(id);
    if (!entry) return undefined;
    this.#images.delete(id);
    this.#images.set(id, entry);
    return entry.image;
  }

  clear(): void {
    this.#images.clear();
    this.#bytes = 0;
  }

  /** `like`: pages that it shares where nothing has changed. */
  add(id: ImageId, image: Image, like: Image["pages"]): void {
    if (this.#images.has(id)) return;
    const bytes = (image.pages.length - inCommon(image.pages, like)) * PAGE_BYTES;
    this.#images.set(id, { image, bytes });
    this.#bytes += bytes;
    for (const [oldest, old] of this.#images) {
      const few = this.#bytes <= CACHE_BYTES && this.#images.size <= CACHE_IMAGES;
      if (few || oldest === id) break;
      this.#images.delete(oldest);
      this.#bytes -= old.bytes;
    }
  }
}
