/**
 * Promises that are rejected and that nobody handles. QuickJS tells an embedder of those, and of those that are handled after
 * all, by a function whose address is in its runtime; nothing in the stock module sets that. Here both places where it looks
 * call an import instead, always.
 */
import { forms, head, type List, list, type Node, print, walk, word } from "./parse.ts";

export const PROMISE_REJECTION: List = [
  "import",
  '"env"',
  '"promise_rejection"',
  ["func", "$promise_rejection", ["param", "i32"], ["param", "i64"], ["param", "i64"], ["param", "i32"]],
];

/** void (context, promise, reason, is_handled, opaque); no other indirect call has that. */
const TRACKER = "(func (param i32 i64 i64 i32 i32))";
/** When it is rejected, and when it is handled after that. */
const PLACES = 2;

export function reportRejections(module: List): void {
  const type = forms(module, "type").find((x) => print(x[2] as Node) === TRACKER)?.[1];
  let places = 0;
  for (const fn of forms(module, "func"))
    walk(fn, (x) => {
      if (x[0] !== "call_indirect" || list(x[2])[1] !== type) return;
      const [context, promise, reason, isHandled, opaque, tracker] = x.slice(3) as List;
      if (head(opaque) !== "i32.load" || head(tracker) !== "local.get") throw moved("what it passes");
      lookAlways(fn, word(list(tracker)[1]));
      x.splice(0, x.length, "call", "$promise_rejection", ...([context, promise, reason, isHandled] as List));
      places++;
    });
  if (places !== PLACES) throw moved(`${places} places`);
  const firstImport = module.findIndex((x) => head(x) === "import");
  module.splice(firstImport, 0, PROMISE_REJECTION);
}

/** `if (tracker = runtime->tracker)` holds whatever is there. */
function lookAlways(fn: List, tracker: string): void {
  const looks: List[] = [];
  walk(fn, (x) => {
    const tee = x[0] === "i32.eqz" && head(x[1]) === "local.tee" ? list(x[1]) : undefined;
    if (tee?.[1] === tracker && head(tee[2]) === "i32.load") looks.push(tee);
  });
  const [look] = looks;
  if (!look || looks.length > 1) throw moved(`${looks.length} looks`);
  look[2] = ["i32.or", look[2] as Node, ["i32.const", "1"]];
}

const moved = (what: string) =>
  new Error(
    `QuickJS tells of rejected promises in another way (${what}); teach fabric/engine/build/rejections.ts.`,
  );
