/**
 * Which locals are dead at each point where a function may be unwound. Setting those to zero there, before the frame is
 * saved, frees the optimiser: otherwise every saved local is live at every call, is carried round the interpreter's
 * dispatch loop, and the register allocator spills them all. It also makes saved frames the same whatever was left over
 * in dead locals, and easy to compress.
 */
import { head, type List, list, type Node, walk, word } from "./parse.ts";

/** The block that Asyncify leaves to save a frame. */
export const UNWIND = "$__asyncify_unwind";

/** `(drop (br_if $__asyncify_unwind index unwinding?))`: stands after every call that may suspend. */
export const isCheck = (x: Node | undefined): x is List =>
  head(x) === "drop" && head(list(x)[1]) === "br_if" && list(list(x)[1])[1] === UNWIND;

export interface Local {
  readonly name: string;
  readonly type: string;
}

/**
 * For each check of a function that never rewinds (its state tests are constants), in the order of `walk`: the locals
 * that nothing reads afterwards before setting them. Empty for checks that cannot be reached.
 */
export function deadAtChecks(fn: List, locals: readonly Local[]): Local[][] {
  const bits = new Map(locals.map(({ name }, i) => [name, 1n << BigInt(i)]));
  const bit = (name: Node | undefined) => {
    const found = bits.get(word(name));
    if (found === undefined) throw new Error(`bug: no local ${name}`);
    return found;
  };
  /** What is live where a label's branches go. Leaving for the save code counts for nothing: it reads every local. */
  const atLabel = new Map<string, bigint>([[UNWIND, 0n]]);
  const atCheck = new Map<List, bigint>();

  const target = (label: Node | undefined) => atLabel.get(word(label)) ?? 0n;
  const backwards = (of: List, from: number, out: bigint) => {
    let live = out;
    for (let i = of.length - 1; i >= from; i--) {
      const x = of[i];
      if (typeof x === "object") live = before(x, live);
    }
    return live;
  };

  function before(x: List, out: bigint): bigint {
    switch (x[0]) {
      case "param":
      case "result":
      case "type":
      case "local":
        return out;
      case "local.get":
        return out | bit(x[1]);
      case "local.set":
      case "local.tee":
        return before(list(x[2]), out & ~bit(x[1]));
      case "block":
        if (typeof x[1] !== "string") return backwards(x, 1, out);
        if (x[1] !== UNWIND) atLabel.set(x[1], out);
        return backwards(x, 2, out);
      case "loop":
        return beforeLoop(x, out);
      case "if":
        return beforeIf(x, out);
      case "br":
        return backwards(x, 2, target(x[1]));
      case "br_if":
        return backwards(x, 2, target(x[1]) | out);
      case "br_table": {
        let all = 0n;
        let i = 1;
        for (; typeof x[i] === "string"; i++) all |= target(x[i]);
        return backwards(x, i, all);
      }
      case "return":
        return backwards(x, 1, 0n);
      case "unreachable":
        return 0n;
      default:
        if (isCheck(x)) atCheck.set(x, out);
        return backwards(x, 1, out);
    }
  }

  function beforeLoop(x: List, out: bigint): bigint {
    if (typeof x[1] !== "string") return backwards(x, 1, out);
    for (let live = 0n; ; ) {
      atLabel.set(x[1], live);
      const next = backwards(x, 2, out) | live;
      if (next === live) return live;
      live = next;
    }
  }

  function beforeIf(x: List, out: bigint): bigint {
    const at = head(x[1]) === "result" ? 2 : 1;
    const condition = list(x[at]);
    const then = list(x[at + 1]);
    const otherwise = x[at + 2];
    if (isAlwaysTrue(condition)) return backwards(then, 1, out);
    const live = otherwise ? backwards(list(otherwise), 1, out) : out;
    if (isConstant(condition, "0")) return live;
    return before(condition, live | backwards(then, 1, out));
  }

  walk(fn, (x) => {
    // The save code that follows the block does not count: it reads every local, dead or not.
    if (x[0] === "block" && x[1] === UNWIND) backwards(x, 2, 0n);
  });

  const result: Local[][] = [];
  walk(fn, (x) => {
    if (!isCheck(x)) return;
    const live = atCheck.get(x);
    result.push(live === undefined ? [] : locals.filter(({ name }) => (live & bit(name)) === 0n));
  });
  return result;
}

const isConstant = (x: Node | undefined, value: string) => head(x) === "i32.const" && list(x)[1] === value;
const isAlwaysTrue = (x: List) =>
  isConstant(x, "1") || (x[0] === "i32.or" && (isConstant(x[1], "1") || isConstant(x[2], "1")));

/** Puts the zeros into a function's checks, which come in the same order as `dead` has them. */
export function zeroAtChecks(fn: List, dead: readonly (readonly Local[])[]): void {
  const checks: List[] = [];
  walk(fn, (x) => {
    if (isCheck(x)) checks.push(x);
  });
  if (checks.length !== dead.length) throw new Error("bug: another number of checks than were analysed");
  checks.forEach((check, i) => {
    const [, , index = "", unwinding = ""] = list(check[1]);
    const zeros = dead[i]?.map(({ name, type }): Node => ["local.set", name, [`${type}.const`, "0"]]) ?? [];
    check.splice(0, check.length, "if", unwinding, ["then", ...zeros, ["br", UNWIND, index]]);
  });
}
