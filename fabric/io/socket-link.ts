/**
 * A Link over a stream between two processes of one machine: a Unix domain socket, or a named pipe on Windows. Each
 * message goes as its length (4 bytes, little-endian) and its bytes.
 */
import type { Socket } from "node:net";
import { must } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import type { Link, LinkEnd } from "../base/ports.ts";

const HEADER_BYTES = 4;

export function socketLink(socket: Socket): Link {
  return new SocketLink(socket);
}

class SocketLink implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onEnd: (end: LinkEnd) => void = () => {};
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** What the message under way needs, header included. */
  #wantedBytes = HEADER_BYTES;
  #reason: string | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", ({ message }) => {
      this.#reason ??= message;
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => this.onEnd({ reason: this.#reason ?? "it hung up" }));
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  send(message: Uint8Array): void {
    if (!this.#socket.writable) return;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(message.length);
    this.#socket.cork();
    this.#socket.write(header);
    this.#socket.write(message);
    this.#socket.uncork();
  }

  /** What was sent still arrives; nothing more is read. */
  close(reason: string): void {
    this.#reason ??= reason;
    this.onMessage = () => {};
    this.#socket.end();
    this.#socket.resume();
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    while (this.#receivedBytes >= this.#wantedBytes) {
      const bytes =
        this.#received.length === 1 ? must(this.#received[0], "chunk") : Buffer.concat(this.#received);
      const length = bytes.readUInt32LE(0);
      if (length > LIMITS.messageBytes) {
        this.#reason ??= `a message of ${length} bytes, where ${LIMITS.messageBytes} are allowed`;
        this.#socket.destroy();
        return;
      }
      const end = HEADER_BYTES + length;
      this.#received = [bytes];
      this.#wantedBytes = end;
      if (bytes.length < end) return;
      this.#received = [bytes.subarray(end)];
      this.#receivedBytes = bytes.length - end;
      this.#wantedBytes = HEADER_BYTES;
      this.onMessage(bytes.subarray(HEADER_BYTES, end));
    }
  }
}
