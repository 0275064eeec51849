/**
 * Functions nested so deeply that the stack is used up, or no memory is left for more of it, are an error that can be caught.
 * QuickJS compiles a function's inner functions by calling itself, and goes by it when that fails, but never looks at its
 * stack there. Here it is made to: a function of ours comes between, which does what those do that look. What has been parsed is
 * then freed, which must need no stack.
 */
import { forms, head, type List, list, type Node, print, walk, word } from "./parse.ts";
import { checksStack, limitOffset, STACK_POINTER } from "./stack.ts";

const CONTEXT: List = ["local.get", "$0"];
const FUNCTION: List = ["local.get", "$1"];

/** In what is parsed of a function: the list of its inner functions, and its place in the list of the outer one's. */
const INNER = 16;
const PLACE = 24;
/** In a list, and in a place in it. */
const LAST = 0;
const NEXT = 4;

/** Changes `module`; `setMaxStackSize`: the export that sets the stack's limit. */
export function checkNestedFunctions(module: List, setMaxStackSize: string): void {
  const offset = limitOffset(module, setMaxStackSize);
  const functions = forms(module, "func");
  const refusals = new Map(
    functions.flatMap((fn) => refusalsIn(fn, offset)).map((x) => [print(x.throws), x]),
  );
  const recursions = functions.filter((fn) => !checksStack(fn, offset)).flatMap(recursionsIn);
  const [refusal, recursion] = [[...refusals.values()][0], recursions[0]];
  if (!refusal || !recursion || refusals.size > 1 || recursions.length > 1)
    throw new Error(
      `QuickJS compiles inner functions in ${recursions.length} places and says in ${refusals.size} ways that its stack is used up, where one each was expected; teach fabric/engine/build/nesting.ts.`,
    );
  module.push([
    "func",
    "$compile_checked",
    ["param", "$0", "i32"],
    ["param", "$1", "i32"],
    ["result", "i64"],
    [
      "if",
      ["i32.lt_u", ["global.get", STACK_POINTER], refusal.limit],
      ["then", refusal.throws, ["return", recursion.failed]],
    ],
    ["call", word(recursion.call[1]), CONTEXT, FUNCTION],
  ]);
  recursion.call[1] = "$compile_checked";
  freeWithoutStack(functions);
}

/** Where parsed functions are freed, the inner ones first, by recursion: all that are inside of them become inner ones of the outermost. */
function freeWithoutStack(functions: readonly List[]): void {
  const inner: List = ["i32.add", FUNCTION, ["i32.const", String(INNER)]];
  const freeing = functions.filter((fn) => {
    const text = print(fn);
    return (
      [`(call ${word(fn[1])} ${print(CONTEXT)}`, print(inner), `(i32.const ${PLACE}))`].every((x) =>
        text.includes(x),
      ) && !text.includes("(result")
    );
  });
  const [fn] = freeing;
  if (!fn || freeing.length > 1)
    throw new Error(
      `QuickJS frees what it has parsed in ${freeing.length} places where one was expected; teach fabric/engine/build/nesting.ts.`,
    );
  const get = (local: string): List => ["local.get", local];
  const set = (local: string, value: List): List => ["local.set", local, value];
  const load = (of: string, offset: number): List => ["i32.load", `offset=${offset}`, get(of)];
  const store = (of: string, offset: number, value: string): List => [
    "i32.store",
    `offset=${offset}`,
    get(of),
    get(value),
  ];
  // For each in the list, which grows meanwhile: what is inside of it goes to the end of the list.
  const flatten: List[] = [
    set("$list", inner),
    set("$at", load("$list", NEXT)),
    [
      "block",
      "$flat",
      [
        "loop",
        "$each",
        ["br_if", "$flat", ["i32.eq", get("$at"), get("$list")]],
        set("$inside", ["i32.add", get("$at"), ["i32.const", String(INNER - PLACE)]]),
        set("$first", load("$inside", NEXT)),
        [
          "if",
          ["i32.ne", get("$first"), get("$inside")],
          [
            "then",
            set("$end", load("$list", LAST)),
            store("$end", NEXT, "$first"),
            store("$first", LAST, "$end"),
            set("$end", load("$inside", LAST)),
            store("$end", NEXT, "$list"),
            store("$list", LAST, "$end"),
            store("$inside", LAST, "$inside"),
            store("$inside", NEXT, "$inside"),
          ],
        ],
        set("$at", load("$at", NEXT)),
        ["br", "$each"],
      ],
    ],
  ];
  const locals = ["$list", "$at", "$inside", "$first", "$end"].map((x): List => ["local", x, "i32"]);
  const declared = fn.findLastIndex((x) => ["param", "local"].includes(head(x)));
  fn.splice(declared + 1, 0, ...locals, ...flatten);
}

/** Where a function whose first parameter is the context finds its stack's limit, and what it calls then. */
function refusalsIn(fn: List, offset: Node): { readonly limit: List; readonly throws: List }[] {
  const found: { limit: List; throws: List }[] = [];
  walk(fn, (x) => {
    if (x[0] !== "if" || !/^i32\.[lg]t_u$/.test(head(x[1]))) return;
    const throws = forms(x, "then")[0]?.[1];
    const limit = list(x[1]).find((y) => head(y) === "i32.load" && list(y)[1] === offset);
    const runtime = limit && list(limit)[2];
    if (head(runtime) !== "i32.load" || print(list(runtime).at(-1) ?? "") !== print(CONTEXT)) return;
    if (head(throws) === "call" && print(list(throws)[2] ?? "") === print(CONTEXT))
      found.push({ limit: list(limit), throws: list(throws) });
  });
  return found;
}

/** Calls by which a function of a context and an address gets a value from itself, and what value says that that failed. */
function recursionsIn(fn: List): { readonly call: List; readonly failed: Node }[] {
  const types = (kind: string) => forms(fn, kind).map((x) => x.at(-1));
  const found: { call: List; failed: Node }[] = [];
  if (types("param").join() !== "i32,i32" || types("result").join() !== "i64") return found;
  walk(fn, (x) => {
    const [, tee, failed] = x;
    if (x[0] !== "i64.eq" || head(tee) !== "local.tee" || head(failed) !== "i64.const") return;
    const call = list(tee)[2];
    if (head(call) === "call" && list(call)[1] === fn[1])
      found.push({ call: list(call), failed: list(failed) });
  });
  return found;
}
