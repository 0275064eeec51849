/**
 * How participants find each other: the relay's directory says who is there, PeerJS negotiates a data channel
 * through the relay, and what comes out is a Link. The relay may go and come back: links stay, the rest reconnects.
 *
 * Works in a page; in Node after `installNodeRtc` (node-rtc.ts).
 */
import type { DataConnection, Peer } from "peerjs";
import { RoostError } from "../base/errors.ts";
import type { HostId } from "../base/ids.ts";
import type { Binding, Clock, Link, Presence, RelayState, Rendezvous } from "../base/ports.ts";
import { fitting, isHostId, SIGNALLING_PATH } from "../wire/directory.ts";
import type { Identity } from "../wire/identity.ts";
import { bindingOf, whenDescribed } from "./binding.ts";
import { systemClock } from "./clock.ts";
import { DirectoryClient } from "./directory-client.ts";
import { newPeer, tame } from "./peerjs-guard.ts";
import { rtcLink } from "./rtc-link.ts";

/** From the wish for a link to the link. A direct path takes 20–130 ms, one through TURN 250. */
const CONNECT_MS = 10_000;
/** For connections that break within milliseconds, without a reason: the next one holds. */
const CONNECT_TRIES = 3;
/** From the ticket to the open signalling connection. */
const SIGNALLING_MS = 10_000;

export interface ConnectRelayOptions {
  /** Of the relay's page. */
  readonly url: URL;
  readonly self: Identity;
  readonly clock?: Clock;
  readonly log?: (sentence: string) => void;
}

export function connectRelay(options: ConnectRelayOptions): Rendezvous {
  return new RelayRendezvous(options);
}

class RelayRendezvous implements Rendezvous {
  relay: RelayState;
  hosts: readonly Presence[] = [];
  onLink: (link: Link) => void = (link) => link.close("this host takes no links");
  onChange = () => {};

  readonly #options: ConnectRelayOptions;
  readonly #clock: Clock;
  readonly #log: (sentence: string) => void;
  readonly #directory: DirectoryClient;
  /** For every new connection. Of STUN and TURN servers only those that the relay names: nobody else is asked. */
  readonly #rtc: { iceServers: RTCIceServer[] } = { iceServers: [] };
  readonly #links = new Set<Link>();
  /** What ends an attempt at a link early. */
  readonly #attempts = new Map<DataConnection, (error: RoostError) => void>();
  #peer: Peer | undefined;
  /** Of the present connection to the directory; empty without one. */
  #ticket = "";
  #cancelSignalling = () => {};
  #closed = false;

  constructor(options: ConnectRelayOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? (() => {});
    this.relay = { state: "connecting", sinceMs: this.#clock.now(), reason: "this is the first time" };
    this.#directory = new DirectoryClient({
      url: options.url,
      self: options.self,
      clock: this.#clock,
      events: {
        onWelcome: (ticket) => {
          this.#ticket = ticket;
          this.#signal().catch((error) => this.#directory.restart(`signalling: ${String(error)}`));
        },
        onHosts: (hosts) => {
          this.hosts = hosts;
          this.onChange();
        },
        onIce: (servers) => {
          this.#rtc.iceServers = servers.map(({ url, username, credential }) =>
            username ? { urls: url, username, credential } : { urls: url },
          );
        },
        onLost: (reason) => this.#lost(reason),
      },
    });
  }

  announce({ name, platform, taking, group }: Presence): void {
    this.#directory.announce({ name: fitting(name, 64), platform: fitting(platform, 128), taking, group });
  }

  async connect(host: HostId): Promise<Link> {
    for (let triesLeft = CONNECT_TRIES - 1; ; triesLeft--) {
      try {
        return await this.#call(host);
      } catch (error) {
        if (!(error instanceof BrokenOff) || triesLeft === 0) throw error;
      }
    }
  }

  async #call(host: HostId): Promise<Link> {
    const peer = this.#peer;
    if (!peer?.open)
      throw new RoostError("ENOHOST", "the relay is out of reach; new links have to wait until it is back");
    // PeerJS answers `undefined` when it is not connected, whatever its types say.
    let connection: DataConnection | undefined;
    try {
      connection = peer.connect(host, { reliable: true, serialization: "raw" });
    } catch (error) {
      throw new RoostError("ENOHOST", `no connection can be made here (${String(error)})`);
    }
    if (!connection) throw new RoostError("ENOHOST", "the relay has just gone; try again when it is back");
    return this.#opened(connection, true);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSignalling();
    this.#directory.close();
    for (const link of this.#links) link.close("it left");
    for (const fail of this.#attempts.values()) fail(new RoostError("ENOHOST", "this host has left"));
    this.#peer?.disconnect(); // not `destroy`: that would take the goodbyes along
  }

  /** Settles when the connection is a link on which the other side was heard, or will never be one. */
  #opened(connection: DataConnection, calls: boolean): Promise<Link> {
    tame(connection);
    return new Promise((resolve, reject) => {
      const settle = () => {
        cancel();
        this.#attempts.delete(connection);
      };
      const fail = (error: RoostError) => {
        if (!this.#attempts.has(connection)) return;
        settle();
        connection.close();
        reject(error);
      };
      this.#attempts.set(connection, fail);
      const cancel = this.#clock.after(CONNECT_MS, () =>
        fail(new RoostError("ETIMEDOUT", whyNot(connection))),
      );
      const { peerConnection } = connection; // PeerJS looks only at a part of its state
      peerConnection.addEventListener("connectionstatechange", () => {
        const { connectionState } = peerConnection;
        if (connectionState === "failed" || connectionState === "closed")
          fail(new BrokenOff("ENOHOST", `the connection to ${connection.peer} broke while it was made`));
      });
      connection.on("error", ({ message }) => fail(new RoostError("ENOHOST", message)));
      connection.on("close", () => fail(new BrokenOff("ENOHOST", `${connection.peer} hung up`)));
      const early: unknown[] = []; // a fast peer's first words can be here before `open`
      const listen = (frame: unknown) => early.push(frame);
      connection.on("data", listen);
      const opened = () => {
        connection.off("data", listen);
        if (!this.#attempts.has(connection)) return;
        const binding = bindingOf(peerConnection);
        if (!binding)
          return fail(new RoostError("EPERM", `${connection.peer} is not described by one certificate`));
        const link = this.#link(connection, { calls, early, binding }, () => {
          settle();
          resolve(link);
        });
        link.onEnd = ({ reason }) =>
          fail(new BrokenOff("ENOHOST", `the new connection to ${connection.peer} ended: ${reason}`));
      };
      // Chromium's called side says it twice.
      connection.once("open", () => whenDescribed(peerConnection, opened));
    });
  }

  /** From here on the channel is the link's; PeerJS only takes it down in the end. */
  #link(
    connection: DataConnection,
    parts: { calls: boolean; early: readonly unknown[]; binding: Binding },
    onHeard: () => void,
  ): Link {
    const link: Link = rtcLink({
      channel: connection.dataChannel,
      connection: connection.peerConnection,
      ...parts,
      clock: this.#clock,
      onHeard,
      release: () => {
        this.#links.delete(link);
        connection.close();
      },
    });
    this.#links.add(link);
    return link;
  }

  /** Opens the signalling connection with the newest ticket; an older one would be half open or refused. */
  async #signal(): Promise<void> {
    this.#cancelSignalling();
    this.#cancelSignalling = this.#clock.after(SIGNALLING_MS, () =>
      this.#directory.restart("the relay's signalling does not answer"),
    );
    const ticket = this.#ticket;
    const present = this.#peer;
    if (present && !present.destroyed) {
      present.options.token = ticket;
      this.#peer = undefined; // so that this disconnection is not taken for a loss
      present.disconnect();
      this.#peer = present;
      present.reconnect();
      return;
    }
    const { url, self } = this.#options;
    const secure = url.protocol === "https:";
    const peer = await newPeer(self.id, {
      host: url.hostname,
      port: Number(url.port) || (secure ? 443 : 80),
      path: SIGNALLING_PATH,
      secure,
      token: ticket,
      config: this.#rtc,
    });
    if (this.#closed || this.#ticket !== ticket) return peer.disconnect();
    this.#peer = peer;
    const current = () => this.#peer === peer && !this.#closed;
    peer.on("open", () => {
      if (!current() || !this.#ticket) return;
      this.#cancelSignalling();
      this.#directory.steady();
      this.relay = { state: "online" };
      this.onChange();
    });
    peer.on("disconnected", () => current() && this.#directory.restart("the relay's signalling closed"));
    peer.on("close", () => current() && this.#directory.restart("the relay's signalling ended"));
    peer.on("error", (error) => {
      if (error.type === "peer-unavailable") this.#unavailable(error.message);
      // What is lost with the network is told as the state of the relay.
      else if (error.type !== "network") this.#log(`PeerJS: ${error.type}: ${error.message}`);
    });
    peer.on("connection", (connection) => {
      if (this.#closed || !isHostId(connection.peer)) return connection.close();
      this.#opened(connection, false).then(
        (link) => this.onLink(link),
        (error: RoostError) =>
          this.#log(`a link from ${connection.peer} did not come about: ${error.message}`),
      );
    });
  }

  /** PeerJS names the host only in its sentence. */
  #unavailable(sentence: string): void {
    for (const [{ peer }, fail] of this.#attempts)
      if (sentence.includes(peer)) fail(new RoostError("ENOHOST", `${peer} is not at this relay any more`));
  }

  #lost(reason: string): void {
    this.#ticket = "";
    this.#rtc.iceServers = []; // it will name them again, or others, or none
    this.#cancelSignalling();
    const sinceMs = this.relay.state === "connecting" ? this.relay.sinceMs : this.#clock.now();
    this.relay = { state: "connecting", sinceMs, reason };
    this.hosts = [];
    this.onChange();
  }
}

/** Node's WebRTC (node-datachannel 0.33) loses one connection in a hundred like this, with another of its kind. */
class BrokenOff extends RoostError {}

function whyNot({ peer, peerConnection }: DataConnection): string {
  switch (peerConnection?.iceConnectionState) {
    case "checking":
    case "failed":
    case "disconnected":
      return `no network path to ${peer} was found; two hosts behind strict routers need a TURN server (roost relay --ice)`;
    default:
      return `${peer} did not answer within ${CONNECT_MS / 1000} s`;
  }
}
