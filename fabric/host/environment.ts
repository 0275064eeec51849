/** What a participant stands on, in a tab, in Node or in a test: the platform, and how participants find each other. */
import type { BaseId, HostId } from "../base/ids.ts";
import type { Clock, Link, Random, Signer } from "../base/ports.ts";
import type { ExecutorPort } from "../kernel/executor-messages.ts";
import type { Identity } from "../wire/identity.ts";

/** What the directory says of a host that is reachable. */
export interface Presence {
  readonly host: HostId;
  readonly name: string;
  readonly platform: string;
  readonly taking: boolean;
  /** What its group is known by; empty: none. */
  readonly group: string;
}

export type RelayState =
  | { readonly state: "none" }
  | { readonly state: "online" }
  /** Links that exist go on working meanwhile. */
  | { readonly state: "connecting"; readonly sinceMs: number; readonly reason: string };

/** How participants find each other and link up. */
export interface Rendezvous {
  readonly relay: RelayState;
  /** Everybody who announced, this host included. */
  readonly hosts: readonly Presence[];
  announce(presence: Presence): void;
  connect(host: HostId): Promise<Link>;
  /** Set once. */
  onLink: (link: Link) => void;
  onChange: () => void;
  close(): void;
}

/** What a participant stands on: a browser, Node, or a test. */
export interface Environment {
  readonly name: string;
  /** Browser or runtime, and system, in words. */
  readonly platform: string;
  readonly clock: Clock;
  readonly random: Random;
  /** IANA time zone. */
  readonly zone: string;
  /** Starts workers; each has booted the engine when this resolves. Their base images are the same. */
  startExecutors(count: number, hostName: string): Promise<{ executors: ExecutorPort[]; base: BaseId }>;
  /** Undefined: no network; the hosts of this process are all there are. */
  rendezvous(self: Identity): Rendezvous | undefined;
  log(sentence: string): void;
  /** The secret of a group, of at least 20 characters: then this participant deals with nobody who does not know it. */
  readonly group?: string | undefined;
  /** Who it is, also the next time; by nobody else at the same time. Undefined: somebody new. */
  readonly signer?: Signer | undefined;
}
