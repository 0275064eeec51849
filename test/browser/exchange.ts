/** Twenty mebibytes and a thousand short messages between them, both ways at once, checked byte by byte. */
import type { Link } from "../../fabric/base/ports.ts";

const SHORT_MESSAGES = 1_000;
const BULK_BYTES = 1024 * 1024;
/** After so many short messages comes a long one: 20 in all. */
const SHORT_PER_BULK = 50;
const MESSAGES = SHORT_MESSAGES + SHORT_MESSAGES / SHORT_PER_BULK;

export interface Exchange {
  readonly messages: number;
  readonly bytes: number;
  /** The first message that was not what it should be, if any. */
  readonly wrong: string;
  readonly ms: number;
}

/** Message number `n` of the side with that seed. */
function message(n: number, seed: number): Uint8Array<ArrayBuffer> {
  const bulk = n % (SHORT_PER_BULK + 1) === 0;
  const bytes = new Uint8Array(bulk ? BULK_BYTES + n : 8);
  let state = (seed * 1_000_003 + n) >>> 0;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** To be called on both sides, with seeds 1 and 2. Resolves when everything of the other has arrived, and ours too. */
export async function exchange(link: Link, seed: number): Promise<Exchange> {
  const begin = performance.now();
  let count = 0;
  let bytes = 0;
  let wrong = "";
  let othersDone = false;
  const done = new Promise<void>((resolve) => {
    link.onMessage = (got) => {
      if (got.length === 0) othersDone = true;
      else {
        const expected = message(count, 3 - seed);
        const differs =
          got.length !== expected.length ? -1 : expected.findIndex((byte, i) => byte !== got[i]);
        if (!wrong && (got.length !== expected.length || differs >= 0))
          wrong = `message ${count}: ${got.length} bytes instead of ${expected.length}, or another at ${differs}`;
        count++;
        bytes += got.length;
        if (count === MESSAGES) link.send(new Uint8Array(0));
      }
      if (othersDone && count === MESSAGES) resolve();
    };
  });
  for (let n = 0; n < MESSAGES; n++) link.send(message(n, seed));
  await done;
  return { messages: count, bytes, wrong, ms: performance.now() - begin };
}

export const EXCHANGED = {
  messages: MESSAGES,
  wrong: "",
} as const;
