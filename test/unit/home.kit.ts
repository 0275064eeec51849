/** For tests of the home's rules: a home, and hosts that do what the test says. */
import { Invalid } from "../../fabric/base/codec.ts";
import { must, RoostError } from "../../fabric/base/errors.ts";
import { callNumber, hostId, imageId, jobId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { HomeEffect, HomeEvent } from "../../fabric/home/effects.ts";
import { newHome, step } from "../../fabric/home/home.ts";
import type { HomeState, JobSpec } from "../../fabric/home/state.ts";
import { type CallArgs, type CallName, decodeAnswer, encodeCall } from "../../fabric/wire/calls.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageOf,
  NOTHING_LEARNED,
  type Snapshot,
} from "../../fabric/wire/messages.ts";

export const JOB = jobId("job");
export const snapshotOf = (calls: number, waiting = true): Snapshot => ({
  chain: [imageId(`after ${calls} calls`)],
  calls: callNumber(calls),
  waiting,
  moment: 0,
  clockMs: 0,
});

export const imagesOf = (snapshot: Snapshot | undefined) =>
  (snapshot?.chain ?? []).map((id) => ({ id, bytes: new Uint8Array([1, 2, 3]) }));

/** A home, and hosts that do what the test says. */
export class Bench {
  nowMs = 1_000;
  readonly sent: { host: string; message: Message }[] = [];
  readonly effects: HomeEffect[] = [];
  readonly #calls = new Map<number, number>();
  readonly #placements = new Map<number, MessageOf<"place"> & { host: string }>();
  readonly state: HomeState;

  /** `state`: of a home that goes on. */
  constructor(spec: Partial<JobSpec> = {}, state?: HomeState) {
    const usual: JobSpec = {
      id: JOB,
      name: "test",
      program: { source: "", fileName: "test.js" },
      args: ["a"],
      env: {},
      zone: "UTC",
      memoryBytesMax: LIMITS.guestMemoryBytes,
      processesMax: LIMITS.processesPerJob,
      durable: true,
      preemptEvery: 0,
      seed: 1n,
    };
    this.state = state ?? newHome({ ...usual, ...spec }, this.nowMs);
  }

  do(event: HomeEvent): void {
    for (const effect of step(this.state, event, this.nowMs)) {
      this.effects.push(effect);
      // Everything goes through the codec, as on a link.
      if (effect.type !== "send") continue;
      const { host } = effect;
      const message = throughTheWire(effect.message);
      this.sent.push({ host, message });
      if (message.type === "place") this.#placements.set(message.pid, { ...message, host });
    }
  }
  host(name: string, slots = 1, local = false, memoryBytes: number = LIMITS.guestMemoryBytesMost): void {
    this.do({ type: "hostLinked", host: hostId(name), name, platform: "", local });
    this.say(name, { type: "status", slots, memoryBytes, reason: "" });
  }
  say(host: string, message: Message): void {
    this.do({ type: "message", host: hostId(host), message: throughTheWire(message) });
  }
  placed(p: number): MessageOf<"place"> & { host: string } {
    return must(this.#placements.get(p), `placement of process ${p}`);
  }
  /** A call from wherever the process is. */
  call<N extends CallName>(
    p: number,
    name: N,
    args: CallArgs<N>,
    number = this.#calls.get(p) ?? 0,
    chain?: readonly string[],
  ): void {
    const { host, epoch } = this.placed(p);
    this.#calls.set(p, number + 1);
    const forked = snapshotOf(number + 1);
    if (chain) Object.assign(forked, { chain });
    const snapshot = name === "fork" ? forked : undefined;
    const call = callNumber(number);
    const request = encodeCall(name, args);
    const stay = { job: JOB, pid: pid(p), epoch };
    this.say(host, {
      type: "call",
      ...stay,
      call,
      request,
      waits: true,
      learned: NOTHING_LEARNED,
      snapshot,
      images: imagesOf(snapshot),
      tookMs: 0,
    });
  }
  replies(p: number): MessageOf<"reply">[] {
    return this.sent.flatMap(({ message }) =>
      message.type === "reply" && message.pid === p ? [message] : [],
    );
  }
  answer<N extends CallName>(p: number, name: N) {
    const last = this.replies(p).at(-1);
    if (!last) throw new Error("no reply");
    return decodeAnswer(name, last.answer);
  }
  /** `chain`: of its images, other than one of its own. */
  fork(p: number, on = "any", chain?: readonly string[]): number {
    this.call(p, "fork", { on }, undefined, chain);
    const answer = this.answer(p, "fork");
    if (answer instanceof RoostError) throw answer;
    this.#calls.set(answer.child, this.#calls.get(p) ?? 0); // calls are numbered on in the child
    return answer.child;
  }
}

/** Turns limits down, until the end of the scope. */
export function limited(changes: { -readonly [N in keyof typeof LIMITS]?: number }): Disposable {
  const before = { ...LIMITS };
  Object.assign(LIMITS, changes);
  return { [Symbol.dispose]: () => void Object.assign(LIMITS, before) };
}

function throughTheWire(message: Message): Message {
  const back = decodeMessage(encodeMessage(message));
  if (back instanceof Invalid) throw new Error(back.reason);
  return back;
}

export function launched(...hosts: string[]): Bench {
  const bench = new Bench();
  bench.host("home", 1, true);
  for (const name of hosts) bench.host(name);
  return bench;
}
