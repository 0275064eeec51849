/**
 * The names a job program can say, read from the type declarations themselves, for completion and for what is shown
 * under the pointer. Knows as much of TypeScript as `roost.d.ts` uses: one declaration a statement, comments before it.
 */

export interface Name {
  readonly name: string;
  readonly kind: "function" | "constant" | "class" | "type";
  /** Every overload, one a line. */
  readonly signature: string;
  /** What the comment before it says, without its stars. */
  readonly doc: string;
  /** Whether it is imported from "roost"; else it is simply there. */
  readonly imported: boolean;
  /** Of an object: what it has. */
  readonly members: readonly Name[];
}

const DECLARATION = /^(?:export|declare) (?:abstract )?(function|const|class|interface|type) (\w+)/;
const MEMBER = /^(?:readonly )?(\w+)\??[(<:]/;
const KIND = {
  function: "function",
  const: "constant",
  class: "class",
  interface: "type",
  type: "type",
} as const;

export function namesIn(declarations: string): readonly Name[] {
  const names = new Map<string, Name>();
  let imported = false;
  for (const { doc, text } of statementsOf(declarations)) {
    if (text.startsWith('declare module "roost"')) {
      imported = true;
      const body = text.slice(text.indexOf("{") + 1, text.lastIndexOf("}"));
      for (const inner of statementsOf(body)) take(inner, true);
      imported = false;
      continue;
    }
    take({ doc, text }, imported);
  }
  return [...names.values()];

  function take({ doc, text }: Statement, fromRoost: boolean): void {
    const [, word, name] = DECLARATION.exec(text) ?? [];
    if (!word || !name) return;
    const kind = KIND[word as keyof typeof KIND];
    const object = /^[^{(]*:\s*\{/.test(text) && kind === "constant";
    const signature = object
      ? `${name}`
      : text.replace(/^(?:export|declare) /, "").replace(/\s*\{[\s\S]*$/, kind === "function" ? "$&" : "");
    add(names, {
      name,
      kind,
      signature: oneLine(signature),
      doc,
      imported: fromRoost,
      members: object ? membersOf(text.slice(text.indexOf("{") + 1, text.lastIndexOf("}"))) : [],
    });
  }
}

function membersOf(body: string): readonly Name[] {
  const names = new Map<string, Name>();
  for (const { doc, text } of statementsOf(body)) {
    const [, name] = MEMBER.exec(text) ?? [];
    if (!name) continue;
    const kind = /^(?:readonly )?\w+\??[(<]/.test(text) ? "function" : "constant";
    add(names, { name, kind, signature: oneLine(text), doc, imported: false, members: [] });
  }
  return [...names.values()];
}

/** Overloads are one name. The first comment is kept where the others have none. */
function add(names: Map<string, Name>, next: Name): void {
  const before = names.get(next.name);
  names.set(
    next.name,
    before
      ? { ...before, signature: `${before.signature}\n${next.signature}`, doc: before.doc || next.doc }
      : next,
  );
}

interface Statement {
  readonly doc: string;
  readonly text: string;
}

/** Top-level statements of a body, each with the documentation comment right before it. */
function statementsOf(body: string): Statement[] {
  const statements: Statement[] = [];
  let doc = "";
  let at = 0;
  while (at < body.length) {
    const rest = body.slice(at);
    const [space = ""] = /^\s*/.exec(rest) ?? [];
    if (space) {
      at += space.length;
      continue;
    }
    const [comment] = /^\/\*[\s\S]*?\*\/|^\/\/[^\n]*/.exec(rest) ?? [];
    if (comment !== undefined) {
      doc = comment.startsWith("/**") ? textOf(comment) : "";
      at += comment.length;
      continue;
    }
    const length = statementLength(rest);
    statements.push({ doc, text: rest.slice(0, length).trim() });
    doc = "";
    at += length;
  }
  return statements;
}

/** Up to the `;` or the closing brace of a body, outside of brackets and comments. */
function statementLength(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text[at] ?? "";
    if (c === "/" && (text[at + 1] === "*" || text[at + 1] === "/")) {
      at = text[at + 1] === "*" ? text.indexOf("*/", at) + 1 : text.indexOf("\n", at);
      continue;
    }
    if ("({[".includes(c)) depth++;
    else if (")}]".includes(c)) depth--;
    if (depth > 0) continue;
    if (c === ";") return at + 1;
    if (c === "}" && /^(?:(?:export|declare) )*(?:abstract )?(?:class|interface|module)\b/.test(text))
      return at + 1;
  }
  return text.length;
}

const oneLine = (text: string) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/;$/, "")
    .trim();

const textOf = (comment: string) =>
  comment
    .slice(3, -2)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
    .join("\n")
    .trim();
