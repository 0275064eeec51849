/** The job's tuple space. What fields mean is between guests: here they are equal when their bytes are. */
import { equalBytes } from "../base/bytes.ts";
import { RoostError } from "../base/errors.ts";
import type { CallNumber } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { type CallArgs, encodeAnswer, encodeError } from "../wire/calls.ts";
import { answer } from "./answers.ts";
import type { Out } from "./effects.ts";
import type { HomeState, Process, Template, Tuple } from "./state.ts";

/** What a tuple weighs beside its fields. */
const TUPLE_BYTES = 64;

export const tupleBytes = (tuple: Tuple) => tuple.reduce((sum, { data }) => sum + data.length, TUPLE_BYTES);

const found = (tuple: Tuple | undefined) => encodeAnswer("find", { fields: tuple?.map(({ data }) => data) });

function fits(tuple: Tuple, template: Template): boolean {
  return (
    tuple.length === template.length &&
    template.every(({ type, data }, n) => {
      const field = tuple[n];
      return (
        field !== undefined &&
        (type === undefined || type === field.type) &&
        (data === undefined || equalBytes(data, field.data))
      );
    })
  );
}

/** Everybody who only reads gets a new tuple; of those who take, the one who has waited longest. */
export function put(
  state: HomeState,
  p: Process,
  call: CallNumber,
  { fields }: CallArgs<"out">,
  out: Out,
  nowMs: number,
): void {
  const { space } = state;
  const tuple = fields.map(({ type, data }) => ({ type, data: data.slice() }));
  if (space.bytes + tupleBytes(tuple) > LIMITS.spaceBytes) {
    const sentence = `the job's tuples have ${space.bytes} bytes, where ${LIMITS.spaceBytes} are allowed (spaceBytes); take some first`;
    return answer(state, p, call, encodeError(new RoostError("EAGAIN", sentence)), out, nowMs);
  }
  answer(state, p, call, encodeAnswer("out", undefined), out, nowMs);
  let taken = false;
  for (const pid of space.waiting) {
    const q = state.processes.get(pid);
    if (q?.pending?.for !== "tuple" || !fits(tuple, q.pending.template)) continue;
    if (q.pending.remove && taken) continue;
    taken ||= q.pending.remove;
    space.waiting.delete(pid);
    answer(state, q, q.pending.call, found(tuple), out, nowMs);
  }
  if (taken) return;
  space.tuples.push(tuple);
  space.bytes += tupleBytes(tuple);
}

export function find(
  state: HomeState,
  p: Process,
  call: CallNumber,
  { template, remove, wait }: CallArgs<"find">,
  out: Out,
  nowMs: number,
): void {
  const { space } = state;
  const at = space.tuples.findIndex((tuple) => fits(tuple, template));
  const tuple = space.tuples[at];
  if (!tuple && wait) {
    const kept = template.map(({ type, data }) => ({ type, data: data?.slice() }));
    p.pending = { for: "tuple", call, template: kept, remove };
    space.waiting.add(p.pid);
    return;
  }
  if (tuple && remove) {
    space.tuples.splice(at, 1);
    space.bytes -= tupleBytes(tuple);
  }
  answer(state, p, call, found(tuple), out, nowMs);
}
