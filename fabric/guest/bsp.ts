/**
 * Bulk-synchronous parallel programs (Valiant 1990), after BSPlib's remote access: registers that others read and write,
 * in supersteps. What is put or asked for in one superstep is there when the next begins, never before; what is got is
 * what the register held when the superstep ended, before anything was put.
 */
import { type Group, group, meet } from "./group.ts";
import { getpid, map } from "./processes.ts";
import { invalid } from "./system.ts";

/** What `get` gives: filled in by the next `sync`. */
export interface Got<T> {
  readonly value: T;
}

interface Put {
  readonly to: number;
  readonly name: string;
  readonly value: unknown;
}
interface Get {
  readonly from: number;
  readonly name: string;
  readonly fill: (value: unknown) => void;
}

/** This process's part in a run. */
class Part {
  readonly group: Group;
  readonly rank: number;
  readonly size: number;
  readonly registers = new Map<string, unknown>();
  #puts: Put[] = [];
  #gets: Get[] = [];
  #supersteps = 0;

  constructor(group: Group, size: number) {
    this.group = group;
    this.size = size;
    this.rank = group.join();
    group.barrier(size);
  }

  put(put: Put) {
    this.#puts.push(put);
  }
  get(get: Get) {
    this.#gets.push(get);
  }

  /** One meeting, in which all say what they put and what they ask for; a second one for the answers, if anybody asks. */
  sync(what = "sync") {
    const superstep = `${what} ${++this.#supersteps}`;
    const wanted = this.#meet(superstep, (rank) => ({
      asks: this.#gets.filter((get) => get.from === rank).map((get) => get.name),
      puts: this.#puts.filter((put) => put.to === rank).map(({ name, value }) => [name, value] as const),
      gets: this.#gets.length > 0,
    }));
    if (wanted.some(({ value }) => value.gets)) {
      const answers = this.#meet(`${superstep}, gets`, (rank) => {
        const asked = wanted.find(({ member }) => member === rank);
        return asked?.value.asks.map((name) => this.registers.get(name)) ?? [];
      });
      for (const { member, value } of answers)
        for (const [n, get] of this.#gets.filter((get) => get.from === member).entries()) get.fill(value[n]);
    }
    for (const { value } of wanted) for (const [name, put] of value.puts) this.registers.set(name, put);
    this.#puts = [];
    this.#gets = [];
  }

  #meet<T>(what: string, parcelFor: (rank: number) => T): { member: number; value: T }[] {
    const parcels = Array.from({ length: this.size }, (_, rank) => ({
      member: rank,
      value: parcelFor(rank),
    }));
    return meet(this.group.name, { what, parcels }).parcels as { member: number; value: T }[];
  }
}

let part: Part | undefined;
let runs = 0;

function taken(who: string): Part {
  if (part) return part;
  throw invalid(`bsp.${who} has a meaning only in a function that bsp.run runs`);
}

function checked(rank: number, who: string): number {
  const { size } = taken(who);
  if (Number.isInteger(rank) && rank >= 0 && rank < size) return rank;
  throw invalid(`bsp.${who}: ${String(rank)} is no rank; they go from 0 to ${size - 1}`);
}

export const bsp = {
  /** Runs `body` in `size` children of this process; what each returned comes back by rank. */
  run<R>(size: number, body: (rank: number, size: number) => R, { on }: { on?: string } = {}): R[] {
    if (!Number.isInteger(size) || size < 1)
      throw invalid(`bsp.run: ${String(size)} is no number of processes`);
    const name = `bsp ${getpid()}.${++runs}`;
    const begin = () => {
      part = new Part(group(name), size);
      const result = body(part.rank, size);
      part.sync("end"); // nobody leaves while others may still ask
      return { rank: part.rank, result };
    };
    const ends = map(new Array(size).fill(0), begin, { chunks: size, ...(on === undefined ? {} : { on }) });
    return ends.toSorted((a, b) => a.rank - b.rank).map(({ result }) => result);
  },
  rank: () => taken("rank").rank,
  size: () => taken("size").size,
  put(rank: number, name: string, value: unknown) {
    taken("put").put({ to: checked(rank, "put"), name, value });
  },
  /** With a rank: what that process's register holds at the end of the superstep. Without: this process's own, now. */
  get,
  sync() {
    taken("sync").sync();
  },
};

function get<T>(name: string): T;
function get<T>(rank: number, name: string): Got<T>;
function get<T>(first: number | string, name?: string): T | Got<T> {
  const own = taken("get");
  if (typeof first === "string") return own.registers.get(first) as T;
  let got: { value: T } | undefined;
  own.get({
    from: checked(first, "get"),
    name: name ?? "",
    fill: (value) => {
      got = { value: value as T };
    },
  });
  return {
    get value() {
      if (got) return got.value;
      throw invalid("bsp.get: the value is there after the next bsp.sync()");
    },
  };
}
