/**
 * A job's home, asked from elsewhere: who knows the job's secret may look at it, read its output, kill, move and
 * type (wire/control.ts, CONTROL.md).
 */
import { Invalid } from "../base/codec.ts";
import { type ErrorCode, RoostError, unreachable } from "../base/errors.ts";
import { hostId, pid as toPid } from "../base/ids.ts";
import type { Clock, Link } from "../base/ports.ts";
import { whyNotThere } from "../home/placement.ts";
import {
  CONTROL_LIMITS,
  CONTROL_VERSION,
  type ControlAnswer,
  type ControlRequest,
  decodeRequest,
  encodeAnswer,
} from "../wire/control.ts";
import { isSaid, sayable } from "../wire/identity.ts";
import type { Job } from "./job.ts";
import { encodeCheckpoint } from "./saved-job.ts";
import { reportOf } from "./view.ts";

/** What is asked of the participant whose jobs these are. */
export interface Homes {
  readonly clock: Clock;
  /** The job of whose secret that holds, and the secret. */
  jobWith(holds: (secret: string) => boolean): { readonly job: Job; readonly secret: string } | undefined;
  onChange(listener: () => void): () => void;
  /** Links over which output is read, or may be as far as is known yet, until they end. */
  readonly readers: Set<Link>;
}

/** A slow reader is sent no more output while this much waits. */
const HIGH_WATER_BYTES = 1 << 20;
/** How often it is looked whether a slow reader has caught up. */
const CATCH_UP_MS = 20;
/** A move that has not come about by then is told to have failed; it may still. */
const MOVE_MS = 30_000;

/** `first`: the message by which the link was known to be a controller's. */
export function serveControl(link: Link, first: Uint8Array, homes: Homes): void {
  let visit: Visit | undefined;
  link.onEnd = () => visit?.close();
  link.onMessage = (bytes) => {
    const request = bytes.length > CONTROL_LIMITS.requestBytes + 64 ? tooLong(bytes) : decodeRequest(bytes);
    if (request instanceof Invalid)
      return link.close(`it sent something that is no request (${request.reason})`);
    if (visit) return visit.handle(request);
    if (request.type !== "greet") return link.close(`it began with "${request.type}" instead of a greeting`);
    if (request.version !== CONTROL_VERSION)
      return link.close(
        `it speaks version ${request.version} of control, this home ${CONTROL_VERSION}: update the older one`,
      );
    const { secret: said } = request;
    const known = homes.jobWith((secret) => isSaid(said, secret, link.binding, "control"));
    if (!known) return link.close("no job here has this secret; did it end, or is its address incomplete?");
    const secret = sayable(known.secret, link.binding, "home");
    link.send(encodeAnswer({ type: "welcome", version: CONTROL_VERSION, secret }));
    visit = new Visit(link, known.job, homes);
  };
  link.onMessage(first);
}

const tooLong = (bytes: Uint8Array) =>
  new Invalid(`${bytes.length} bytes, where ${CONTROL_LIMITS.requestBytes} are allowed`);

/** One controller and one job. */
class Visit {
  readonly #link: Link;
  readonly #job: Job;
  readonly #homes: Homes;
  readonly #endings = new Set<() => void>();
  /** What ends each sending of output. */
  readonly #outputs = new Map<number, () => void>();

  constructor(link: Link, job: Job, homes: Homes) {
    this.#link = link;
    this.#job = job;
    this.#homes = homes;
    homes.readers.add(link); // what it will ask for is on its way
  }

  close(): void {
    this.#homes.readers.delete(this.#link);
    for (const end of this.#endings) end();
  }

  handle(request: ControlRequest): void {
    const reads = this.#outputs.size > 0 || request.type === "attach" || request.type === "output";
    if (!reads) this.#homes.readers.delete(this.#link);
    switch (request.type) {
      case "greet":
        return this.#link.close("it greeted twice");
      case "look":
        return this.#say({ type: "report", id: request.id, job: this.#report() });
      case "output":
        return this.#output(request.id, request.follow);
      case "checkpoint":
        return this.#checkpoint(request.id);
      case "enough":
        return this.#outputs.get(request.id)?.();
      case "line":
        return this.#job.giveLine(request.line);
      case "kill":
      case "migrate":
      case "attach":
        try {
          return this.#steer(request);
        } catch (error) {
          if (!(error instanceof RoostError)) throw error;
          return this.#fail(request.id, error.code, error.message.slice(error.code.length + 2));
        }
      default:
        return unreachable(request);
    }
  }

  #steer(request: Extract<ControlRequest, { type: "kill" | "migrate" | "attach" }>): void {
    switch (request.type) {
      case "kill":
        this.#alive(request.pid);
        this.#job.kill(toPid(request.pid), request.signal);
        return this.#say({ type: "done", id: request.id });
      case "migrate":
        return this.#migrate(request.id, request.pid, request.host);
      case "attach": {
        const { input } = this.#job;
        if (!input)
          throw new RoostError("EPERM", "this job reads its input from the terminal where it was launched");
        const ask = () => this.#say({ type: "asks" });
        this.#endings.add(input.onAsk(ask));
        this.#say({ type: "done", id: request.id });
        if (input.asks) ask();
      }
    }
  }

  #alive(pid: number) {
    const process = this.#job.state.processes.get(toPid(pid));
    if (!process) throw new RoostError("ESRCH", `this job has no process ${pid}`);
    if (process.end || this.#job.endedMs !== undefined)
      throw new RoostError("ESRCH", `process ${pid} has ended`);
    return process;
  }

  /** Answered when the process runs, or waits, on another host than before, or will not. */
  #migrate(id: number, pid: number, host: string): void {
    const { state } = this.#job;
    const process = this.#alive(pid);
    const target = host === "" ? undefined : hostId(host);
    if (process.where.kind === "at" && process.where.host === target) return this.#say({ type: "done", id });
    const reason = target && whyNotThere(state, process, target);
    if (reason) throw new RoostError("ENOHOST", `${reason}; \`roost hosts\` lists those that take something`);
    const before = process.epoch;
    const settle = (answer: () => void) => {
      stop();
      cancel();
      this.#endings.delete(stop);
      this.#endings.delete(cancel);
      answer();
    };
    const look = () => {
      if (process.end) return settle(() => this.#fail(id, "ESRCH", `process ${pid} ended before it moved`));
      if (process.epoch === before || process.where.kind !== "at" || process.where.recalledTo) return;
      const { host } = process.where;
      const arrived = process.pending || process.paused || process.stays.at(-1)?.runningMs !== undefined;
      if (!arrived) return;
      if (!target || host === target) return settle(() => this.#say({ type: "done", id }));
      const name = state.hosts.get(host)?.name ?? host;
      settle(() => this.#fail(id, "ENOHOST", `it went to ${name} instead: ${process.stays.at(-1)?.why}`));
    };
    const stop = this.#homes.onChange(look);
    const cancel = this.#homes.clock.after(MOVE_MS, () =>
      settle(() => this.#fail(id, "ETIMEDOUT", `it has not moved within ${MOVE_MS / 1000} s`)),
    );
    this.#endings.add(stop).add(cancel);
    this.#job.migrate(toPid(pid), target);
  }

  /** All output that is kept, and with `follow` what comes, as fast as the reader takes it; then the job's report. */
  #output(id: number, follow: boolean): void {
    const { output } = this.#job;
    this.#homes.readers.add(this.#link);
    let next = 0;
    let cancelWait: (() => void) | undefined;
    const send = () => {
      if (this.#outputs.get(id) !== stop || cancelWait) return;
      for (let entry = output.from(next); entry; entry = output.from(next)) {
        if (this.#link.queuedBytes > HIGH_WATER_BYTES) {
          cancelWait = this.#homes.clock.after(CATCH_UP_MS, () => {
            cancelWait = undefined;
            send();
          });
          return;
        }
        this.#say({ type: "output", id, ...entry });
        next = entry.position + entry.data.length;
      }
      if (follow && this.#job.endedMs === undefined) return;
      stop();
      this.#say({ type: "report", id, job: this.#report() });
    };
    const stop = () => {
      cancelWait?.();
      unsubscribe();
      this.#endings.delete(stop);
      this.#outputs.delete(id);
    };
    this.#outputs.get(id)?.();
    this.#outputs.set(id, stop);
    const unsubscribe = output.onAdd(send);
    this.#endings.add(stop);
    this.#job.ended.then(send);
    send();
  }

  /** As it is now; sent as fast as the reader takes it. */
  #checkpoint(id: number): void {
    const all = encodeCheckpoint(this.#job.atRest());
    let at = 0;
    let cancelWait = () => {};
    const stop = () => cancelWait();
    this.#endings.add(stop);
    const send = () => {
      while (at < all.length) {
        if (this.#link.queuedBytes > HIGH_WATER_BYTES) {
          cancelWait = this.#homes.clock.after(CATCH_UP_MS, send);
          return;
        }
        const data = all.slice(at, at + CONTROL_LIMITS.pieceBytes);
        at += data.length;
        this.#say({ type: "piece", id, data, last: at === all.length });
      }
      this.#endings.delete(stop);
    };
    send();
  }

  #report() {
    return reportOf(this.#job, this.#homes.clock.now());
  }
  #fail(id: number, code: ErrorCode, reason: string): void {
    this.#say({ type: "failed", id, code, reason });
  }
  #say(answer: ControlAnswer): void {
    this.#link.send(encodeAnswer(answer));
  }
}
