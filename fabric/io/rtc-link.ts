/**
 * A Link over an open WebRTC data channel: ordered, in frames (framing.ts), never more than a mebibyte of them in the
 * channel, so that a short message does not wait long behind what is in flight.
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
import { alive, ask, type Frame, framesOf, goodbye, payloadBytes, Reassembler } from "./framing.ts";
import { Silence } from "./silence.ts";

/** Keeps the channel busy between two low-water events at 40 MB/s, and a short message's wait under 30 ms. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;
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
  readonly clock: Clock;
  /** Called once, when the other side has been heard: from then on the link carries messages both ways. */
  readonly onHeard?: () => void;
  /** Called once, when the connection can be taken down. */
  readonly release: () => void;
}

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
  readonly #incoming = new Reassembler();
  /** Of the other program, and of the network beneath it: a page that is busy says nothing, but its browser does. */
  readonly #mute: Silence;
  readonly #silence: Silence;
  /** Messages of which no frame has left, and the frames of the one that is leaving. */
  readonly #queue: Uint8Array[] = [];
  #leaving: Iterator<Frame> | undefined;
  #waitingBytes = 0;
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
    const { channel, connection, calls, early = [], clock } = parts;
    this.binding = parts.binding;
    this.#channel = channel;
    this.#connection = connection;
    this.#clock = clock;
    this.#release = parts.release;
    this.#onHeard = parts.onHeard ?? (() => {});
    this.#mayTalk = calls;
    this.#mute = new Silence(LIMITS.heartbeatMs, LIMITS.muteMs, clock.monotonic());
    this.#silence = new Silence(LIMITS.heartbeatMs, LIMITS.silenceMs, clock.monotonic());
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_WATER_BYTES;
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
    for (const frame of early) this.#take(frame);
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
    return this.#ended ? 0 : this.#waitingBytes + this.#channel.bufferedAmount;
  }

  send(message: Uint8Array): void {
    if (this.#ended) return;
    if (message.length > LIMITS.messageBytes)
      throw new RangeError(`a message of ${message.length} bytes, where ${LIMITS.messageBytes} are allowed`);
    this.#waitingBytes += message.length;
    this.#queue.push(message);
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
    while (!this.#ended && this.#mayTalk && this.#channel.bufferedAmount < HIGH_WATER_BYTES) {
      this.#leaving ??= this.#next();
      if (!this.#leaving) return;
      const { value: frame, done } = this.#leaving.next();
      if (done) this.#leaving = undefined;
      else {
        this.#waitingBytes -= payloadBytes(frame);
        this.#give(frame);
      }
    }
  }

  #next(): Iterator<Frame> | undefined {
    const message = this.#queue.shift();
    return message && framesOf(message);
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
    const received = this.#incoming.take(new Uint8Array(data));
    if (received instanceof Invalid) return this.#refuse(received.reason);
    if (received.type === "message") this.#deliver(received.bytes);
    else if (received.type === "ask") this.#give(alive());
    else if (received.type === "goodbye") return this.#end(received.reason);
    if (!this.#onHeard || this.#ended) return;
    this.#onHeard();
    this.#onHeard = undefined;
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
    this.#queue.length = 0;
    this.#leaving = undefined;
    this.#clock.after(FAREWELL_MS, () => this.#letGo());
  }

  #letGo(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

function receivedOnPairs(stats: RTCStatsReport): number {
  let sum = 0;
  stats.forEach((entry: { type: string; bytesReceived?: number }) => {
    if (entry.type === "candidate-pair") sum += entry.bytesReceived ?? 0;
  });
  return sum;
}
