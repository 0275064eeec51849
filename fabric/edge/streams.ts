/**
 * stdout and stderr for a job's output. Node writes to a pipe by blocking the whole process until somebody reads; a home
 * that stands still because its output is looked at page by page would seem dead to its hosts. So pipes are written to
 * in the background.
 */
import { write } from "node:fs";

export interface StreamEvents {
  /** Nobody reads any more (EPIPE), or the disk is full. Called once; what is written from then on is dropped. */
  readonly onBroken: (error: NodeJS.ErrnoException) => void;
  /** Much waits to be written: write no more until `onRoom`. */
  readonly onFull: () => void;
  readonly onRoom: () => void;
}

export interface OutputStream {
  write(data: Uint8Array): void;
  /** Resolves when everything has been written, or nobody reads it any more. */
  flushed(): Promise<void>;
}

const FULL_BYTES = 16 << 20;
/** A non-blocking pipe that is full is tried again after this. */
const AGAIN_MS = 5;

export function outputStream(
  stream: NodeJS.WriteStream & { fd: number },
  events: StreamEvents,
): OutputStream {
  return stream.isTTY
    ? { write: (data) => void stream.write(data), flushed: async () => {} }
    : new BackgroundStream(stream.fd, events);
}

class BackgroundStream implements OutputStream {
  readonly #fd: number;
  readonly #events: StreamEvents;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #state: "idle" | "busy" | "broken" = "idle";
  #full = false;
  #flushed: (() => void)[] = [];

  constructor(fd: number, events: StreamEvents) {
    this.#fd = fd;
    this.#events = events;
  }

  write(data: Uint8Array): void {
    if (this.#state === "broken" || data.length === 0) return;
    this.#waiting.push(data.slice()); // the original is a view of a message
    this.#waitingBytes += data.length;
    if (this.#state === "idle") this.#writeAll();
    if (this.#waitingBytes <= FULL_BYTES || this.#full) return;
    this.#full = true;
    this.#events.onFull();
  }

  flushed(): Promise<void> {
    return this.#state === "busy" ? new Promise((resolve) => this.#flushed.push(resolve)) : Promise.resolve();
  }

  /** All that waits, in one write. */
  #writeAll(): void {
    const data = Buffer.concat(this.#waiting.splice(0));
    this.#waitingBytes = 0;
    if (this.#full) this.#events.onRoom();
    this.#full = false;
    if (data.length > 0) {
      this.#state = "busy";
      this.#write(data);
    } else this.#rest("idle");
  }

  #write(data: Uint8Array): void {
    write(this.#fd, data, (error, written) => {
      if (error?.code === "EAGAIN") setTimeout(() => this.#write(data), AGAIN_MS);
      else if (error) {
        this.#waiting = [];
        this.#rest("broken");
        this.#events.onBroken(error);
      } else if (written < data.length) this.#write(data.subarray(written));
      else this.#writeAll();
    });
  }

  #rest(state: "idle" | "broken"): void {
    this.#state = state;
    for (const resolve of this.#flushed.splice(0)) resolve();
  }
}
