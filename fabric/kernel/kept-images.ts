/** Images of a home's processes that came through a host, so that none comes twice. */
import type { ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { EncodedImage } from "../wire/messages.ts";
import type { Home } from "./kernel.ts";

/** When there is no more room, it forgets all: its home then sends what is missing again. */
export function keep(home: Home, images: readonly EncodedImage[]): void {
  for (const { id, bytes } of images) {
    if (home.images.has(id)) continue;
    if (home.imagesBytes + bytes.length > LIMITS.imageCacheBytes) {
      home.images.clear();
      home.imagesBytes = 0;
    }
    home.images.set(id, bytes.slice()); // it outlives its message
    home.imagesBytes += bytes.length;
  }
}

/** The images of a chain, from what was sent with it and what is kept. Undefined where one is missing. */
export function chainOf(
  home: Home,
  chain: readonly ImageId[],
  sent: readonly EncodedImage[],
): EncodedImage[] | undefined {
  const images = chain.flatMap((id) => {
    const bytes = sent.find((image) => image.id === id)?.bytes ?? home.images.get(id);
    return bytes ? [{ id, bytes }] : [];
  });
  return images.length === chain.length ? images : undefined;
}
