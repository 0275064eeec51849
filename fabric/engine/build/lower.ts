/**
 * Brings every call that may suspend into the position of a statement, `(site (local.set $x (call …)))`, with nothing
 * of an unfinished expression on WebAssembly's operand stack: values there could not be saved. Only what surrounds such
 * calls is taken apart; all other code stays as the compiler left it (flattening whole functions, as Asyncify does, costs
 * about 2 % of the speed). What an expression had evaluated before the call goes into fresh locals.
 */
import { forms, head, type List, list, type Node, walk, word } from "./parse.ts";

export interface Local {
  readonly name: string;
  readonly type: string;
}

/** A call that may suspend: `["site", statement]`. The statement is the call, or a local.set or drop of it. */
export const isSite = (x: Node | undefined): boolean => head(x) === "site";

/** What is needed to know of the module around a function. */
export interface Context {
  readonly suspends: (call: List) => boolean;
  /** The type of what a direct or indirect call gives. */
  readonly resultOf: (call: List) => string | undefined;
  readonly globalType: (name: string) => string;
}

export const isDeclaration = (x: Node | undefined): boolean =>
  typeof x === "string" || ["param", "result", "local", "type", "export"].includes(head(x));

/** A function's code, and what is before it. */
export function codeOf(fn: List): { declarations: List; body: List } {
  const begin = fn.findIndex((x, i) => i >= 2 && !isDeclaration(x));
  const at = begin < 0 ? fn.length : begin;
  return { declarations: fn.slice(0, at), body: fn.slice(at) };
}

/** Parameters and locals. */
export const localsOf = (fn: List): Local[] =>
  [...forms(fn, "param"), ...forms(fn, "local")].map((x) => ({ name: word(x[1]), type: word(x[2]) }));

/** The function with its calls brought into position. Where it has a result, its code returns it and does not reach its end. */
export function lowerCalls(fn: List, context: Context): List {
  const types = new Map(localsOf(fn).map(({ name, type }) => [name, type]));
  const known = types.size;
  const { declarations, body } = codeOf(fn);
  const code = new Lowering(types, context).body(body, forms(fn, "result").length > 0);
  const fresh = [...types].slice(known).map(([name, type]): List => ["local", name, type]);
  return [...declarations, ...fresh, ...code];
}

/** All sites in code, in the order of the text. */
export function sitesIn(code: readonly Node[]): List[] {
  const sites: List[] = [];
  for (const x of code)
    walk(x, (y) => {
      if (isSite(y)) sites.push(y);
    });
  return sites;
}

/** Sites after which a function does nothing but return what was called gave (or nothing, when it has no result). */
export function tailSites(body: readonly Node[], isVoid: boolean): Set<List> {
  const tails = new Set<List>();
  const look = (code: readonly Node[], endsFunction: boolean) => {
    code.forEach((x, i) => {
      if (typeof x === "string") return;
      const next = code[i + 1];
      const isLast = next === undefined ? endsFunction && isVoid : isVoid && head(next) === "return";
      if (isSite(x)) {
        const statement = list(x[1]);
        const value = head(next) === "return" ? list(next)[1] : undefined;
        const returned = head(value) === "local.get" && list(value)[1] === statement[1];
        if (isLast || (statement[0] === "local.set" && returned)) tails.add(x);
      } else if (x[0] === "block") look(x.slice(1), isLast);
      else if (x[0] === "if") for (const arm of x.slice(2)) look(list(arm).slice(1), isLast);
      else if (x[0] === "loop") look(x.slice(1), false);
    });
  };
  look(body, true);
  return tails;
}

class Lowering {
  readonly #types: Map<string, string>;
  readonly #context: Context;
  readonly #holds = new Map<List, boolean>();

  constructor(types: Map<string, string>, context: Context) {
    this.#types = types;
    this.#context = context;
  }

  body(code: readonly Node[], hasResult: boolean): List {
    const out: List = [];
    const last = hasResult ? code.at(-1) : undefined;
    for (const x of hasResult ? code.slice(0, -1) : code) this.#statement(x, out);
    if (last) this.#leave(list(last), out);
    return out;
  }

  /** Whether a call that may suspend is in it. */
  #hasSite(x: Node): boolean {
    if (typeof x === "string") return false;
    const known = this.#holds.get(x);
    if (known !== undefined) return known;
    const holds = this.#isCall(x) || x.some((y) => this.#hasSite(y));
    this.#holds.set(x, holds);
    return holds;
  }

  readonly #isCall = (x: List): boolean =>
    (x[0] === "call" || x[0] === "call_indirect") && this.#context.suspends(x);

  #fresh(type: string): string {
    const name = `$kept${this.#types.size}`;
    this.#types.set(name, type);
    return name;
  }

  /** Code for what `x` does; it leaves no value. */
  #statement(x: Node, out: List): void {
    if (typeof x === "string" || !this.#hasSite(x)) {
      out.push(x);
      return;
    }
    switch (x[0]) {
      case "block":
      case "loop":
        out.push(this.#nested(x));
        return;
      case "if": {
        const condition = this.#value(list(x[1]), out);
        out.push(["if", condition, ...x.slice(2).map((arm) => this.#nested(list(arm)))]);
        return;
      }
      case "drop":
      case "local.set": {
        const value = list(x.at(-1));
        if (this.#isCall(value)) out.push(["site", [...x.slice(0, -1), this.#operands(value, out)]]);
        else out.push([...x.slice(0, -1), this.#value(value, out)]);
        return;
      }
      case "return":
        this.#leave(list(x[1]), out);
        return;
      default: {
        const rest = this.#operands(x, out);
        out.push(this.#isCall(x) ? ["site", rest] : rest);
      }
    }
  }

  /** A block, loop or arm without a value. */
  #nested(x: List): List {
    const out: List = [];
    for (const y of x.slice(1)) this.#statement(y, out);
    return [word(x[0]), ...out];
  }

  /** Code that returns the value of `x`. */
  #leave(x: List, out: List): void {
    if (!this.#hasSite(x)) {
      out.push(this.#typeOf(x) === undefined ? x : ["return", x]);
    } else if (x[0] === "if" && head(x[1]) === "result") {
      const condition = this.#value(list(x[2]), out);
      const arms = x.slice(3).map((arm): List => {
        const inner: List = [];
        for (const y of list(arm).slice(1, -1)) this.#statement(y, inner);
        this.#leave(list(list(arm).at(-1)), inner);
        return [head(arm), ...inner];
      });
      out.push(["if", condition, ...arms], ["unreachable"]);
    } else if (this.#typeOf(x) === undefined) {
      this.#statement(x, out);
      if (x[0] !== "return") out.push(["unreachable"]);
    } else out.push(["return", this.#value(x, out)]);
  }

  /** Puts all of `x` that must come before its value into `out`, and gives an expression in which nothing may suspend. */
  #value(x: List, out: List): List {
    if (!this.#hasSite(x)) return x;
    if (this.#isCall(x)) {
      const call = this.#operands(x, out);
      const to = this.#fresh(this.#mustType(x));
      out.push(["site", ["local.set", to, call]]);
      return ["local.get", to];
    }
    const type = this.#typeOf(x);
    if (type === undefined) {
      this.#statement(x, out);
      return ["unreachable"];
    }
    if (x[0] !== "block" && x[0] !== "loop" && x[0] !== "if") return this.#operands(x, out);

    const to = this.#fresh(type);
    if (x[0] === "if") {
      const condition = this.#value(list(x[2]), out);
      out.push(["if", condition, ...x.slice(3).map((arm) => this.#into(list(arm), to, 1))]);
    } else {
      const label = typeof x[1] === "string" ? x[1] : undefined;
      const inner = label && x[0] === "block" ? list(withoutValues(x, label, to, type)) : x;
      const at = inner.findIndex((y) => head(y) === "result");
      const code = this.#into([word(x[0]), ...inner.slice(at + 1)], to, 1);
      if (label) code.splice(1, 0, label);
      out.push(code);
    }
    return ["local.get", to];
  }

  /** A list of code whose last value goes into the local `to`. */
  #into(code: List, to: string, from: number): List {
    const out: List = [];
    for (const y of code.slice(from, -1)) this.#statement(y, out);
    const last = list(code.at(-1));
    if (!this.#hasSite(last)) out.push(this.#typeOf(last) === undefined ? last : ["local.set", to, last]);
    else if (this.#isCall(last)) out.push(["site", ["local.set", to, this.#operands(last, out)]]);
    else {
      const value = this.#value(last, out);
      out.push(head(value) === "unreachable" ? value : ["local.set", to, value]);
    }
    return [...code.slice(0, from), ...out];
  }

  /** An instruction whose operands are free of calls that may suspend; they have been made in their order. */
  #operands(x: List, out: List): List {
    const last = x.findLastIndex((y) => typeof y === "object" && this.#hasSite(y));
    return x.map((y, i) => {
      if (typeof y === "string" || isDeclaration(y) || i > last) return y;
      const value = this.#value(y, out);
      if (i === last || this.#staysTheSame(value, x.slice(i + 1, last + 1))) return value;
      const type = this.#typeOf(value);
      if (type === undefined) {
        out.push(value);
        return ["unreachable"];
      }
      const kept = this.#fresh(type);
      out.push(["local.set", kept, value]);
      return ["local.get", kept];
    });
  }

  /** Whether an operand can just as well be evaluated after `later`. */
  #staysTheSame(x: List, later: readonly Node[]): boolean {
    if (head(x).endsWith(".const")) return true;
    if (x[0] !== "local.get") return false;
    let set = false;
    for (const y of later)
      walk(y, (z) => {
        set ||= (z[0] === "local.set" || z[0] === "local.tee") && z[1] === x[1];
      });
    return !set;
  }

  #mustType(x: List): string {
    const type = this.#typeOf(x);
    if (type === undefined) throw new Error(`bug: ${head(x)} has no value`);
    return type;
  }

  /** The type of an expression's value; undefined: none, or it is never reached. */
  #typeOf(x: List): string | undefined {
    const op = head(x);
    switch (op) {
      case "local.get":
      case "local.tee":
        return this.#types.get(word(x[1]));
      case "global.get":
        return this.#context.globalType(word(x[1]));
      case "call":
      case "call_indirect":
        return this.#context.resultOf(x);
      case "block":
      case "loop":
      case "if": {
        const type = forms(x, "result")[0]?.[1];
        return type === undefined ? undefined : word(type);
      }
      case "select":
        return this.#typeOf(list(x[1])) ?? this.#typeOf(list(x[2]));
      case "memory.size":
      case "memory.grow":
        return "i32";
      case "br_if":
        return typeof x[2] === "object" && x.length > 3 ? this.#typeOf(x[2]) : undefined;
    }
    const [, type, name = ""] = /^([if](?:32|64))\.(\w+)$/.exec(op) ?? [];
    if (type === undefined || name.startsWith("store")) return undefined;
    return /^(eqz?|ne|[lg][te](_[su])?)$/.test(name) ? "i32" : type;
  }
}

/** The same code with branches to `label` that put their value into the local `to` instead of carrying it. */
function withoutValues(x: Node, label: string, to: string, type: string): Node {
  if (typeof x === "string") return x;
  const y = x.map((z) => withoutValues(z, label, to, type));
  if (!y.includes(label)) return y;
  switch (y[0]) {
    case "br":
      return ["block", ["local.set", to, list(y[2])], ["br", label]];
    case "br_if":
      return [
        "block",
        ["result", type],
        ["local.set", to, list(y[2])],
        ["br_if", label, list(y[3])],
        ["local.get", to],
      ];
    case "br_table": {
      throw new Error("bug: a br_table with a value is not provided for");
    }
  }
  return y;
}
