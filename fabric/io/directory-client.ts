/**
 * The WebSocket to the relay's directory: says hello and proves it, keeps what this host announces announced, answers the relay's
 * questions, and comes back by itself after a loss, later and later (250 ms to 5 s, give or take a half).
 */
import { Invalid } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import type { HostId } from "../base/ids.ts";
import type { Clock, Presence } from "../base/ports.ts";
import {
  DIRECTORY_LIMITS,
  DIRECTORY_PATH,
  DIRECTORY_VERSION,
  decodeFromRelay,
  encodeToRelay,
  type FromRelay,
  type IceServer,
  type ToRelay,
} from "../wire/directory.ts";
import { type Identity, proveToRelay } from "../wire/identity.ts";
import { Silence } from "./silence.ts";

const RETRY_MS = { first: 250, most: 5_000 };
/** Announcements closer together than this go as one: the relay takes only so many a second. */
const ANNOUNCE_MS = 100;

export type Announcement = Omit<Presence, "host">;

export interface DirectoryEvents {
  /** The relay knows this host; the ticket opens its signalling. */
  readonly onWelcome: (ticket: string) => void;
  readonly onHosts: (hosts: readonly Presence[]) => void;
  readonly onIce: (servers: readonly IceServer[]) => void;
  /** Once for each loss, and for each attempt that failed. A new attempt follows by itself. */
  readonly onLost: (reason: string) => void;
}

export class DirectoryClient {
  readonly #url: URL;
  readonly #self: Identity;
  readonly #clock: Clock;
  readonly #events: DirectoryEvents;
  #socket: WebSocket | undefined;
  #welcome = false;
  /** Since `welcome`. */
  readonly #hosts = new Map<HostId, Presence>();
  #silence: Silence;
  #announcement: Announcement | undefined;
  #announceTimer: (() => void) | undefined;
  #retryMs = RETRY_MS.first;
  #cancelTimer = () => {};

  constructor(options: { url: URL; self: Identity; clock: Clock; events: DirectoryEvents }) {
    this.#url = new URL(DIRECTORY_PATH, options.url);
    this.#url.protocol = options.url.protocol === "https:" ? "wss:" : "ws:";
    this.#self = options.self;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#silence = this.#newSilence();
    this.#cancelTimer = this.#clock.after(0, () => this.#open()); // the caller first gets to keep us
  }

  announce(announcement: Announcement): void {
    this.#announcement = announcement;
    this.#announceTimer ??= this.#clock.after(ANNOUNCE_MS, () => {
      this.#announceTimer = undefined;
      if (this.#welcome) this.#announceNow();
    });
  }

  /** All is well for good: the next loss is retried quickly. */
  steady(): void {
    this.#retryMs = RETRY_MS.first;
  }

  /** Gives up the present connection, if there is one, and begins anew after a while. */
  restart(reason: string): void {
    if (this.#socket) this.#lose(reason);
  }

  close(): void {
    this.#cancelTimer();
    this.#announceTimer?.();
    this.#drop();
  }

  #open(): void {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#silence = this.#newSilence();
    this.#tickLater();
    socket.binaryType = "arraybuffer";
    const current = () => this.#socket === socket;
    socket.onopen = () => {
      if (!current()) return;
      this.#send({ type: "hello", version: DIRECTORY_VERSION, host: this.#self.id });
    };
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      this.#silence.heard();
      const message =
        data instanceof ArrayBuffer ? decodeFromRelay(new Uint8Array(data)) : new Invalid("text");
      if (message instanceof Invalid)
        this.#lose(
          `the relay sent something that is no message (${message.reason}): is it of another version?`,
        );
      else if (message.type === "challenge") this.#prove(message.challenge, current);
      else this.#take(message);
    };
    socket.onclose = ({ code }) => {
      if (!current()) return;
      const left = code === 1012 ? "the relay restarts" : "the relay closed the connection";
      this.#lose(this.#welcome ? left : "the relay does not answer");
    };
  }

  #prove(challenge: Uint8Array, current: () => boolean): void {
    proveToRelay(this.#self, challenge).then(
      (proof) => current() && this.#send({ type: "proof", ...proof }),
      (error) => current() && this.#lose(`this host cannot sign (${String(error)})`),
    );
  }

  #take(message: Exclude<FromRelay, { type: "challenge" }>): void {
    switch (message.type) {
      case "welcome":
        this.#welcome = true;
        this.#announceNow();
        return this.#events.onWelcome(message.ticket);
      case "hosts":
        this.#hosts.clear();
        return this.#heard(message.hosts, []);
      case "changes":
        return this.#heard(message.entries, message.left);
      case "ice":
        return this.#events.onIce(message.servers);
      case "ask":
        return this.#send({ type: "alive" });
      case "refused":
        // Whatever it is, trying at once would not help.
        this.#retryMs = RETRY_MS.most;
        return this.#lose(new RoostError(message.code, message.reason).message);
    }
  }

  #heard(entries: readonly Presence[], left: readonly HostId[]): void {
    for (const host of left) this.#hosts.delete(host);
    for (const entry of entries) this.#hosts.set(entry.host, entry);
    // Whatever a relay says, no more than there can be.
    for (const host of this.#hosts.keys()) {
      if (this.#hosts.size <= DIRECTORY_LIMITS.hosts) break;
      this.#hosts.delete(host);
    }
    this.#events.onHosts([...this.#hosts.values()]);
  }

  #announceNow(): void {
    if (this.#announcement) this.#send({ type: "announce", ...this.#announcement });
  }

  #send(message: ToRelay): void {
    if (this.#socket?.readyState === WebSocket.OPEN)
      this.#socket.send(encodeToRelay(message) as Uint8Array<ArrayBuffer>);
  }

  #newSilence(): Silence {
    return new Silence(DIRECTORY_LIMITS.askMs, DIRECTORY_LIMITS.leaseMs, this.#clock.monotonic());
  }

  #tickLater(): void {
    this.#cancelTimer = this.#clock.after(DIRECTORY_LIMITS.askMs, () => {
      if (this.#silence.tick(this.#clock.monotonic())) this.#lose("the relay is silent");
      else this.#tickLater();
    });
  }

  #lose(reason: string): void {
    this.#drop();
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(this.#retryMs * (0.5 + Math.random()), () => this.#open());
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.most);
    this.#events.onLost(reason);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#welcome = false;
    socket?.close();
  }
}
