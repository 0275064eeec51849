import type { BaseId } from "../base/ids.ts";
import type { Clock, Random, Rendezvous, Signer } from "../base/ports.ts";
import type { ExecutorPort } from "../kernel/executor-messages.ts";
import type { Identity } from "../wire/identity.ts";

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
