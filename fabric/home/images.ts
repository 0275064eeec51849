/** The images that a job's processes could be started from, and who has seen them. */
import { must } from "../base/errors.ts";
import type { HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { EncodedImage, Snapshot } from "../wire/messages.ts";
import { firstNeeded } from "./answers.ts";
import type { HomeState, Process } from "./state.ts";
import { touch } from "./tally.ts";

/** Those of a snapshot's images that the host has not seen. */
export function imagesFor(state: HomeState, host: HostId, snapshot: Snapshot | undefined): EncodedImage[] {
  const known = state.hosts.get(host)?.images;
  const lacking = snapshot?.chain.filter((id) => !known?.has(id)) ?? [];
  return lacking.map((id) => ({ id, bytes: must(state.images.get(id), "image of a snapshot") }));
}

/** They are on their way to the host, and need not be sent again. */
export function noteSent(state: HomeState, host: HostId, images: readonly EncodedImage[]): void {
  for (const { id } of images) state.hosts.get(host)?.images.add(id);
}

export const bytesOf = (images: readonly EncodedImage[]): number =>
  images.reduce((sum, { bytes }) => sum + bytes.length, 0);

/**
 * A snapshot of a process has come: from here on it would be started from that, and what it learned before is in it.
 * Otherwise nothing is changed, and the host must have gone wrong: says how.
 */
export function receive(
  state: HomeState,
  host: HostId,
  p: Process,
  snapshot: Snapshot,
  images: readonly EncodedImage[],
): string | undefined {
  const record = state.hosts.get(host);
  const sent = new Map(images.map(({ id, bytes }) => [id, bytes]));
  const sizes = snapshot.chain.map((id) => (state.images.get(id) ?? sent.get(id))?.length);
  if (sizes.length === 0 || sizes.includes(undefined))
    return "it sent an image that continues one it never sent";
  if (sizes.reduce<number>((sum, size = 0) => sum + size, 0) > LIMITS.chainBytes)
    return "it continued an image for longer than there is room for";
  for (const id of snapshot.chain) {
    const bytes = sent.get(id);
    // One that is here stays as it is: others may be made of it. A copy, which outlives the message it came in.
    if (bytes && !state.images.has(id)) state.images.set(id, bytes.slice());
    if (bytes) record?.images.add(id);
  }
  // It came through what it died of, if it was of that: it is not what kills hosts.
  if (snapshot.moment > (p.snapshot?.moment ?? 0)) p.hostsLost = 0;
  p.snapshot = snapshot;
  touch(state, p);
  p.seed = undefined;
  const first = firstNeeded(snapshot);
  for (const [call, answer] of p.answers)
    if (call < first) {
      p.answers.delete(call);
      p.answersBytes -= answer.length;
    }
  p.clock = p.clock.filter((reading) => reading.moment >= snapshot.moment);
  return undefined;
}
