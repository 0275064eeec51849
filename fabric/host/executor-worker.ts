/**
 * The two ends of the pipe between a daemon and an executor in a worker: a Web Worker in a page, a worker thread
 * in Node. Plain messages; images cross once (crossed-images.ts).
 */
import { RoostError } from "../base/errors.ts";
import type { BaseId } from "../base/ids.ts";
import type { Clock, Random } from "../base/ports.ts";
import { bootBase, type Engine } from "../engine/index.ts";
import type { Command, ExecutorPort, Report } from "../kernel/executor-messages.ts";
import { CrossedImages, type Crossing, RememberedImages } from "./crossed-images.ts";
import { engineMachines } from "./engine-machines.ts";
import { Executor } from "./executor.ts";

/** A worker, or what a worker sees of its owner. */
export interface Endpoint {
  post(message: unknown): void;
  onMessage(receive: (message: unknown) => void): void;
  /** The other end is gone, with a reason; only the owner of a worker learns this. */
  onEnd(end: (reason: string) => void): void;
  terminate(): void;
}

interface Boot {
  readonly boot: { readonly engine: Engine; readonly guestLibrary: string; readonly hostName: string };
  /** How many messages with commands were posted and not yet received. Missing where threads cannot share memory. */
  readonly waiting: Int32Array<SharedArrayBuffer> | undefined;
}
type FromOwner = Boot | Crossing;
type FromWorker =
  | { readonly ready: BaseId }
  | { readonly broken: string }
  | { readonly reports: readonly Report[]; readonly atMs: number };

/** The same on all threads of this machine, and finer than the time of day. */
const sharedTimeMs = () => performance.timeOrigin + performance.now();

/**
 * In the worker: boots the engine when told, then carries out commands for as long as the worker lives. `yieldThen` runs
 * things one task later each, after messages that have arrived meanwhile.
 */
export function serveExecutor(
  owner: Endpoint,
  clock: Clock,
  random: Random,
  yieldThen: (run: () => void) => void = taskQueue(),
): void {
  const say = (message: FromWorker) => owner.post(message);
  const images = new RememberedImages();
  let executor: Executor | undefined;
  let waiting: Boot["waiting"];
  owner.onMessage((received) => {
    const message = received as FromOwner;
    if ("commands" in message) {
      if (waiting) Atomics.sub(waiting, 0, 1);
      for (const command of images.whole(message)) executor?.handle(command);
      return;
    }
    const { engine, guestLibrary, hostName } = message.boot;
    waiting = message.waiting;
    bootBase(engine, { source: guestLibrary }).then(
      (base) => {
        const report = together<Report>((reports) => {
          for (const report of reports) images.said(report);
          say({ reports, atMs: sharedTimeMs() });
        });
        executor = new Executor({
          machines: engineMachines(base),
          hostName,
          clock,
          random,
          report,
          yieldThen,
          commandWaits: () => waiting !== undefined && Atomics.load(waiting, 0) > 0,
        });
        say({ ready: base.id });
      },
      (error) => say({ broken: error instanceof Error ? error.message : String(error) }),
    );
  });
}

/** In the daemon: starts `count` workers and resolves when all have booted; their base images are the same. */
export async function startExecutors(
  count: number,
  spawn: () => Endpoint,
  boot: Boot["boot"],
): Promise<{ executors: ExecutorPort[]; base: BaseId }> {
  const started = await Promise.all(Array.from({ length: count }, () => startExecutor(spawn(), boot)));
  const base = started[0]?.base;
  if (base === undefined) throw new Error("bug: a host needs at least one worker");
  if (started.some((s) => s.base !== base))
    throw new Error("bug: two workers of this host booted different interpreters");
  return { executors: started.map((s) => s.port), base };
}

function startExecutor(worker: Endpoint, boot: Boot["boot"]): Promise<{ port: ExecutorPort; base: BaseId }> {
  return new Promise((resolve, reject) => {
    const waiting = sharesMemory() ? new Int32Array(new SharedArrayBuffer(4)) : undefined;
    const images = new CrossedImages();
    const port: ExecutorPort = {
      command: together<Command>((commands) => {
        if (waiting) Atomics.add(waiting, 0, 1); // first: a guest that runs sees this, and lets go for what follows
        worker.post(images.cross(commands) satisfies FromOwner);
      }),
      onReport: () => {},
      onEnd: () => {},
      close: () => worker.terminate(),
    };
    worker.onMessage((received) => {
      const message = received as FromWorker;
      if ("reports" in message) {
        const agoMs = Math.max(0, sharedTimeMs() - message.atMs);
        for (const report of message.reports) {
          images.heard(report);
          port.onReport(report, agoMs);
        }
      } else if ("ready" in message) resolve({ port, base: message.ready });
      else reject(new RoostError("EIO", `the engine did not start: ${message.broken}`));
    });
    worker.onEnd((reason) => {
      reject(new RoostError("EIO", `the engine's worker ended: ${reason}`));
      port.onEnd(reason);
    });
    worker.post({ boot, waiting } satisfies FromOwner);
  });
}

/** In pages, only where nobody else's document is in the same process (the relay's headers see to that). */
const sharesMemory = (): boolean =>
  typeof SharedArrayBuffer === "function" && globalThis.crossOriginIsolated !== false;

/** What is said in one task crosses at its end, as one: crossing is what costs. `atOnce`: it does not wait for that. */
function together<T>(cross: (all: readonly T[]) => void): (one: T, atOnce?: boolean) => void {
  let said: T[] = [];
  const crossAll = () => {
    const all = said;
    said = [];
    if (all.length > 0) cross(all);
  };
  return (one, atOnce = false) => {
    said.push(one);
    if (atOnce) crossAll();
    else if (said.length === 1) queueMicrotask(crossAll);
  };
}

/** For pages: without the delays that timers have there. */
function taskQueue(): (run: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return (run) => {
    waiting.push(run);
    port2.postMessage(0);
  };
}
