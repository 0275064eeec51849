/**
 * Reads and prints WebAssembly's text form as nested lists: all that is needed to rewrite functions.
 * A node is a word (an instruction's name, a number, a `$name`, a quoted string) or a list of nodes.
 * Lists are rewritten in place by the stages of the build.
 */

export type Node = string | List;
export type List = Node[];

/** Parses one top-level form. Trusts its input: the text comes from binaryen. */
export function parse(text: string): List {
  const token = /\s+|;;[^\n]*|\(;[\s\S]*?;\)|\(|\)|"(?:[^"\\]|\\.)*"|[^\s()"]+/y;
  let open: List = [];
  const enclosing: List[] = [];
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (!found) throw new Error(`bug: unreadable text at ${text.slice(at, at + 40)}`);
    const word = found[0];
    if (/^\s/.test(word) || word.startsWith(";;") || word.startsWith("(;")) continue;
    if (word === "(") {
      enclosing.push(open);
      open = [];
    } else if (word === ")") {
      const outer = enclosing.pop();
      if (!outer) throw new Error("bug: unbalanced text");
      outer.push(open);
      open = outer;
    } else open.push(word);
  }
  return list(open[0]);
}

export function print(node: Node): string {
  return typeof node === "string" ? node : `(${node.map(print).join(" ")})`;
}

export const clone = (node: Node): Node => (typeof node === "string" ? node : node.map(clone));

/** The first word of a list ("" for anything else): what kind of form or instruction it is. */
export function head(node: Node | undefined): string {
  const first = typeof node === "string" ? undefined : node?.[0];
  return typeof first === "string" ? first : "";
}

/** A node that must be a list. */
export function list(node: Node | undefined): List {
  if (node === undefined || typeof node === "string") throw new Error(`bug: a list expected, not ${node}`);
  return node;
}

/** A node that must be a word. */
export function word(node: Node | undefined): string {
  if (typeof node !== "string")
    throw new Error(`bug: a word expected, not ${node && print(node).slice(0, 80)}`);
  return node;
}

/** Visits a list and all lists in it, outermost first. */
export function walk(node: Node, visit: (x: List) => void): void {
  if (typeof node === "string") return;
  visit(node);
  for (const x of node) walk(x, visit);
}

/** The forms of one kind (`func`, `global`, …) of a module or function, in order. */
export const forms = (of: List, kind: string): List[] => of.filter((x) => head(x) === kind) as List[];

/** What is between the quotes. */
export const unquote = (node: Node | undefined): string => word(node).slice(1, -1);
