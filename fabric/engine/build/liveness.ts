/**
 * Which locals are live after each call that may suspend: those, and no others, are saved there. A standard backwards
 * analysis over structured code.
 */
import type { Local } from "./lower.ts";
import { head, type List, list, type Node, word } from "./parse.ts";

export interface Liveness {
  /** For each site, the locals that are read after it, without the one that takes its result; in the order of `locals`. */
  readonly atSite: ReadonlyMap<List, readonly Local[]>;
  /** The locals that are live at the head of a loop. */
  atLoop(label: string): readonly Local[];
}

/** `body`: a function's code. Sites that cannot be reached have nothing live. */
export function liveness(body: readonly Node[], locals: readonly Local[]): Liveness {
  const bits = new Map(locals.map(({ name }, i) => [name, 1n << BigInt(i)]));
  const bit = (name: Node | undefined) => {
    const found = bits.get(word(name));
    if (found === undefined) throw new Error(`bug: no local ${name}`);
    return found;
  };
  /** What is live where a label's branches go. */
  const atLabel = new Map<string, bigint>();
  const atSite = new Map<List, bigint>();

  const target = (label: Node | undefined) => atLabel.get(word(label)) ?? 0n;
  const backwards = (of: readonly Node[], from: number, out: bigint) => {
    let live = out;
    for (let i = of.length - 1; i >= from; i--) {
      const x = of[i];
      if (typeof x === "object") live = before(x, live);
    }
    return live;
  };

  function before(x: List, out: bigint): bigint {
    switch (x[0]) {
      case "result":
      case "type":
        return out;
      case "site": {
        const statement = list(x[1]);
        const result = statement[0] === "local.set" ? bit(statement[1]) : 0n;
        atSite.set(x, out & ~result);
        return before(statement, out);
      }
      case "local.get":
        return out | bit(x[1]);
      case "local.set":
      case "local.tee":
        return before(list(x[2]), out & ~bit(x[1]));
      case "block":
        if (typeof x[1] === "string") atLabel.set(x[1], out);
        return backwards(x, 1, out);
      case "loop":
        return beforeLoop(x, out);
      case "if": {
        const at = head(x[1]) === "result" ? 2 : 1;
        const otherwise = x[at + 2];
        const arms =
          backwards(list(x[at + 1]), 1, out) | (otherwise ? backwards(list(otherwise), 1, out) : out);
        return before(list(x[at]), arms);
      }
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

  backwards(body, 0, 0n);
  const named = (live: bigint) => locals.filter(({ name }) => (live & bit(name)) !== 0n);
  return {
    atSite: new Map([...atSite].map(([site, live]) => [site, named(live)])),
    atLoop: (label) => named(target(label)),
  };
}
