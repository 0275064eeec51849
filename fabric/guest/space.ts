/**
 * Linda's tuple space (Gelernter 1985): values that processes leave for each other, found by what they look like. The
 * space is at the job's home, so a tuple is taken by exactly one process, wherever either is.
 */
import { exit, fork } from "./processes.ts";
import { call, invalid } from "./system.ts";
import { decodeValue, encodeValue } from "./value.ts";

/** In a template, stands for any value. */
const any: unique symbol = Symbol("any value");

type Class = abstract new (...args: never[]) => unknown;

/** A value is found by a formal of its class: Number finds every number, Array every array. */
function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return Object.prototype.toString.call(value).slice(8, -1);
}

const PRIMITIVES = new Map<unknown, string>([
  [Number, "number"],
  [String, "string"],
  [Boolean, "boolean"],
  [BigInt, "bigint"],
]);

const typeOfClass = (formal: unknown): string => PRIMITIVES.get(formal) ?? (formal as Class).name;

const field = (value: unknown) => ({ type: typeOf(value), data: encodeValue(value) });

function pattern(formal: unknown): { type: string | undefined; data: Uint8Array | undefined } {
  if (formal === any) return { type: undefined, data: undefined };
  if (typeof formal === "function") return { type: typeOfClass(formal), data: undefined };
  return field(formal);
}

function find(who: string, template: readonly unknown[], remove: boolean, wait: boolean): unknown[] | null {
  if (template.length === 0) throw invalid(`space.${who}: a template has at least one field`);
  const { fields } = call("find", { template: template.map(pattern), remove, wait });
  return fields?.map(decodeValue) ?? null;
}

function out(...fields: readonly unknown[]) {
  if (fields.length === 0) throw invalid("space.out: a tuple has at least one field");
  call("out", { fields: fields.map(field) });
}

/** The fields that are functions are called in a new process, which then leaves the tuple. @returns its pid. */
function evaluate(...fields: readonly unknown[]): number {
  const pid = fork();
  if (pid !== 0) return pid;
  out(...fields.map((value) => (typeof value === "function" ? value() : value)));
  return exit(0);
}

export const space = {
  any,
  out,
  in: (...template: readonly unknown[]) => find("in", template, true, true) as unknown[],
  rd: (...template: readonly unknown[]) => find("rd", template, false, true) as unknown[],
  inp: (...template: readonly unknown[]) => find("inp", template, true, false),
  rdp: (...template: readonly unknown[]) => find("rdp", template, false, false),
  eval: evaluate,
};
