/** Completion and help under the pointer for the names of the "roost" module and the globals of a job. */
import type { Completion, CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { EditorView, hoverTooltip } from "@codemirror/view";
import declarations from "../../fabric/guest/roost.d.ts?raw";
import { type Name, namesIn } from "./names.ts";

const NAMES = namesIn(declarations).filter((name) => name.kind !== "type");
const BY_NAME = new Map(NAMES.map((name) => [name.name, name]));

const IMPORT = /import\s*\{([^}]*)\}\s*from\s*["']roost["'];?/;

export function completeNames(context: CompletionContext): CompletionResult | null {
  const member = context.matchBefore(/\b(\w+)\.(\w*)$/);
  if (member) {
    const [object = ""] = member.text.split(".");
    const members = BY_NAME.get(object)?.members ?? [];
    if (members.length === 0) return null;
    const from = member.from + object.length + 1;
    return { from, options: members.map((name) => optionOf(name)), validFor: /^\w*$/ };
  }
  const word = context.matchBefore(/\w+$/);
  if (!word && !context.explicit) return null;
  return {
    from: word?.from ?? context.pos,
    options: NAMES.map((name) => optionOf(name)),
    validFor: /^\w*$/,
  };
}

function optionOf(name: Name): Completion {
  return {
    label: name.name,
    type: name.kind,
    detail: name.imported ? "roost" : "",
    info: () => helpOf(name),
    ...(name.imported ? { apply: insertImported } : {}),
  };
}

/** Inserts the name, and imports it if the program does not yet. */
function insertImported(view: EditorView, { label }: Completion, from: number, to: number): void {
  const text = view.state.doc.toString();
  const found = IMPORT.exec(text);
  const known = found?.[1]?.split(",").map((name) => name.trim().split(/\s+as\s+/)[0]) ?? [];
  const changes = [{ from, to, insert: label }];
  if (!found) changes.push({ from: 0, to: 0, insert: `import { ${label} } from "roost";\n\n` });
  else if (!known.includes(label) && !(from > found.index && to < found.index + found[0].length)) {
    const end = found.index + found[0].lastIndexOf("}");
    const inner = found[1] ?? "";
    const at = end - (inner.length - inner.trimEnd().length);
    changes.push({ from: at, to: at, insert: `${inner.trim() === "" ? " " : ", "}${label}` });
  }
  const before = changes
    .slice(1)
    .reduce((sum, change) => sum + (change.from <= from ? change.insert.length : 0), 0);
  view.dispatch({
    changes,
    selection: { anchor: from + before + label.length },
    userEvent: "input.complete",
  });
}

export const helpUnderPointer = hoverTooltip((view, position) => {
  const { from, text } = view.state.doc.lineAt(position);
  for (const match of text.matchAll(/(?:\b(\w+)\.)?\b(\w+)\b/g)) {
    const start = from + match.index;
    const end = start + match[0].length;
    if (position < start || position > end) continue;
    const [, object, word = ""] = match;
    const name = object
      ? BY_NAME.get(object)?.members.find((member) => member.name === word)
      : BY_NAME.get(word);
    if (name) return { pos: start, end, create: () => ({ dom: helpOf(name) }) };
  }
  return null;
});

function helpOf({ signature, doc }: Name): HTMLElement {
  const help = document.createElement("div");
  help.className = "help";
  const code = document.createElement("code");
  code.textContent = signature;
  const text = document.createElement("p");
  text.textContent = doc;
  help.append(code, text);
  return help;
}

export const helpLook = EditorView.theme({
  ".help": { padding: "8px 10px", maxWidth: "30rem", whiteSpace: "pre-wrap" },
  ".help code": { fontFamily: "var(--mono)", fontSize: "0.82rem" },
  ".help p": { margin: "6px 0 0", fontSize: "0.88rem", color: "var(--muted)" },
});
