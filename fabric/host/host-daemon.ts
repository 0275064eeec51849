/**
 * A host: carries out the kernel's effects on real links and real workers. The decisions are in kernel/kernel.ts.
 */
import { LIMITS } from "../base/limits.ts";
import type { Clock, Link } from "../base/ports.ts";
import { type KernelEffect, type KernelEvent, TICK_MS } from "../kernel/events.ts";
import type { ExecutorPort, HomeLink } from "../kernel/executor-messages.ts";
import { step } from "../kernel/kernel.ts";
import { type KernelState, newKernel, type Receipt } from "../kernel/state.ts";
import type { Terms } from "../kernel/terms.ts";
import { encodeMessage, givesWay } from "../wire/messages.ts";
import { greet, type Peer, type Self } from "./greeting.ts";

/** Says why a home is not served; undefined: it is. */
export type Admission = (home: Peer) => string | undefined;

export interface HostDaemonOptions {
  readonly self: Self;
  readonly executors: readonly ExecutorPort[];
  /** Starts another in place of one that has ended. */
  readonly startExecutor: () => Promise<ExecutorPort>;
  readonly clock: Clock;
  readonly log: (sentence: string) => void;
  /** The state is different: look again. */
  readonly onChange: () => void;
}

/** A worker that could not be started is tried again after this. */
const RESTART_MS = 5_000;

export class HostDaemon {
  readonly state: KernelState;
  readonly #options: HostDaemonOptions;
  readonly #links = new Map<HomeLink, Link>();
  #nextLink = 1;
  readonly #executors = new Map<number, ExecutorPort>();
  #nextExecutor = 0;
  #starting = 0;
  #closed = false;
  #awaitingReceipt: ((receipt: Receipt) => void)[] = [];
  /** Homes that are linked, the owner's own not among them. */
  readonly #guestHomes = new Map<Link, Peer>();
  #admits: Admission = () => undefined;
  #cancelTick: () => void = () => {};

  constructor(options: HostDaemonOptions) {
    this.#options = options;
    this.state = newKernel(options.executors.map((port) => this.#adopt(port)));
    this.#tick();
  }

  #adopt(port: ExecutorPort): number {
    const executor = this.#nextExecutor++;
    this.#executors.set(executor, port);
    port.onReport = (report, agoMs) => {
      if (report.type === "failed")
        this.#options.log(`process ${report.key}: ${report.code}: ${report.reason}`);
      this.#step({ type: "report", executor, report, ...(agoMs === undefined ? {} : { agoMs }) });
    };
    port.onEnd = (reason) => this.#step({ type: "executorEnded", executor, reason });
    return executor;
  }

  #replace(executor: number, reason: string): void {
    const port = this.#executors.get(executor);
    this.#executors.delete(executor);
    if (port) {
      port.onReport = port.onEnd = () => {};
      port.close();
    }
    this.#options.log(`worker ${executor} ended (${reason}); another is started`);
    this.#startAnother();
  }

  #startAnother(): void {
    const { startExecutor, log, clock } = this.#options;
    if (this.#closed) return;
    this.#starting++;
    startExecutor().then(
      (port) => {
        this.#starting--;
        if (this.#closed) port.close();
        else this.#step({ type: "executorStarted", executor: this.#adopt(port) });
      },
      (error) => {
        this.#starting--;
        log(`a worker could not be started: ${String(error)}`);
        clock.after(RESTART_MS, () => this.#startAnother());
      },
    );
  }

  /** A home has linked to this host. `own`: it is this participant's own. */
  serve(link: Link, own: boolean): void {
    const { self, clock, log } = this.#options;
    greet(
      link,
      self,
      (peer) => {
        const refusal = own ? undefined : this.#refusalOf(peer);
        if (refusal !== undefined) {
          link.close(refusal);
          return { onMessage: () => {}, onEnd: () => {} };
        }
        if (!own) this.#guestHomes.set(link, peer);
        const id = this.#nextLink++ as HomeLink;
        this.#links.set(id, link);
        this.#step({ type: "linked", link: id, own, host: peer.id, name: peer.name });
        return {
          onMessage: (message) => this.#step({ type: "message", link: id, message }),
          onEnd: () => {
            this.#guestHomes.delete(link);
            this.#links.delete(id);
            this.#step({ type: "unlinked", link: id });
          },
        };
      },
      { clock, log },
    );
  }

  #refusalOf(peer: Peer): string | undefined {
    const links = [...this.#guestHomes.values()].filter(({ id }) => id === peer.id).length;
    if (links >= LIMITS.linksPerPeer)
      return `this host has ${links} links to that participant, and takes no more`;
    return this.#admits(peer);
  }

  /** What is left out stays as it was. Without effect while a reclaim is under way. */
  allow(terms: Partial<Terms>): void {
    this.#step({ type: "terms", terms });
  }

  /** Whom this host serves. Homes that are linked and not among them are cut off, and start their work elsewhere. */
  admit(rule: Admission): void {
    this.#admits = rule;
    for (const [link, peer] of this.#guestHomes) {
      const refusal = rule(peer);
      if (refusal !== undefined) link.close(refusal);
    }
  }

  /** Starts workers until there are `count`. */
  grow(count: number): void {
    const missing = count - this.#executors.size - this.#starting;
    for (let n = 0; n < missing; n++) this.#startAnother();
  }

  /** Stops all guests at once and sends them away; resolves when nothing of them is left here. */
  reclaim(reason: string): Promise<Receipt> {
    return new Promise((resolve) => {
      this.#awaitingReceipt.push(resolve);
      this.#step({ type: "reclaim", reason });
    });
  }

  /** Sends homes what their processes are by now. */
  save(): void {
    this.#step({ type: "save" });
  }

  close(): void {
    this.#closed = true;
    this.#cancelTick();
    for (const link of this.#links.values()) link.close("the host is shutting down");
    for (const port of this.#executors.values()) port.close();
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(TICK_MS, () => {
      this.#step({ type: "tick" });
      this.#tick();
    });
  }

  #step(event: KernelEvent): void {
    if (this.#closed) return;
    for (const effect of step(this.state, event, this.#options.clock.monotonic())) this.#perform(effect);
  }

  #perform(effect: KernelEffect): void {
    switch (effect.type) {
      case "send":
        this.#links.get(effect.link)?.send(encodeMessage(effect.message), givesWay(effect.message));
        return;
      case "command":
        this.#executors.get(effect.executor)?.command(effect.command); // none: it is to drop what went with it
        return;
      case "replace":
        return this.#replace(effect.executor, effect.reason);
      case "receipt":
        for (const resolve of this.#awaitingReceipt.splice(0)) resolve(effect.receipt);
        this.#options.onChange();
        return;
      case "changed":
        this.#options.onChange();
        return;
    }
  }
}
