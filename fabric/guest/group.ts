/**
 * Groups of processes, after PVM's, and what they do together. Every such call is one meeting at the home: each member
 * hands over what it has for the others, and when all have come, gets what they had for it.
 */
import { RoostError } from "../base/errors.ts";
import { call, invalid } from "./system.ts";
import { decodeValue, encodeValue } from "./value.ts";

const EVERYBODY = -1;

export interface Group {
  readonly name: string;
  join(): number;
  leave(): void;
  size(): number;
  rank(): number;
  members(): number[];
  barrier(count?: number): void;
  bcast<T>(value?: T, root?: number): T;
  gather<T>(value: T, root?: number): T[] | null;
  scatter<T>(values?: readonly T[] | null, root?: number): T;
  reduce<T>(value: T, combine: (a: T, b: T) => T, root?: number): T | null;
  allreduce<T>(value: T, combine: (a: T, b: T) => T): T;
}

/** What one member has for another: `member` is the rank of who gets it, or, when it arrives, of who gave it. */
interface Parcel {
  readonly member: number;
  readonly value: unknown;
}
interface Meeting {
  /** All members must say the same. */
  readonly what: string;
  /** The rank whose parcels alone count. */
  readonly giver?: number;
  readonly count?: number;
  readonly parcels?: readonly Parcel[];
}

/** Answers with this process's rank and what the others had for it, by their ranks. */
export function meet(
  group: string,
  { what, giver = EVERYBODY, count = 0, parcels = [] }: Meeting,
): { readonly rank: number; readonly parcels: Parcel[] } {
  const packed = parcels.map(({ member, value }) => ({ member, data: encodeValue(value) }));
  const answer = call("meet", { group, what, giver, count, parcels: packed });
  return {
    rank: answer.rank,
    parcels: answer.parcels.map(({ member, data }) => ({ member, value: decodeValue(data) })),
  };
}

export function group(name: string): Group {
  if (typeof name !== "string" || name === "") throw invalid("group: its name must be a non-empty string");

  const members = () => call("members", { group: name }).members;

  const gather = <T>(value: T, root = 0): T[] | null => {
    const met = meet(name, { what: `gather ${checked(root)}`, parcels: [{ member: root, value }] });
    return met.rank === root ? met.parcels.map((parcel) => parcel.value as T) : null;
  };

  /** What the root had for this one. */
  const from = <T>(root: number, what: string, parcels: Parcel[]): T => {
    const met = meet(name, { what: `${what} ${checked(root)}`, giver: root, parcels });
    const [parcel] = met.parcels;
    if (parcel) return parcel.value as T;
    throw new RoostError("EINVAL", `${what}: rank ${root} had nothing for rank ${met.rank}`);
  };
  const bcast = <T>(value?: T, root = 0) => from<T>(root, "bcast", [{ member: EVERYBODY, value }]);

  const reduce = <T>(value: T, combine: (a: T, b: T) => T, root = 0): T | null => {
    if (typeof combine !== "function")
      throw invalid("reduce: pass a function that makes one value of two: (a, b) => a + b");
    return gather(value, root)?.reduce((a, b) => combine(a, b)) ?? null;
  };

  return {
    name,
    join: () => call("join", { group: name }).rank,
    leave: () => {
      call("leave", { group: name });
    },
    members,
    size: () => members().length,
    rank: () => {
      const { rank } = call("members", { group: name });
      if (rank === undefined) throw invalid(`this process is not in the group ${name}; join it first`);
      return rank;
    },
    barrier: (count = 0) => {
      if (!Number.isInteger(count) || count < 0)
        throw invalid(`barrier: ${String(count)} is no number of members`);
      meet(name, { what: "barrier", count });
    },
    bcast,
    gather,
    scatter: <T>(values?: readonly T[] | null, root = 0) =>
      from<T>(
        root,
        "scatter",
        Array.from(values ?? [], (value, member) => ({ member, value })),
      ),
    reduce,
    allreduce: <T>(value: T, combine: (a: T, b: T) => T) => bcast(reduce(value, combine)) as T,
  };
}

function checked(rank: number): number {
  if (Number.isSafeInteger(rank) && rank >= 0) return rank;
  throw invalid(`${String(rank)} is no rank; ranks count from 0`);
}
