/** What a simulated program has of the outside, as the guest library gives it to real ones (fabric/guest). */
import { utf8Decode, utf8Encode } from "../../fabric/base/codec.ts";
import { RoostError } from "../../fabric/base/errors.ts";
import {
  type CallAnswer,
  type CallArgs,
  type CallName,
  decodeAnswer,
  encodeCall,
  type SignalName,
  takeSignals,
} from "../../fabric/wire/calls.ts";
import { chance } from "./world.ts";

export type Want =
  | { readonly kind: "call"; readonly request: Uint8Array }
  | { readonly kind: "clock" }
  | { readonly kind: "poll" }
  | { readonly kind: "boom" };
export type Given = Uint8Array | number | undefined;
export type Doing<T> = Generator<Want, T, Given>;

export interface Letter {
  readonly from: number;
  readonly tag: string;
  readonly text: string;
  readonly end: { readonly signal: SignalName | undefined } | undefined;
}

export class Guest {
  readonly #handlers = new Map<SignalName, () => Doing<void>>();
  /** From 0 to 1, by its own seed. */
  random: () => number = () => {
    throw new Error("it was never seeded");
  };

  seed(seed: number): void {
    this.random = chance(seed);
  }

  /** Calls, runs the handlers of signals that have come, and calls again where that is said. */
  *call<N extends CallName>(name: N, args: CallArgs<N>): Doing<CallAnswer<N>> {
    for (;;) {
      const told = yield { kind: "call", request: encodeCall(name, args) };
      if (!(told instanceof Uint8Array)) throw new Error(`${name} was answered with nothing`);
      const { signals, answer } = takeSignals(told);
      for (const signal of signals) {
        const handler = this.#handlers.get(signal);
        check(handler, `${signal} came without a handler`);
        yield* handler();
      }
      if (!answer) continue;
      const result = decodeAnswer(name, answer);
      if (result instanceof RoostError) throw result;
      return result;
    }
  }

  *now(): Doing<number> {
    const now = yield { kind: "clock" };
    if (typeof now !== "number") throw new Error("the clock says nothing");
    return now;
  }

  *compute(polls: number): Doing<void> {
    for (let n = 0; n < polls; n++) yield { kind: "poll" };
  }

  /** Brings its host down. */
  *boom(): Doing<void> {
    yield { kind: "boom" };
  }

  /** Never comes back. */
  *exit(value: string, status = 0): Doing<never> {
    yield* this.call("exit", { status, value: utf8Encode(value) });
    throw new Error("it went on after its exit");
  }

  /** The child's pid, or 0 in the child. */
  *fork(on = "any"): Doing<number> {
    return (yield* this.call("fork", { on })).child;
  }

  /** A child that does this and exits with what it gives. */
  *spawn(work: () => Doing<string>, on = "any"): Doing<number> {
    const child = yield* this.fork(on);
    if (child === 0) yield* this.exit(yield* work());
    return child;
  }

  *pid(): Doing<number> {
    return (yield* this.call("identify", undefined)).pid;
  }

  /** The value of a child that must end well. */
  *wait(pid = -1): Doing<string> {
    const { end } = yield* this.call("wait", { pid, dueMs: undefined });
    check(end && end.status === 0, `child ${pid} ended with ${end?.status} ${end?.signal}`);
    return utf8Decode(end.value);
  }

  *print(line: string): Doing<void> {
    yield* this.call("print", { fd: 1, data: utf8Encode(`${line}\n`) });
  }

  *send(to: number | readonly number[], tag: string, text: string): Doing<void> {
    yield* this.call("send", { to: [to].flat(), tag, value: utf8Encode(text) });
  }

  *post(to: number, tag: string, text: string): Doing<void> {
    yield* this.call("post", { to: [to], tag, value: utf8Encode(text) });
  }

  *receive(tag?: string, from = -1): Doing<Letter> {
    const letter = yield* this.receiveUntil(undefined, tag, from);
    check(letter, "nothing came, and no time was set");
    return letter;
  }

  *receiveUntil(dueMs: number | undefined, tag?: string, from = -1): Doing<Letter | undefined> {
    const { letter } = yield* this.call("receive", { from, tag, dueMs });
    return letter && { from: letter.from, tag: letter.tag, text: utf8Decode(letter.value), end: letter.end };
  }

  *kill(pid: number, signal: SignalName): Doing<void> {
    yield* this.call("kill", { pid, signal });
  }

  *on(signal: SignalName, handler: () => Doing<void>): Doing<void> {
    this.#handlers.set(signal, handler);
    yield* this.call("handle", { signal, handled: true });
  }

  *append(path: string, line: string): Doing<void> {
    yield* this.call("writeFile", { path, flags: "a", data: utf8Encode(`${line}\n`) });
  }

  *writeFile(path: string, content: string): Doing<void> {
    yield* this.call("writeFile", { path, flags: "w", data: utf8Encode(content) });
  }

  *readFile(path: string): Doing<string> {
    return utf8Decode((yield* this.call("readFile", { path })).data);
  }
}

/** A program's own expectation. */
export function check(holds: unknown, expectation: string): asserts holds {
  if (!holds) throw new Error(expectation);
}
