/**
 * Entering structured code in the middle. WebAssembly cannot jump into a block, so the way there is paved instead: at the
 * head of each list of statements on it, a comparison of `$at`, the number of the entry to go to, skips to the statement
 * that holds it. Once there, `$at` is 0, and the code goes on as it always does. What can be reached from no entry is left out.
 */
import { head, type List, list, type Node, word } from "./parse.ts";

/** A global, so that it changes the numbers of no locals. 0 while anything is called. */
export const AT = "$at";
export const at: List = ["global.get", AT];
const RUNNING: List = ["global.set", AT, ["i32.const", "0"]];
const isRunning: List = ["i32.eqz", at];
const isFrom = (entry: number): List => ["i32.ge_u", at, ["i32.const", String(entry)]];

export interface Entries {
  /** Whether a statement is an entry. They are numbered in the order of the text, from 1 on. */
  isEntry(statement: List): boolean;
  /** What is done on arrival at an entry, in place of the statement. */
  arrive(statement: List): List;
  /** What is done when any statement is come to in the normal way; it must hold no entry. */
  pass(statement: List): Node;
}

/** `body` as code that begins at the entry whose number is in the global AT. */
export function enterAt(body: readonly Node[], entries: Entries): List {
  return new Router(entries, body).list(body);
}

interface Range {
  readonly first: number;
  /** One past the last. */
  readonly end: number;
}

class Router {
  readonly #entries: Entries;
  readonly #ranges = new Map<List, Range>();
  /** Statements that are come to in the normal way, after some entry. */
  readonly #reached = new Set<List>();
  readonly #reachedLabels = new Set<string>();
  #labels = 0;

  constructor(entries: Entries, body: readonly Node[]) {
    this.#entries = entries;
    let count = 1;
    const number = (x: Node) => {
      if (typeof x === "string") return;
      const first = count;
      if (entries.isEntry(x)) count++;
      else for (const y of x) number(y);
      this.#ranges.set(x, { first, end: count });
    };
    for (const x of body) number(x);
    // Branches to the head of a loop make what is before them reached: again, until nothing is added.
    for (let before = -1; before !== this.#reachedLabels.size; ) {
      before = this.#reachedLabels.size;
      this.#reach(body, false);
    }
  }

  list(code: readonly Node[]): List {
    const holders = code.flatMap((x, i) => (typeof x === "object" && this.#holds(x) ? [{ x, i }] : []));
    const [firstHolder] = holders;
    if (!firstHolder) return code.flatMap((x) => this.#passed(x));

    const before = code.slice(0, firstHolder.i).flatMap((x) => this.#passed(x));
    const skips = holders.map(({ x }) => ({ label: `$enter${this.#labels++}`, from: this.#range(x).first }));
    const [first, ...others] = skips;
    if (!first) throw new Error("bug: an entry has no way to it");
    let out: List = others.reverse().map(({ label, from }): List => ["br_if", label, isFrom(from)]);
    if (before.length > 0) out = [["block", first.label, ...out, ["br_if", first.label, at], ...before]];
    holders.forEach(({ x, i }, k) => {
      // An entry that comes later has its skip around all that is before it.
      if (k > 0) out = [["block", skips[k]?.label ?? "", ...out]];
      const reached = this.#reached.has(x);
      out.push(...this.#statement(x, reached));
      const next = holders[k + 1]?.i ?? code.length;
      out.push(...code.slice(i + 1, next).flatMap((y) => this.#passed(y)));
    });
    return out;
  }

  #range(x: List): Range {
    const range = this.#ranges.get(x);
    if (!range) throw new Error("bug: a statement has not been numbered");
    return range;
  }

  #holds(x: List): boolean {
    const { first, end } = this.#range(x);
    return first < end;
  }

  /** A statement (or a label or result type) that holds no entry. */
  #passed(x: Node): Node[] {
    if (typeof x === "string" || head(x) === "result") return [x];
    return this.#reached.has(x) ? [this.#pass(x)] : [];
  }

  #pass(x: Node): Node {
    if (typeof x === "string") return x;
    const y = this.#entries.pass(x);
    return y !== x || typeof y === "string" ? y : x.map((z) => this.#pass(z));
  }

  #statement(x: List, reached: boolean): Node[] {
    if (this.#entries.isEntry(x)) {
      const arrive = [...this.#entries.arrive(x), RUNNING];
      return reached ? [["if", at, ["then", ...arrive], ["else", this.#entries.pass(x)]]] : arrive;
    }
    switch (x[0]) {
      case "block":
      case "loop": {
        const label = typeof x[1] === "string" ? [x[1]] : [];
        return [[word(x[0]), ...label, ...this.list(x.slice(1 + label.length))]];
      }
      case "if":
        return [this.#if(x, reached)];
    }
    throw new Error(`bug: an entry inside ${head(x)}`);
  }

  #if(x: List, reached: boolean): List {
    const [, condition = "", thenArm, elseArm] = x;
    const then = list(thenArm);
    const otherwise = elseArm === undefined ? undefined : list(elseArm);
    const inElse = otherwise !== undefined && this.#holds(otherwise);
    const entering: List = !inElse
      ? ["i32.const", "1"]
      : this.#holds(then)
        ? ["i32.lt_s", at, ["i32.const", String(this.#range(otherwise).first)]]
        : ["i32.const", "0"];
    const test: List = reached
      ? ["if", ["result", "i32"], isRunning, ["then", this.#pass(condition)], ["else", entering]]
      : entering;
    const arm = (y: List): List => [head(y), ...this.list(y.slice(1))];
    return ["if", test, arm(then), ...(otherwise ? [arm(otherwise)] : [])];
  }

  // ------------------------------------------------------------------------------------------------------ reachability

  /** Follows code that is come to (or not); tells whether its end is. */
  #reach(code: readonly Node[], from: boolean): boolean {
    let on = from;
    for (const x of code) if (typeof x === "object") on = this.#reachStatement(x, on);
    return on;
  }

  #reachStatement(x: List, on: boolean): boolean {
    if (on) this.#reached.add(x);
    if (this.#entries.isEntry(x)) return true;
    if (!on && !this.#holds(x)) return false;
    switch (x[0]) {
      case "result":
        return on;
      case "block": {
        const end = this.#reach(x.slice(1), on);
        return end || this.#reachedLabels.has(word(typeof x[1] === "string" ? x[1] : ""));
      }
      case "loop": {
        const again = typeof x[1] === "string" && this.#reachedLabels.has(x[1]);
        return this.#reach(x.slice(1), on || again);
      }
      case "if": {
        const at = head(x[1]) === "result" ? 2 : 1;
        const condition = this.#reachStatement(list(x[at]), on);
        const arms = x.slice(at + 1).map((arm) => {
          if (condition) this.#reached.add(list(arm));
          return this.#reach(list(arm).slice(1), condition);
        });
        return arms.some(Boolean) || (arms.length < 2 && condition);
      }
    }
    const operands = this.#reach(x.slice(1), on);
    if (!operands) return false;
    switch (x[0]) {
      case "br":
        this.#reachedLabels.add(word(x[1]));
        return false;
      case "br_if":
        this.#reachedLabels.add(word(x[1]));
        return true;
      case "br_table":
        for (const y of x.slice(1)) if (typeof y === "string") this.#reachedLabels.add(y);
        return false;
      case "return":
      case "unreachable":
        return false;
    }
    return true;
  }
}
