/**
 * Messages as frames that a data channel carries, and back. Pure.
 *
 * A frame is a byte that says what it is, and what it carries. A message that does not fit into one goes as
 * `first` (with the whole length, 4 bytes, little-endian) and `more` frames, all full but the last: so the memory a
 * hostile sender can make us hold is what it really sent, and no more than LIMITS.messageBytes; and all of them together, no
 * more than LIMITS.unfinishedBytes.
 *
 * How much a frame holds goes by the message's length. WebRTC's transport sends at most four packets for each call, and the rest
 * when those are confirmed (dcsctp's `max_burst`; RFC 9260, 6.1 D): 17 KB in one call take four ways there and back. So a
 * message of up to 64 KiB goes in frames of four packets. A longer one, where there is no end to waiting for confirmations
 * either way, goes in the largest frames there are.
 *
 * Two messages can be under way: one that gives way, and between any two frames of that, others. Only what is longer than a frame
 * does, in frames of its own kinds, each of which the receiver confirms: so the sender knows how much of it others would wait behind, in
 * the network and beyond it.
 */
import { Invalid, utf8Decode, utf8Encode } from "../base/codec.ts";
import { LIMITS } from "../base/limits.ts";

/** The largest that every WebRTC implementation must take when the other says nothing about it (RFC 8841). */
export const FRAME_BYTES = 64 * 1024;
/** Four packets of WebRTC's usual size. */
export const BURST_BYTES = 4 * 1152;

const WHOLE = 0;
const FIRST = 1;
const MORE = 2;
const ALIVE = 3;
const ASK = 4;
const GOODBYE = 5;
const YIELDING_FIRST = 6;
const YIELDING_MORE = 7;
const TOOK = 8;

const FIRST_HEADER_BYTES = 5;
const REASON_BYTES = 1024;

export type Frame = Uint8Array<ArrayBuffer>;

/** A sign of life that wants no answer. */
export const alive = (): Frame => new Uint8Array([ALIVE]);
/** Asks for a sign of life. */
export const ask = (): Frame => new Uint8Array([ASK]);
/** Confirms a frame of what gives way. */
export const took = (): Frame => new Uint8Array([TOOK]);
export const goodbye = (reason: string): Frame =>
  frame([GOODBYE], utf8Encode(reason).subarray(0, REASON_BYTES));

/** Of each frame of a message that gives way. */
export const YIELDING_BYTES = 16 * 1024;

/** Of each frame of a message, with its header; the last is shorter. */
const frameBytesFor = (length: number, givesWay: boolean) =>
  givesWay ? YIELDING_BYTES : length <= FRAME_BYTES ? BURST_BYTES : FRAME_BYTES;

/** Bytes of its message that a frame carries. */
export const payloadBytes = (frame: Frame) =>
  frame.length - (frame[0] === FIRST || frame[0] === YIELDING_FIRST ? FIRST_HEADER_BYTES : 1);

/** Whether it wants to be confirmed. */
export const isYielding = ([kind]: Uint8Array) => kind === YIELDING_FIRST || kind === YIELDING_MORE;

/** Whether there is anything to be gained: others wait no longer for what fits into a frame. */
export const canGiveWay = (message: Uint8Array) => message.length > FRAME_BYTES;

/** The frames of one message, each made when it is wanted. `givesWay`: others may come between them. */
export function* framesOf(message: Uint8Array, givesWay = false): Generator<Frame> {
  const { length } = message;
  if (length > LIMITS.messageBytes)
    throw new RangeError(`a message of ${length} bytes, where ${LIMITS.messageBytes} are allowed`);
  if (length < BURST_BYTES) return yield frame([WHOLE], message);
  const frameBytes = frameBytesFor(length, givesWay);
  let at = frameBytes - FIRST_HEADER_BYTES;
  const bytes = [length & 255, (length >> 8) & 255, (length >> 16) & 255, (length >> 24) & 255];
  const [first, more] = givesWay ? [YIELDING_FIRST, YIELDING_MORE] : [FIRST, MORE];
  yield frame([first, ...bytes], message.subarray(0, at));
  for (; at < length; at += frameBytes - 1) yield frame([more], message.subarray(at, at + frameBytes - 1));
}

function frame(header: readonly number[], payload: Uint8Array): Frame {
  const out = new Uint8Array(header.length + payload.length);
  out.set(header);
  out.set(payload, header.length);
  return out;
}

export type Received =
  | { readonly type: "message"; readonly bytes: Uint8Array }
  | { readonly type: "part" | "alive" | "ask" | "took" }
  | { readonly type: "goodbye"; readonly reason: string };

/** What is held of messages of which a part is missing, by all who share this. */
export class Unfinished {
  #bytes = 0;
  /** With its bytes, each; that first of which nothing has come for longest. */
  readonly #messages = new Map<{ giveUp(): void }, number>();
  readonly #bytesMax: number;

  constructor(bytesMax: number = LIMITS.unfinishedBytes) {
    this.#bytesMax = bytesMax;
  }

  /** So much of it is there now; 0: it is whole, or nobody waits for it. Gives messages up where it is too much. */
  count(message: { giveUp(): void }, bytes: number): void {
    this.#bytes += bytes - (this.#messages.get(message) ?? 0);
    this.#messages.delete(message);
    if (bytes === 0) return;
    this.#messages.set(message, bytes);
    for (const longest of this.#messages.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      longest.giveUp();
    }
  }
}

/** Puts frames together again. After an Invalid the sender is not to be listened to any more. */
export class Reassembler {
  readonly #message: UnderWay;
  readonly #yielding: UnderWay;
  #bytesMax: number = LIMITS.firstMessageBytes;

  /** `onGivenUp`: others' messages came instead of one of this sender's, who is not to be listened to any more either. */
  constructor(unfinished = new Unfinished(), onGivenUp: () => void = () => {}) {
    this.#message = new UnderWay(false, unfinished, onGivenUp);
    this.#yielding = new UnderWay(true, unfinished, onGivenUp);
  }

  /** Keeps `frame`, which must not be changed afterwards. */
  take(frame: Uint8Array): Received | Invalid {
    const received = this.#take(frame);
    if (!(received instanceof Invalid) && received.type === "message") this.#bytesMax = LIMITS.messageBytes;
    return received;
  }

  /** Forgets what is unfinished. */
  clear(): void {
    this.#message.clear();
    this.#yielding.clear();
  }

  #take(frame: Uint8Array): Received | Invalid {
    if (frame.length > FRAME_BYTES) return new Invalid(`a frame of ${frame.length} bytes`);
    switch (frame[0]) {
      case ALIVE:
        return frame.length === 1 ? { type: "alive" } : new Invalid("a sign of life with something in it");
      case ASK:
        return frame.length === 1 ? { type: "ask" } : new Invalid("a question with something in it");
      case TOOK:
        return frame.length === 1 ? { type: "took" } : new Invalid("a confirmation with something in it");
      case GOODBYE:
        if (frame.length > 1 + REASON_BYTES) return new Invalid("a goodbye without end");
        return { type: "goodbye", reason: utf8Decode(frame.subarray(1)) };
      case WHOLE:
        if (this.#message.isBegun) return new Invalid("a message inside another");
        return { type: "message", bytes: frame.subarray(1) };
      case FIRST:
        return this.#message.first(frame, this.#bytesMax);
      case MORE:
        return this.#message.more(frame);
      case YIELDING_FIRST:
        return this.#yielding.first(frame, this.#bytesMax);
      case YIELDING_MORE:
        return this.#yielding.more(frame);
      default:
        return new Invalid(`a frame of kind ${frame[0] ?? "nothing"}`);
    }
  }
}

/** A message of which some frames have come. */
class UnderWay {
  #parts: Uint8Array[] = [];
  /** Bytes in all, and bytes still to come; 0 between messages. */
  #length = 0;
  #missing = 0;
  readonly #givesWay: boolean;
  readonly #unfinished: Unfinished;
  readonly #onGivenUp: () => void;

  constructor(givesWay: boolean, unfinished: Unfinished, onGivenUp: () => void) {
    this.#givesWay = givesWay;
    this.#unfinished = unfinished;
    this.#onGivenUp = onGivenUp;
  }

  get isBegun(): boolean {
    return this.#missing > 0;
  }

  first(frame: Uint8Array, bytesMax: number): Received | Invalid {
    if (this.isBegun) return new Invalid("a message inside another");
    if (frame.length < FIRST_HEADER_BYTES) return new Invalid("a first frame that is cut short");
    const length = new DataView(frame.buffer, frame.byteOffset).getUint32(1, true);
    if (this.#givesWay ? length <= FRAME_BYTES : length < BURST_BYTES)
      return new Invalid("parts of a message that needs none");
    if (frame.length !== frameBytesFor(length, this.#givesWay))
      return new Invalid("a first frame that is not full");
    if (length > bytesMax) {
      const which = bytesMax === LIMITS.messageBytes ? "message" : "first message";
      return new Invalid(`a ${which} of ${length} bytes, where ${bytesMax} are allowed`);
    }
    this.#length = this.#missing = length;
    return this.#add(frame.subarray(FIRST_HEADER_BYTES));
  }

  more(frame: Uint8Array): Received | Invalid {
    if (!this.isBegun) return new Invalid("the middle of no message");
    if (frame.length - 1 !== Math.min(this.#missing, frameBytesFor(this.#length, this.#givesWay) - 1))
      return new Invalid(`${frame.length - 1} bytes of a message that lacks ${this.#missing}`);
    return this.#add(frame.subarray(1));
  }

  #add(part: Uint8Array): Received {
    this.#parts.push(part);
    this.#missing -= part.length;
    if (this.isBegun) {
      this.#unfinished.count(this, this.#length - this.#missing);
      return { type: "part" };
    }
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.clear();
    return { type: "message", bytes };
  }

  giveUp(): void {
    this.clear();
    this.#onGivenUp();
  }

  clear(): void {
    this.#parts = [];
    this.#length = this.#missing = 0;
    this.#unfinished.count(this, 0);
  }
}
