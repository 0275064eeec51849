/**
 * Participants of one process find each other here, and get links that can be cut as a pulled plug cuts them. Counts the
 * messages that cross.
 */
import { Invalid } from "../../fabric/base/codec.ts";
import { must } from "../../fabric/base/errors.ts";
import type { HostId } from "../../fabric/base/ids.ts";
import type { Link, LinkEnd, Presence, Rendezvous } from "../../fabric/base/ports.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import type { Identity } from "../../fabric/wire/identity.ts";
import { decodeMessage } from "../../fabric/wire/messages.ts";

export class Network {
  readonly #present = new Map<HostId, Presence>();
  readonly #participants = new Map<HostId, Rendezvous>();
  readonly #cables = new Set<Cable>();
  /** How many messages of each type have crossed any link. */
  readonly messages = new Map<string, number>();

  join({ id: self }: Identity): Rendezvous {
    const network = this;
    const rendezvous: Rendezvous = {
      relay: { state: "online" },
      get hosts() {
        return [...network.#present.values()];
      },
      announce(presence) {
        network.#present.set(self, presence);
        for (const other of network.#participants.values()) other.onChange();
      },
      async connect(host) {
        const cable = new Cable([self, host], (bytes) => network.#count(bytes));
        network.#cables.add(cable);
        must(network.#participants.get(host), "participant of that id").onLink(cable.far);
        return cable.near;
      },
      onLink: () => {},
      onChange: () => {},
      close: () => {
        network.#participants.delete(self);
        network.#present.delete(self);
      },
    };
    this.#participants.set(self, rendezvous);
    return rendezvous;
  }

  #count(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message instanceof Invalid) return;
    this.messages.set(message.type, (this.messages.get(message.type) ?? 0) + 1);
  }

  /** Cuts all links of a host. What is under way on them is lost; a job tries to link again after some time. */
  cut(host: HostId): void {
    for (const cable of this.#cables)
      if (cable.between.includes(host)) {
        this.#cables.delete(cable);
        cable.cut();
      }
  }
}

/** Two ends of a link, until it is cut. */
class Cable {
  readonly between: readonly HostId[];
  readonly near: CableEnd;
  readonly far: CableEnd;

  constructor(between: readonly HostId[], onSend: (message: Uint8Array) => void) {
    this.between = between;
    const [near, far] = linkPair();
    this.near = new CableEnd(near, onSend);
    this.far = new CableEnd(far, onSend);
  }

  cut(): void {
    this.near.cut();
    this.far.cut();
  }
}

class CableEnd implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onEnd: (end: LinkEnd) => void = () => {};
  readonly queuedBytes = 0;
  readonly #link: Link;
  readonly #onSend: (message: Uint8Array) => void;
  #isCut = false;

  constructor(link: Link, onSend: (message: Uint8Array) => void) {
    this.#link = link;
    this.#onSend = onSend;
    link.onMessage = (message) => {
      if (!this.#isCut) this.onMessage(message);
    };
    link.onEnd = (end) => this.onEnd(end);
  }

  send(message: Uint8Array): void {
    if (this.#isCut) return;
    this.#onSend(message);
    this.#link.send(message);
  }

  close(reason: string): void {
    this.#link.close(reason);
  }

  cut(): void {
    this.#isCut = true;
    this.#link.close("the cable was cut");
  }
}
