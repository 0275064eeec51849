/**
 * The step between the stock module and the splitting of its functions: brings calls that may suspend into position
 * (lower.ts), and lets binaryen tidy up what that left, locals above all. It is told where the calls are by a marker after
 * each: a call of a function that does not exist in the end, past which it moves nothing that matters.
 */
import binaryen from "binaryen";
import { isSite, lowerCalls } from "./lower.ts";
import { forms, head, type List, list, type Node, parse, print, word } from "./parse.ts";
import { suspendingCalls } from "./reach.ts";

/** Of WebAssembly. Named one by one: with "all", binaryen writes encodings that Node 20 and older browsers refuse. */
export const FEATURES =
  binaryen.Features.MutableGlobals |
  binaryen.Features.NontrappingFPToInt |
  binaryen.Features.SignExt |
  binaryen.Features.BulkMemory |
  binaryen.Features.BulkMemoryOpt |
  binaryen.Features.Multivalue |
  binaryen.Features.ReferenceTypes;

const MARKER: List = ["import", '"build"', '"site"', ["func", "$site", ["param", "i32"]]];

const TIDY = [
  "simplify-locals-nostructure",
  "vacuum",
  "reorder-locals",
  "coalesce-locals",
  "simplify-locals-nostructure",
  "vacuum",
  "reorder-locals",
];

/** A module with the calls of `functions` that may suspend as `["site", statement]`; `imports` are those that do. */
export function markSites(module: List, functions: ReadonlySet<string>, imports: readonly string[]): List {
  const { suspends, resultOf } = suspendingCalls(module, functions, imports);
  const types = new Map(
    forms(module, "global").map((x) => {
      const type = x.find((y, i) => i > 1 && head(y) !== "export");
      return [word(x[1]), word(head(type) === "mut" ? list(type)[1] : type)];
    }),
  );
  const globalType = (name: string) => types.get(name) ?? "";
  let count = 0;
  const marked = (x: Node): Node[] => {
    if (typeof x === "string") return [x];
    if (isSite(x)) return [list(x[1]), ["call", "$site", ["i32.const", String(count++)]]];
    return [x.flatMap(marked)];
  };
  const lowered = module.flatMap((form) =>
    head(form) === "func" && functions.has(word(list(form)[1]))
      ? marked(lowerCalls(list(form), { suspends, resultOf, globalType }))
      : [form],
  );
  const firstImport = lowered.findIndex((x) => head(x) === "import");
  lowered.splice(firstImport, 0, MARKER);

  const tidied = binaryen.parseText(print(lowered));
  tidied.setFeatures(FEATURES);
  tidied.runPasses(TIDY);
  const text = tidied.emitText();
  tidied.dispose();
  const result = parse(text);
  const after = suspendingCalls(result, functions, imports).suspends;
  const sited = withSites(result, after);
  for (const form of sited)
    if (head(form) === "func" && functions.has(word(list(form)[1]))) assertMarked(list(form), after);
  return sited;
}

/** Throws where a call that may suspend is no site: its function's frame would be lost. */
function assertMarked(fn: List, suspends: (call: List) => boolean): void {
  const look = (x: Node, isCalledBySite: boolean) => {
    if (typeof x === "string") return;
    if (/^call/.test(head(x)) && suspends(x) && !isCalledBySite)
      throw new Error(`bug: a call in ${word(fn[1])} that may suspend has lost its mark`);
    const isSiteStatement = isCalledBySite && (x[0] === "local.set" || x[0] === "drop");
    for (const y of x) look(y, isSite(x) || isSiteStatement);
  };
  look(fn, false);
}

function withSites(module: List, suspends: (call: List) => boolean): List {
  const isMarker = (x: Node | undefined) => head(x) === "call" && list(x)[1] === "$site";
  const sites = (x: Node): Node => {
    if (typeof x === "string") return x;
    const out: List = [];
    for (const y of x) {
      if (!isMarker(y)) {
        out.push(sites(y));
        continue;
      }
      const statement = list(out.pop());
      const call = list(
        statement[0] === "local.set" || statement[0] === "drop" ? statement.at(-1) : statement,
      );
      if (!/^call/.test(head(call)) || !suspends(call)) throw new Error("bug: a marked call has been moved");
      out.push(["site", statement]);
    }
    return out;
  };
  return module.filter((x) => head(x) !== "import" || list(x)[1] !== '"build"').map(sites);
}
