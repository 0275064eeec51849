/**
 * Depth limited by memory. The C stack in the guest's memory comes in segments, and one segment's worth of calls is what
 * the smallest native stack bears. Every function in which QuickJS checks its stack, and which can be suspended, first
 * compares the stack pointer with a mark; below it, it calls `stack_low`. The host suspends the machine there, puts all
 * its frames behind a new segment on the heap, and lets it go on at once, on that segment and an empty native stack.
 *
 * What is left in the frames' buffer is one frame of our own kind, `$leave_segment`: when all that ran on the segment has
 * returned, it brings the older frames and the older segment back. Memory is as it would be on any host, because
 * where a segment begins depends on nothing but the program.
 *
 * Functions that cannot be suspended (parsers) keep QuickJS's own check, some way below the mark; so does
 * everything when the host finds no memory for a segment. It throws a catchable "stack overflow".
 */
import {
  FRAMES_HEADER,
  PARSER_SHARE_BYTES,
  SEGMENT_BYTES,
  STACK_MARGIN_BYTES,
  STACK_SHARE_BYTES,
} from "../memory-map.ts";
import { forms, head, type List, list, type Node, unquote, walk, word } from "./parse.ts";

export const STACK_LOW: List = ["import", '"env"', '"stack_low"', ["func", "$stack_low"]];

const STACK_POINTER = "$global$0";
const MARK = "$stack_mark";

/** Adds the comparison to those of `functions` that need it; `setMaxStackSize`: the export that sets the limit. */
export function askBeforeOverflow(
  module: List,
  functions: ReadonlySet<string>,
  setMaxStackSize: string,
): void {
  const offset = limitOffset(module, setMaxStackSize);
  const bodies = forms(module, "func").filter((fn) => functions.has(word(fn[1])));
  const checking = new Set(bodies.filter((fn) => checksStack(fn, offset)));
  const recursing = recursiveParsers(bodies.filter((fn) => !checking.has(fn)));
  for (const fn of [...checking, ...recursing]) {
    const declared = fn.findLastIndex((x) => ["param", "result", "local", "type"].includes(head(x)));
    const mark: List = ["global.get", MARK];
    fn.splice(declared + 1, 0, [
      "if",
      [
        "i32.lt_u",
        ["global.get", STACK_POINTER],
        checking.has(fn) ? mark : ["i32.add", mark, ["i32.const", String(PARSER_SHARE_BYTES)]],
      ],
      ["then", ["call", "$stack_low"]],
    ]);
  }
  if (checking.size < 5 || recursing.size < 5)
    throw new Error(
      `QuickJS checks its stack in ${checking.size} functions, and recurses in ${recursing.size} others, where more were expected; teach fabric/engine/build/stack.ts.`,
    );
  const firstImport = module.findIndex((x) => head(x) === "import");
  module.splice(firstImport, 0, STACK_LOW);
  module.push(["global", MARK, ["export", '"stack_mark"'], ["mut", "i32"], ["i32.const", "0"]]);
}

/**
 * Functions that recurse by direct calls without checking the stack: QuickJS's parsers, and a few more. In the largest such set,
 * some hundred functions of property access, no real recursion misses the functions that check; it is left alone.
 */
function recursiveParsers(functions: readonly List[]): Set<List> {
  const cycles = components(functions).sort((a, b) => b.length - a.length);
  return new Set(cycles.slice(1).flat());
}

/** Tarjan's strongly connected components of the graph of direct calls, without those in which nothing recurses. */
function components(functions: readonly List[]): List[][] {
  const byName = new Map(functions.map((fn) => [fn[1], fn]));
  const found: List[][] = [];
  const path: List[] = [];
  const visited = new Map<List, number>();
  const visit = (fn: List): number => {
    const number = visited.size;
    visited.set(fn, number);
    path.push(fn);
    let callsItself = false;
    let lowest = number;
    walk(fn, (x) => {
      const callee = x[0] === "call" ? byName.get(x[1] ?? "") : undefined;
      if (!callee) return;
      callsItself ||= callee === fn;
      if (!visited.has(callee)) lowest = Math.min(lowest, visit(callee));
      else if (path.includes(callee)) lowest = Math.min(lowest, visited.get(callee) ?? lowest);
    });
    if (lowest === number) {
      const component = path.splice(path.indexOf(fn));
      if (component.length > 1 || callsItself) found.push(component);
    }
    return lowest;
  };
  for (const fn of functions) if (!visited.has(fn)) visit(fn);
  return found;
}

/** The resume function of the frame that stands for all that is older than the current segment. */
export function leaveSegment(free: string, data: List): List {
  const at = (offset: number): List => ["i32.load", `offset=${offset}`, data];
  const end = at(FRAMES_HEADER.end);
  const get = (local: string): List => ["local.get", local];
  const setLocal = (local: string, value: List): List => ["local.set", local, value];
  const store = (offset: number, value: List): List => ["i32.store", `offset=${offset}`, data, value];
  const plus = (a: List, b: number): List => ["i32.add", a, ["i32.const", String(b)]];
  return [
    "func",
    "$leave_segment",
    ["local", "$segment", "i32"],
    ["local", "$older", "i32"],
    ["local", "$bytes", "i32"],
    ["local", "$limit", "i32"],
    // The frame, which ends where the buffer does: bytes of older frames, older stack pointer, older limit.
    setLocal("$segment", plus(["i32.load", at(FRAMES_HEADER.stackLimitAt)], -STACK_MARGIN_BYTES)),
    setLocal("$bytes", ["i32.load", plus(end, -12)]),
    setLocal("$limit", ["i32.load", plus(end, -4)]),
    ["global.set", STACK_POINTER, ["i32.load", plus(end, -8)]],
    setLocal("$older", ["i32.sub", end, get("$bytes")]),
    ["memory.copy", get("$older"), plus(get("$segment"), SEGMENT_BYTES), get("$bytes")],
    store(FRAMES_HEADER.pending, get("$older")),
    [
      "if",
      ["i32.lt_u", get("$older"), at(FRAMES_HEADER.lowest)],
      ["then", store(FRAMES_HEADER.lowest, get("$older"))],
    ],
    // Nothing stale stays behind in the heap.
    ["memory.fill", get("$segment"), ["i32.const", "0"], plus(get("$bytes"), SEGMENT_BYTES)],
    ["call", free, get("$segment")],
    ["i32.store", at(FRAMES_HEADER.stackLimitAt), get("$limit")],
    ["global.set", MARK, plus(get("$limit"), STACK_SHARE_BYTES)],
    store(FRAMES_HEADER.segments, plus(at(FRAMES_HEADER.segments), -1)),
  ];
}

/** Where the runtime keeps the limit: what its setter sets to a difference, or to 0 for none. */
function limitOffset(module: List, setMaxStackSize: string): Node {
  const exported = forms(module, "export").find((x) => unquote(x[1]) === setMaxStackSize);
  const name = exported && list(exported[2])[1];
  const found: Node[] = [];
  walk(forms(module, "func").find((x) => x[1] === name) ?? [], (x) => {
    if (x[0] === "i32.store" && head(x[3]) === "if") found.push(x[1] ?? "");
  });
  const [offset] = found;
  if (offset === undefined || found.length > 1)
    throw new Error(
      "QuickJS keeps its stack's limit in another way than expected; teach fabric/engine/build/stack.ts.",
    );
  return offset;
}

/** Whether a function compares an address on its stack with the limit. */
function checksStack(fn: List, limitOffset: Node): boolean {
  const locals = new Set<string>();
  const isAddress = (x: Node | undefined): boolean =>
    (head(x) === "global.get" && list(x)[1] === STACK_POINTER) ||
    (head(x) === "local.get" && locals.has(word(list(x)[1]))) ||
    (head(x) === "local.tee" && isAddress(list(x)[2])) ||
    (/^i32\.(sub|add|and)$/.test(head(x)) && isAddress(list(x)[1]));
  for (let before = -1; before !== locals.size; ) {
    before = locals.size;
    walk(fn, (x) => {
      if ((x[0] === "local.set" || x[0] === "local.tee") && isAddress(x[2])) locals.add(word(x[1]));
    });
  }
  let checks = false;
  walk(fn, (x) => {
    if (!/^i32\.(lt|gt|le|ge)_u$/.test(head(x))) return;
    const limitAt = x.findIndex((y) => head(y) === "i32.load" && list(y)[1] === limitOffset);
    checks ||= limitAt > 0 && isAddress(x[3 - limitAt]);
  });
  return checks;
}
