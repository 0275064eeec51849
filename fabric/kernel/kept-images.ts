/** Images of a home's processes that came through a host, so that none comes twice. */
import type { ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { EncodedImage } from "../wire/messages.ts";
import type { Home, KernelState } from "./state.ts";

/** When there is no more room, it forgets all of a home: that then sends what is missing again. */
export function keep(state: KernelState, home: Home, images: readonly EncodedImage[]): void {
  for (const { id, bytes } of images) {
    if (home.images.has(id)) continue;
    if (home.imagesBytes + bytes.length > LIMITS.imageCacheBytes) forgetImages(home);
    home.images.set(id, bytes.slice()); // it outlives its message
    home.imagesBytes += bytes.length;
    makeRoom(state);
  }
}

/** Those of others' processes are no more than the owner gives, whatever number of homes they came from. Who has the most gives way. */
export function makeRoom({ homes, terms }: KernelState): void {
  const others = [...homes.values()].filter(({ own }) => !own).sort((a, b) => b.imagesBytes - a.imagesBytes);
  let bytes = others.reduce((sum, { imagesBytes }) => sum + imagesBytes, 0);
  for (const home of others) {
    if (bytes <= terms.memoryBytes) return;
    bytes -= home.imagesBytes;
    forgetImages(home);
  }
}

/** The owner has the machine back: should others' processes come again, so do their images. */
export function forgetStrangers({ homes }: KernelState): void {
  for (const home of homes.values()) {
    if (home.own) continue;
    forgetImages(home);
    home.prepared.clear();
  }
}

function forgetImages(home: Home): void {
  home.images.clear();
  home.imagesBytes = 0;
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
