/**
 * A Link over an open WebRTC data channel: ordered, in frames (framing.ts), never more than a mebibyte of them in the
 * channel, so that a short message does not wait long behind what is in flight. A large message that nobody waits for gives way: its frames
 * leave when there is nothing else to send.
 *
 * The calling side speaks first, and the called side not before it has heard that: Chromium tells the called page that
 * its channel is open before it is, and what is sent meanwhile is lost (webrtc: `SctpDataChannel::SendImpl` drops what
 * comes while it is connecting). What arrives comes through a channel that is open.
 *
 * A link ends once, with a reason: a goodbye, a channel that closed, a path that failed, bytes that are no frame, or
 * silence. WebRTC itself notices a dead peer only after 5–30 s, hence signs of life of our own (and any byte is one).
 */
import { Invalid } from "../base/codec.ts";
import { LIMITS } from "../base/limits.ts";
import type { Binding, Clock, Link, LinkEnd } from "../base/ports.ts";
import {
  alive,
  ask,
  canGiveWay,
  type Frame,
  framesOf,
  goodbye,
  isYielding,
  payloadBytes,
  Reassembler,
  took,
  Unfinished,
} from "./framing.ts";
import { Silence } from "./silence.ts";

/** Between `low` and `high` bytes in the channel it is kept busy: up to 40 MB/s, and a short message waits 30 ms at most. */
const WATER = { low: 256 * 1024, high: 1024 * 1024 };
/** Less of what gives way, since others wait for it: 1 ms at that speed, 20 ms over a slow line. */
const YIELDING_WATER = { low: 16 * 1024, high: 48 * 1024 };
/** Frames of what gives way that the other side has not confirmed: 2.5 MB/s where the way there and back takes a tenth of a second. */
const UNCONFIRMED_MAX = 16;
/** Where both have something to send, one frame in so many is of what gives way: it is not to wait for ever. */
const YIELDING_SHARE = 8;
/** A channel that drains this much between two ticks has somebody at its other end; signs of life alone are less. */
const DRAIN_BYTES = 4 * 1024;
/** How long the other may take to hear a goodbye before the connection is taken down. */
const FAREWELL_MS = 1_000;

export interface RtcParts {
  /** Says that it is open; made by an `ordered`, reliable negotiation. Nobody else sends on it or listens to it. */
  readonly channel: RTCDataChannel;
  readonly connection: RTCPeerConnection;
  readonly binding: Binding;
  /** Whether this side made the channel. */
  readonly calls: boolean;
  /** Frames that came before the channel said that it was open. */
  readonly early?: readonly unknown[];
  /** Shared with other links; usually with all. */
  readonly unfinished?: Unfinished | undefined;
  readonly clock: Clock;
  /** Called once, when the other side has been heard: from then on the link carries messages both ways. */
  readonly onHeard?: () => void;
  /** Called once, when the connection can be taken down. */
  readonly release: () => void;
}

/** The whole process's. */
const unfinishedOfAll = new Unfinished();

export function rtcLink(parts: RtcParts): Link {
  return new RtcLink(parts);
}

class RtcLink implements Link {
  readonly binding: Binding;
  onEnd: (end: LinkEnd) => void = () => {};
  #onMessage: ((message: Uint8Array) => void) | undefined;
  /** Messages that came before anybody listened. */
  #early: Uint8Array[] = [];

  readonly #channel: RTCDataChannel;
  readonly #connection: RTCPeerConnection;
  readonly #clock: Clock;
  #release: (() => void) | undefined;
  /** Until the other side has been heard. */
  #onHeard: (() => void) | undefined;
  #mayTalk: boolean;
  readonly #incoming: Reassembler;
  /** Of the other program, and of the network beneath it: a page that is busy says nothing, but its browser does. */
  readonly #mute: Silence;
  readonly #silence: Silence;
  readonly #prompt = new Lane(false);
  readonly #yielding = new Lane(true);
  /** Frames that have left since one of what gives way; and those of that which are not confirmed. */
  #overtook = 0;
  #unconfirmed = 0;
  #ended = false;
  #cancelTick = () => {};
  // Since the last tick:
  #heard = false;
  #said = false;
  #drainedBytes = 0;
  #givenBytes = 0;
  /** What the network beneath had received when it was last looked at; undefined while the other side talks. */
  #receivedBytes: number | undefined;

  constructor(parts: RtcParts) {
    const { channel, connection, calls, early = [], unfinished = unfinishedOfAll, clock } = parts;
    this.binding = parts.binding;
    this.#channel = channel;
    this.#connection = connection;
    this.#clock = clock;
    this.#release = parts.release;
    this.#onHeard = parts.onHeard ?? (() => {});
    this.#mayTalk = calls;
    this.#incoming = new Reassembler(unfinished, () =>
      this.close(
        "of a message that it left unfinished nothing came for longest, and together there was too much of such",
      ),
    );
    this.#mute = new Silence(LIMITS.heartbeatMs, LIMITS.muteMs, clock.monotonic());
    this.#silence = new Silence(LIMITS.heartbeatMs, LIMITS.silenceMs, clock.monotonic());
    channel.binaryType = "arraybuffer";
    channel.addEventListener("bufferedamountlow", () => this.#pump());
    channel.addEventListener("message", ({ data }) => this.#take(data));
    // A tab that closes may take its goodbye along; then an `error` (aborted) or a `close` is what arrives.
    const closed = () => this.#fail("the connection closed without a goodbye");
    channel.addEventListener("error", closed);
    channel.addEventListener("close", closed);
    connection.addEventListener("connectionstatechange", () => {
      const { connectionState } = connection;
      if (connectionState === "failed" || connectionState === "closed") this.#fail("the network path broke");
    });
    this.#tickLater();
    if (calls) this.#give(ask());
    // Not before the caller has the link: it is told that the other side has been heard.
    queueMicrotask(() => {
      for (const frame of early) this.#take(frame);
    });
  }

  get onMessage(): (message: Uint8Array) => void {
    return this.#onMessage ?? (() => {});
  }
  set onMessage(listener: (message: Uint8Array) => void) {
    this.#onMessage = listener;
    queueMicrotask(() => {
      for (const message of this.#early.splice(0)) this.#deliver(message);
    });
  }

  #deliver(message: Uint8Array): void {
    if (this.#onMessage && this.#early.length === 0) this.#onMessage(message);
    else this.#early.push(message);
  }

  get queuedBytes(): number {
    if (this.#ended) return 0;
    return this.#prompt.waitingBytes + this.#yielding.waitingBytes + this.#channel.bufferedAmount;
  }

  send(message: Uint8Array, givesWay = false): void {
    if (this.#ended) return;
    if (message.length > LIMITS.messageBytes)
      throw new RangeError(`a message of ${message.length} bytes, where ${LIMITS.messageBytes} are allowed`);
    const lane = givesWay && canGiveWay(message) ? this.#yielding : this.#prompt;
    lane.push(message);
    this.#pump();
  }

  /** What the channel has not taken yet is dropped; what it has, and the goodbye, still leave. */
  close(reason: string): void {
    if (this.#ended) return;
    this.#give(goodbye(reason));
    if (this.#ended) return;
    this.#shut(); // but not the channel: the other closes it when the goodbye is there, else it might be lost
    queueMicrotask(() => this.onEnd({ reason })); // not before the caller has finished
  }

  #pump(): void {
    while (!this.#ended && this.#mayTalk) {
      const isItsTurn = this.#prompt.isEmpty || this.#overtook >= YIELDING_SHARE;
      const yields = isItsTurn && !this.#yielding.isEmpty && this.#unconfirmed < UNCONFIRMED_MAX;
      const [lane, water] = yields ? [this.#yielding, YIELDING_WATER] : [this.#prompt, WATER];
      if (this.#channel.bufferedAmount >= water.high) {
        this.#channel.bufferedAmountLowThreshold = water.low;
        return;
      }
      const frame = lane.next();
      if (!frame) return;
      this.#overtook = yields ? 0 : this.#overtook + 1;
      if (yields) this.#unconfirmed++;
      this.#give(frame);
    }
  }

  /** Drops the frame while this side has to wait for the other's first; messages are not given before. */
  #give(frame: Frame): void {
    if (!this.#mayTalk) return;
    try {
      this.#channel.send(frame);
      this.#givenBytes += frame.length;
      this.#said = true;
    } catch {
      this.#fail("the connection does not take data any more");
    }
  }

  #take(data: unknown): void {
    if (this.#ended) return;
    this.#heard = true;
    this.#mayTalk = true;
    this.#mute.heard();
    this.#silence.heard();
    if (!(data instanceof ArrayBuffer)) return this.#refuse("text");
    const frame = new Uint8Array(data);
    const received = this.#incoming.take(frame);
    if (received instanceof Invalid) return this.#refuse(received.reason);
    if (isYielding(frame)) this.#give(took());
    if (this.#ended) return;
    if (received.type === "message") this.#deliver(received.bytes);
    else if (received.type === "ask") this.#give(alive());
    else if (received.type === "took") this.#confirmed();
    else if (received.type === "goodbye") return this.#end(received.reason);
    if (!this.#onHeard || this.#ended) return;
    this.#onHeard();
    this.#onHeard = undefined;
    this.#pump();
  }

  #confirmed(): void {
    this.#unconfirmed = Math.max(0, this.#unconfirmed - 1);
    this.#pump();
  }

  #refuse(what: string): void {
    this.close(`it sent ${what}`);
  }

  #tickLater(): void {
    this.#cancelTick = this.#clock.after(LIMITS.heartbeatMs, () => this.#tick());
  }

  #tick(): void {
    // A long transfer over a slow line: its end does not answer for seconds, but the channel drains.
    const drainedBytes = this.#givenBytes - this.#channel.bufferedAmount;
    const drains = drainedBytes - this.#drainedBytes >= DRAIN_BYTES;
    this.#drainedBytes = drainedBytes;
    if (drains) {
      this.#mute.heard();
      this.#silence.heard();
    }
    const nowMs = this.#clock.monotonic();
    if (this.#silence.tick(nowMs)) return this.#fail(`no sign of life for ${LIMITS.silenceMs / 1000} s`);
    if (this.#mute.tick(nowMs))
      return this.#fail(`it is there, but has not answered for ${LIMITS.muteMs / 1000} s`);
    this.#lookBeneath();
    this.#pump(); // should a low-water event be missed
    if (!this.#heard) this.#give(ask());
    else if (!this.#said) this.#give(alive());
    this.#heard = this.#said = false;
    if (!this.#ended) this.#tickLater();
  }

  /** Whoever does not answer, but confirms our questions as packets (SACK), is busy. Node's WebRTC does not count those. */
  #lookBeneath(): void {
    if (this.#heard) {
      this.#receivedBytes = undefined;
      return;
    }
    this.#connection.getStats().then(
      (stats) => {
        const receivedBytes = receivedOnPairs(stats);
        if (receivedBytes > (this.#receivedBytes ?? receivedBytes)) this.#silence.heard();
        this.#receivedBytes = receivedBytes;
      },
      () => {}, // closed meanwhile
    );
  }

  /** Ends without hope that anything still leaves. */
  #fail(reason: string): void {
    this.#end(reason);
    this.#letGo();
  }

  #end(reason: string): void {
    if (this.#ended) return;
    this.#shut();
    this.#channel.close();
    this.onEnd({ reason });
  }

  #shut(): void {
    this.#ended = true;
    this.#cancelTick();
    this.#incoming.clear();
    this.#prompt.clear();
    this.#yielding.clear();
    this.#clock.after(FAREWELL_MS, () => this.#letGo());
  }

  #letGo(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

/** Messages of which no frame has left, and the frames of the one that is leaving. */
class Lane {
  waitingBytes = 0;
  readonly #givesWay: boolean;
  readonly #queue: Uint8Array[] = [];
  #leaving: Iterator<Frame> | undefined;

  constructor(givesWay: boolean) {
    this.#givesWay = givesWay;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0 && this.waitingBytes === 0;
  }

  push(message: Uint8Array): void {
    this.waitingBytes += message.length;
    this.#queue.push(message);
  }

  next(): Frame | undefined {
    for (;;) {
      const frame = this.#leaving?.next();
      if (frame && !frame.done) {
        this.waitingBytes -= payloadBytes(frame.value);
        return frame.value;
      }
      const message = this.#queue.shift();
      this.#leaving = message && framesOf(message, this.#givesWay);
      if (!this.#leaving) return undefined;
    }
  }

  clear(): void {
    this.#queue.length = 0;
    this.#leaving = undefined;
    this.waitingBytes = 0;
  }
}

function receivedOnPairs(stats: RTCStatsReport): number {
  let sum = 0;
  stats.forEach((entry: { type: string; bytesReceived?: number }) => {
    if (entry.type === "candidate-pair") sum += entry.bytesReceived ?? 0;
  });
  return sum;
}
