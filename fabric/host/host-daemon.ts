/**
 * A host: carries out the kernel's effects on real links and real workers. The decisions are in kernel/kernel.ts.
 */
import { RoostError } from "../base/errors.ts";
import type { Clock, Link } from "../base/ports.ts";
import type { ExecutorPort } from "../kernel/executor-messages.ts";
import {
  type HomeLink,
  type KernelEffect,
  type KernelEvent,
  type KernelState,
  newKernel,
  type Receipt,
  step,
} from "../kernel/kernel.ts";
import { encodeMessage } from "../wire/messages.ts";
import { greet, type Self } from "./greeting.ts";

export interface HostDaemonOptions {
  readonly self: Self;
  readonly executors: readonly ExecutorPort[];
  readonly clock: Clock;
  readonly log: (sentence: string) => void;
  /** The state is different: look again. */
  readonly onChange: () => void;
}

const TICK_MS = 1_000;

export class HostDaemon {
  readonly state: KernelState;
  readonly receipts: Receipt[] = [];
  readonly #options: HostDaemonOptions;
  readonly #links = new Map<HomeLink, Link>();
  #nextLink = 1;
  #awaitingReceipt: ((receipt: Receipt) => void)[] = [];
  #cancelTick: () => void = () => {};

  constructor(options: HostDaemonOptions) {
    this.#options = options;
    this.state = newKernel(options.executors.keys());
    options.executors.forEach((port, executor) => {
      port.onReport = (report) => this.#step({ type: "report", executor, report });
      port.onEnd = (reason) => this.#step({ type: "executorEnded", executor, reason });
    });
    this.#tick();
  }

  /** A home has linked to this host. `own`: it is this participant's own. */
  serve(link: Link, own: boolean): void {
    const { self, log } = this.#options;
    greet(
      link,
      self,
      (peer) => {
        const id = this.#nextLink++ as HomeLink;
        this.#links.set(id, link);
        this.#step({ type: "linked", link: id, own, name: peer.name });
        return {
          onMessage: (message) => this.#step({ type: "message", link: id, message }),
          onEnd: () => {
            this.#links.delete(id);
            this.#step({ type: "unlinked", link: id });
          },
        };
      },
      log,
    );
  }

  take(): void {
    this.#step({ type: "take" });
  }

  refrain(reason: string): void {
    this.#step({ type: "refrain", reason });
  }

  /** Stops all guests at once and sends them away; resolves when nothing of them is left here. */
  reclaim(reason: string): Promise<Receipt> {
    return new Promise((resolve) => {
      this.#awaitingReceipt.push(resolve);
      this.#step({ type: "reclaim", reason });
    });
  }

  close(): void {
    this.#cancelTick();
    for (const link of this.#links.values()) link.close("the host is shutting down");
    for (const port of this.#options.executors) port.close();
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(TICK_MS, () => {
      this.#step({ type: "tick" });
      this.#tick();
    });
  }

  #step(event: KernelEvent): void {
    for (const effect of step(this.state, event, this.#options.clock.monotonic())) this.#perform(effect);
  }

  #perform(effect: KernelEffect): void {
    switch (effect.type) {
      case "send":
        this.#links.get(effect.link)?.send(encodeMessage(effect.message));
        return;
      case "command": {
        const port = this.#options.executors[effect.executor];
        if (!port) throw new RoostError("EIO", `bug: no executor ${effect.executor}`);
        port.command(effect.command);
        return;
      }
      case "receipt":
        this.receipts.push(effect.receipt);
        for (const resolve of this.#awaitingReceipt.splice(0)) resolve(effect.receipt);
        this.#options.onChange();
        return;
      case "changed":
        this.#options.onChange();
        return;
    }
  }
}
