/**
 * Derives which functions can be on the native stack while a suspending import is called: those that reach it by
 * direct calls, or by indirect calls of a signature for which the table holds such a function. That is sound,
 * because `call_indirect` traps on any other signature, and it leaves out frees and finalizers, which "any indirect
 * call may suspend" would not. SNAPSHOT.md has the argument.
 */
import { forms, head, type List, list, walk, word } from "./parse.ts";

/** Names of the module's own functions (not imports) that need frames, given the suspending imports' names. */
export function maySuspend(module: List, imports: readonly string[]): Set<string> {
  const calls = callsOf(module);
  const found = new Set(imports);
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    const types = calls.typesOf(found);
    for (const [name, { direct, indirect }] of calls.byFunction)
      if (some(direct, (f) => found.has(f)) || some(indirect, (t) => types.has(t))) found.add(name);
  }
  for (const name of imports) found.delete(name);
  return found;
}

/** Throws where a function that has no frames could be on the stack while one that has is unwound. */
export function assertClosed(module: List, functions: ReadonlySet<string>, imports: readonly string[]): void {
  const calls = callsOf(module);
  const suspends = new Set([...functions, ...imports]);
  const types = calls.typesOf(suspends);
  for (const [name, { direct, indirect }] of calls.byFunction) {
    if (functions.has(name)) continue;
    const callee = [...direct].find((f) => suspends.has(f)) ?? [...indirect].find((t) => types.has(t));
    if (callee !== undefined)
      throw new Error(
        `The engine would lose what it was doing: function ${name} saves no frame, but calls ${callee}, which may be suspended.`,
      );
  }
}

/** What is known of calls that may suspend, and of all calls. */
export interface SuspendingCalls {
  readonly suspends: (call: List) => boolean;
  /** The type of the value that a call gives. */
  readonly resultOf: (call: List) => string | undefined;
}

export function suspendingCalls(
  module: List,
  functions: ReadonlySet<string>,
  imports: readonly string[],
): SuspendingCalls {
  const { typesOf, types, signatures } = callsOf(module);
  const suspending = new Set([...functions, ...imports]);
  const reached = typesOf(suspending);
  const signatureOf = (call: List) =>
    call[0] === "call" ? (signatures.get(word(call[1])) ?? "") : calledType(call, types);
  return {
    suspends: (call) =>
      call[0] === "call" ? suspending.has(word(call[1])) : reached.has(calledType(call, types)),
    resultOf: (call) => signatureOf(call).split("->")[1] || undefined,
  };
}

/** Who can call whom, by name. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** All calls between `functions`, direct or by way of the table. */
export function callGraph(
  module: List,
  functions: ReadonlySet<string>,
  which: "all" | "direct" = "all",
): Graph {
  const calls = callsOf(module);
  const graph = new Map<string, Set<string>>();
  for (const [name, { direct, indirect }] of calls.byFunction) {
    if (!functions.has(name)) continue;
    const byTable = which === "all" ? [...indirect].flatMap((type) => calls.inTable(type)) : [];
    const callees = [...direct, ...byTable];
    graph.set(name, new Set(callees.filter((f) => functions.has(f))));
  }
  return graph;
}

interface Calls {
  readonly types: Map<string, string>;
  readonly signatures: ReadonlyMap<string, string>;
  readonly byFunction: ReadonlyMap<
    string,
    { readonly direct: ReadonlySet<string>; readonly indirect: ReadonlySet<string> }
  >;
  /** The signatures by which an indirect call can reach one of these functions. */
  typesOf(functions: ReadonlySet<string>): ReadonlySet<string>;
  /** The functions that an indirect call of a signature can reach. */
  inTable(signature: string): readonly string[];
}

function callsOf(module: List): Calls {
  const types = new Map(forms(module, "type").map((x) => [word(x[1]), signature(list(x[2]))]));
  const signatures = new Map<string, string>();
  for (const x of forms(module, "import"))
    if (head(x[3]) === "func") signatures.set(word(list(x[3])[1]), signature(list(x[3])));
  for (const f of forms(module, "func")) signatures.set(word(f[1]), signature(f));

  const inTable = new Set<string>();
  for (const x of forms(module, "elem"))
    for (const y of x) if (typeof y === "string" && signatures.has(y)) inTable.add(y);

  const byFunction = new Map<string, { direct: Set<string>; indirect: Set<string> }>();
  for (const f of forms(module, "func")) {
    const direct = new Set<string>();
    const indirect = new Set<string>();
    walk(f, (x) => {
      if (x[0] === "call") direct.add(word(x[1]));
      else if (x[0] === "call_indirect") indirect.add(calledType(x, types));
      else if (/^(return_call|call_ref|try|throw)/.test(head(x)))
        throw new Error(`bug: ${head(x)} is not provided for`);
    });
    byFunction.set(word(f[1]), { direct, indirect });
  }
  const typesOf = (functions: ReadonlySet<string>) =>
    new Set([...inTable].filter((f) => functions.has(f)).map((f) => signatures.get(f) ?? ""));
  const bySignature = new Map<string, string[]>();
  for (const f of inTable) {
    const of = signatures.get(f) ?? "";
    bySignature.set(of, [...(bySignature.get(of) ?? []), f]);
  }
  return { byFunction, typesOf, types, signatures, inTable: (signature) => bySignature.get(signature) ?? [] };
}

function calledType(call: List, types: Map<string, string>): string {
  const type = types.get(word(forms(call, "type")[0]?.[1]));
  if (type === undefined) throw new Error("bug: an indirect call of no declared type");
  return type;
}

/** Parameters and results, names left out: two functions with the same text can be called in each other's place. */
function signature(of: List): string {
  const types = (kind: string) =>
    forms(of, kind).flatMap((x) => x.slice(1).filter((t) => !word(t).startsWith("$")));
  return `${types("param")}->${types("result")}`;
}

function some<T>(items: Iterable<T>, test: (item: T) => boolean): boolean {
  for (const item of items) if (test(item)) return true;
  return false;
}
