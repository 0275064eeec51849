/**
 * A machine that stands in for the interpreter: its whole state is a small JSON text, its program a tree of forks.
 * Each node prints, looks at the clock, forks its children, computes for a number of polls, waits for the children,
 * prints what it saw of the clock again, appends to a file, and exits with the size of its subtree.
 */
import { Invalid, utf8Decode, utf8Encode } from "../../fabric/base/codec.ts";
import { RoostError } from "../../fabric/base/errors.ts";
import { type ImageId, imageId } from "../../fabric/base/ids.ts";
import type { Machines, RunningMachine, Stop, World } from "../../fabric/host/machines.ts";
import {
  type CallAnswer,
  type CallArgs,
  type CallName,
  decodeAnswer,
  encodeCall,
} from "../../fabric/wire/calls.ts";

let nextImage = 0;

interface Memory {
  path: string;
  depth: number;
  fan: number;
  at:
    | "begin"
    | "clock"
    | "fork"
    | "forked"
    | "compute"
    | "wait"
    | "waited"
    | "again"
    | "append"
    | "exit"
    | "gone";
  saw: number;
  children: number;
  left: number;
  sum: number;
  polls: number;
}

export const treeProgram = (depth: number, fan: number) => JSON.stringify({ depth, fan });

/** Nodes of the tree. */
export const treeSize = (depth: number, fan: number): number =>
  depth === 0 ? 1 : 1 + fan * treeSize(depth - 1, fan);

export function treePaths(depth: number, fan: number, path = ""): string[] {
  if (depth === 0) return [path];
  return [path, ...Array.from({ length: fan }, (_, i) => treePaths(depth - 1, fan, path + i)).flat()];
}

const COMPUTE_POLLS = 12;

class StandIn implements RunningMachine {
  readonly memoryBytes = 1 << 20;
  #m: Memory;
  readonly #onStep: () => void;
  #last: { readonly memory: Memory; readonly chain: ImageId[] } | undefined;
  constructor(memory: Memory, onStep: () => void, chain?: ImageId[]) {
    this.#m = memory;
    this.#onStep = onStep;
    this.#last = chain && { memory: { ...memory }, chain };
  }
  get polls() {
    return this.#m.polls;
  }
  seedRandom() {}
  [Symbol.dispose]() {}
  /** As the real one does: a chain, each image the changes since the one before, and a new chain now and then. */
  async encodeImage() {
    const now = { ...this.#m };
    const goOn = this.#last && this.#last.chain.length < 4;
    const before: Partial<Memory> = goOn ? (this.#last?.memory ?? {}) : {};
    const changes = Object.entries(now).filter(([name, value]) => before[name as keyof Memory] !== value);
    const bytes = utf8Encode(JSON.stringify(Object.fromEntries(changes)));
    const id = imageId(`image ${nextImage++}`);
    this.#last = { memory: now, chain: [...(goOn ? (this.#last?.chain ?? []) : []), id] };
    return { chain: this.#last.chain, images: [{ id, bytes }] };
  }

  start(program: { source: string }, world: World): Stop {
    Object.assign(this.#m, JSON.parse(program.source));
    return this.#go(world);
  }

  resume(world: World, answer?: Uint8Array): Stop {
    const m = this.#m;
    const told = <N extends CallName>(name: N): CallAnswer<N> => {
      if (!answer) throw new Error(`resumed in ${name} without its answer`);
      const result = decodeAnswer(name, answer);
      if (result instanceof RoostError) throw result;
      return result;
    };
    switch (m.at) {
      case "clock":
        told("print");
        break;
      case "forked": {
        const { child } = told("fork");
        if (child === 0) {
          Object.assign(m, {
            path: m.path + m.children,
            depth: m.depth - 1,
            at: "begin",
            children: 0,
            sum: 0,
          });
          break;
        }
        m.children++;
        m.at = "fork";
        break;
      }
      case "waited": {
        const { end } = told("wait");
        if (end?.status !== 0) throw new Error(`a child of ${m.path} ended badly`);
        m.sum += Number(utf8Decode(end.value));
        m.at = "wait";
        break;
      }
      case "append":
        told("print");
        break;
      case "exit":
        told("writeFile");
        break;
      case "gone":
        throw new Error("resumed after exit");
    }
    return this.#go(world);
  }

  #go(world: World): Stop {
    this.#onStep();
    const m = this.#m;
    const call = <N extends CallName>(name: N, args: CallArgs<N>, at: Memory["at"]): Stop => {
      m.at = at;
      return { kind: "call", request: encodeCall(name, args) };
    };
    for (;;) {
      switch (m.at) {
        case "begin":
          return call("print", { fd: 1, data: utf8Encode(`begin ${m.path}\n`) }, "clock");
        case "clock":
          m.saw = world.now();
          m.at = m.depth > 0 ? "fork" : "compute";
          m.left = COMPUTE_POLLS + (Math.floor(m.saw) % 7); // time decides how long it takes
          break;
        case "fork":
          if (m.children === m.fan) {
            m.at = "compute";
            break;
          }
          return call("fork", { on: "any" }, "forked");
        case "compute":
          if (m.left === 0) {
            m.at = "wait";
            m.left = m.children;
            break;
          }
          m.left--;
          m.polls++;
          if (world.poll() || m.polls % 3 === 0) return { kind: "preempted" }; // a slice is three polls
          break;
        case "wait":
          if (m.left === 0) {
            m.at = "again";
            break;
          }
          m.left--;
          return call("wait", { pid: -1, dueMs: undefined }, "waited");
        case "again":
          return call("print", { fd: 1, data: utf8Encode(`end ${m.path} saw ${m.saw}\n`) }, "append");
        case "append": {
          const data = utf8Encode(`${m.path} ${m.saw}\n`);
          return call("writeFile", { path: "log", flags: "a", data }, "exit");
        }
        case "exit":
          return call("exit", { status: 0, value: utf8Encode(String(m.sum + 1)) }, "gone");
        default:
          throw new Error(`bug in the stand-in: ${m.at}`);
      }
    }
  }
}

const FRESH: Memory = {
  path: "",
  depth: 0,
  fan: 0,
  at: "begin",
  saw: 0,
  children: 0,
  left: 0,
  sum: 0,
  polls: 0,
};

/** `onStep` is called whenever a guest gets the CPU. */
export const standIns = (onStep: () => void): Machines => ({
  fresh: () => new StandIn({ ...FRESH }, onStep),
  prepare: async () => {},
  async restore(chain) {
    if (chain.length === 0) return new Invalid("there is no image");
    const memory = {} as Memory;
    for (const { bytes } of chain) Object.assign(memory, JSON.parse(utf8Decode(bytes)));
    return new StandIn(
      memory,
      onStep,
      chain.map(({ id }) => id),
    );
  },
});
