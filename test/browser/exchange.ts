/** Long messages and many short ones between them, both ways at once, checked byte by byte. */
import type { Link } from "../../fabric/base/ports.ts";

const BULK_BYTES = 1024 * 1024;
/** After so many short messages comes a long one. */
const SHORT_PER_BULK = 50;
/** Two mebibytes and a hundred short messages. */
const FEW = 2 * (SHORT_PER_BULK + 1);
/** Twenty mebibytes and a thousand short messages. */
export const MANY = 10 * FEW;

export interface Exchange {
  readonly messages: number;
  readonly bytes: number;
  /** The first message that was not what it should be, if any. */
  readonly wrong: string;
  readonly ms: number;
}

/** Message number `n` of the side with that seed. */
function message(n: number, seed: number): Uint8Array<ArrayBuffer> {
  const bulk = n % (SHORT_PER_BULK + 1) === SHORT_PER_BULK;
  const bytes = new Uint8Array(bulk ? BULK_BYTES + n : 8);
  let state = (seed * 1_000_003 + n) >>> 0;
  for (let i = 0; i < bytes.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A link and what has arrived on it; to be made when the link is, so that nothing is missed. */
export class Mailbox {
  readonly link: Link;
  /** Why the link has ended. */
  readonly ended: Promise<string>;
  readonly #arrived: Uint8Array[] = [];
  #end: string | undefined;
  #wake = () => {};

  constructor(link: Link) {
    this.link = link;
    this.ended = new Promise((resolve) => {
      link.onEnd = ({ reason }) => {
        this.#end = reason;
        this.#wake();
        resolve(reason);
      };
    });
    link.onMessage = (message) => {
      this.#arrived.push(message);
      this.#wake();
    };
  }

  /** Throws when the link has ended without another. */
  async next(): Promise<Uint8Array> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message) return message;
      if (this.#end !== undefined) throw new Error(`the link has ended: ${this.#end}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** To be called on both sides, with seeds 1 and 2. Resolves when everything of the other has arrived, and ours too. */
export async function exchange(mailbox: Mailbox, seed: number, messages = FEW): Promise<Exchange> {
  const begin = performance.now();
  for (let n = 0; n < messages; n++) mailbox.link.send(message(n, seed));
  let bytes = 0;
  let wrong = "";
  for (let n = 0; n < messages; n++) {
    const got = await mailbox.next();
    bytes += got.length;
    const expected = message(n, 3 - seed);
    if (!wrong && !same(got, expected)) wrong = `message ${n} is not what was sent`;
  }
  const ms = performance.now() - begin;
  mailbox.link.send(new Uint8Array(0));
  const last = await mailbox.next();
  if (last.length > 0) wrong ||= "a message too many";
  return { messages, bytes, wrong, ms };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export const EXCHANGED = { messages: FEW, wrong: "" } as const;
export const EXCHANGED_MANY = { ...EXCHANGED, messages: MANY } as const;
