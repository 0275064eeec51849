/**
 * A job whose home is elsewhere, looked at and steered over a link to that home: what `roost ps`, `logs`, `kill` and the
 * others speak through. Every promise settles when the link ends.
 */
import { Invalid } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import type { Link } from "../base/ports.ts";
import type { SignalName } from "../wire/calls.ts";
import {
  CONTROL_VERSION,
  type ControlAnswer,
  type ControlRequest,
  decodeAnswer,
  encodeRequest,
  type JobReport,
} from "../wire/control.ts";
import { isSaid, sayable } from "../wire/identity.ts";
import { Feed } from "./feed.ts";

/** Something a process of the job wrote; see host/output-log.ts. */
export type RemoteOutput = Omit<Extract<ControlAnswer, { type: "output" }>, "type" | "id">;

type Said = Answer<"report" | "output" | "done" | "failed" | "piece">;
type Answer<T extends ControlAnswer["type"]> = Extract<ControlAnswer, { type: T }>;
/** What a request of its own waits for. */
interface Waiting {
  take(answer: Said): void;
  fail(error: RoostError): void;
}
type Numbered<R> = R extends { id: number } ? Omit<R, "id"> : never;

/** A job whose home is elsewhere. */
export class RemoteJob implements Disposable {
  /** The home waits for a line of input. Set once; called again for each line. */
  onAsk = () => {};
  readonly #link: Link;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #ended: RoostError | undefined;

  /** Greets the home of a job; throws RoostError when either does not know the secret, or it speaks another version. */
  static open(link: Link, secret: string): Promise<RemoteJob> {
    return new Promise((resolve, reject) => {
      link.onEnd = ({ reason }) => reject(new RoostError("EPERM", `the job's home hung up: ${reason}`));
      link.onMessage = (bytes) => {
        const welcome = decodeAnswer(bytes);
        if (welcome instanceof Invalid || welcome.type !== "welcome") {
          link.close("that was no welcome");
          reject(new RoostError("EVERSION", "the job's home speaks another language; update the older one"));
        } else if (!isSaid(welcome.secret, secret, link.binding, "home")) {
          link.close("that did not show that it knows the secret");
          reject(
            new RoostError(
              "EPERM",
              "who answered does not know the job's secret: it is not the job's home, and the relay may not be honest",
            ),
          );
        } else resolve(new RemoteJob(link));
      };
      const said = sayable(secret, link.binding, "control");
      link.send(encodeRequest({ type: "greet", version: CONTROL_VERSION, secret: said }));
    });
  }

  private constructor(link: Link) {
    this.#link = link;
    link.onMessage = (bytes) => this.#receive(bytes);
    link.onEnd = ({ reason }) => this.#end(new RoostError("EIO", `the job's home is gone: ${reason}`));
  }

  /** How the job is now. */
  async look(): Promise<JobReport> {
    const answer = await this.#ask({ type: "look" });
    if (answer.type !== "report") throw unexpected(answer);
    return answer.job;
  }

  /** Sends a signal. Throws ESRCH when no such process is alive. */
  async kill(pid: number, signal: SignalName): Promise<void> {
    await this.#ask({ type: "kill", pid, signal });
  }

  /** Moves a process; without a host, to where the home thinks best. Resolves when it is there. */
  async migrate(pid: number, host?: string): Promise<void> {
    await this.#ask({ type: "migrate", pid, host: host ?? "" });
  }

  /** The whole job as it is now: bytes for `Fabric.revive`. It runs on. */
  checkpoint(): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      if (this.#ended) return reject(this.#ended);
      const pieces: Uint8Array[] = [];
      const take = (answer: Said) => {
        if (answer.type === "piece") {
          pieces.push(answer.data);
          if (!answer.last) return;
        }
        this.#waiting.delete(id);
        if (answer.type === "piece") resolve(concat(pieces));
        else if (answer.type === "failed") reject(new RoostError(answer.code, answer.reason));
        else reject(unexpected(answer));
      };
      this.#waiting.set(id, { take, fail: reject });
      this.#send({ type: "checkpoint", id });
    });
  }

  /** From now on the home asks here for lines of input (`onAsk`). Throws EPERM when it has a terminal of its own. */
  async attach(): Promise<void> {
    await this.#ask({ type: "attach" });
  }

  /** Answers the home's question; undefined is the end of input. */
  type(line: string | undefined): void {
    this.#send({ type: "line", line });
  }

  /**
   * What the job has written, as far as its home remembers it, and with `follow` what it writes until it ends; then
   * the job's report. Ends with an error when `signal` says so.
   */
  async *output(
    options: { follow?: boolean; signal?: AbortSignal } = {},
  ): AsyncGenerator<RemoteOutput, JobReport> {
    const { follow = true, signal } = options;
    signal?.throwIfAborted();
    if (this.#ended) throw this.#ended;
    const id = this.#nextId++;
    const answers = new Feed<Said>();
    this.#waiting.set(id, { take: (answer) => answers.push(answer), fail: (error) => answers.end(error) });
    this.#send({ type: "output", id, follow });
    const enough = () => {
      this.#waiting.delete(id);
      this.#send({ type: "enough", id });
    };
    for await (const answer of answers.read(signal, enough)) {
      if (answer.type === "output") yield answer;
      else if (answer.type === "report") return answer.job;
      else throw unexpected(answer);
    }
    throw new Error("bug: a feed of answers ends with the last or an error");
  }

  [Symbol.dispose](): void {
    this.#link.close("done");
    this.#end(new RoostError("EIO", "the connection was closed"));
  }

  #ask(request: Numbered<ControlRequest>): Promise<Answer<"report" | "done">> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      if (this.#ended) return reject(this.#ended);
      this.#waiting.set(id, {
        take: (answer) => {
          this.#waiting.delete(id);
          if (answer.type === "failed") reject(new RoostError(answer.code, answer.reason));
          else if (answer.type === "output" || answer.type === "piece") reject(unexpected(answer));
          else resolve(answer);
        },
        fail: reject,
      });
      this.#send({ ...request, id });
    });
  }

  #receive(bytes: Uint8Array): void {
    const answer = decodeAnswer(bytes);
    if (answer instanceof Invalid) return this.#link.close(`that was no answer (${answer.reason})`);
    if (answer.type === "asks") return this.onAsk();
    if (answer.type === "welcome") return this.#link.close("it welcomed twice");
    this.#waiting.get(answer.id)?.take(answer);
  }

  #send(request: ControlRequest): void {
    if (!this.#ended) this.#link.send(encodeRequest(request));
  }

  #end(error: RoostError): void {
    this.#ended ??= error;
    for (const { fail } of this.#waiting.values()) fail(error);
    this.#waiting.clear();
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const unexpected = ({ type }: ControlAnswer) =>
  new RoostError("EIO", `the job's home answered "${type}", which was not asked for`);
