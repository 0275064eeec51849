/**
 * Depth limited by memory. The C stack in the guest's memory comes in segments, and one segment's worth of calls is what
 * the smallest native stack bears. So many functions that nothing can recurse without one of them first compare the stack
 * pointer with a mark; below it, they call `stack_low`. The host suspends the machine there, puts all its frames behind a
 * new segment on the heap, and lets it go on at once, on that segment and an empty native stack.
 *
 * What is left in the frames' buffer is one frame of our own kind, `$leave_segment`: when all that ran on the segment has
 * returned, it brings the older frames and the older segment back. Memory is as it would be on any host, because
 * where a segment begins depends on nothing but the program.
 *
 * Where there are to be no more segments, or there is no memory for one, the host raises the limit by which QuickJS goes: every
 * function that checks it throws a catchable "stack overflow". Those that ask without checking (they could not say that they
 * have failed) go on: while there is memory, on segments on which all that checks throws.
 */
import { FRAMES_HEADER, SEGMENT_BYTES, STACK_MARGIN_BYTES, STACK_SHARE_BYTES } from "../memory-map.ts";
import { forms, head, type List, list, type Node, unquote, walk, word } from "./parse.ts";
import { callGraph, type Graph } from "./reach.ts";

export const STACK_LOW: List = ["import", '"env"', '"stack_low"', ["func", "$stack_low", ["param", "i32"]]];

export const STACK_POINTER = "$global$0";
const MARK = "$stack_mark";

/**
 * What a function that asks takes of the C stack at least, and one of a parser, a dozen of which run for each level of
 * nesting. Many would take nothing of it, and recurse through the native stack unseen.
 */
const ASKING_BYTES_MIN = 160;
const PARSER_BYTES_MIN = 96;
const stackPointer: List = ["global.get", STACK_POINTER];

/** Adds the comparison to those of `functions` that need it; `setMaxStackSize`: the export that sets the limit. */
export function askBeforeOverflow(
  module: List,
  functions: ReadonlySet<string>,
  setMaxStackSize: string,
): void {
  const offset = limitOffset(module, setMaxStackSize);
  const bodies = forms(module, "func").filter((fn) => functions.has(word(fn[1])));
  const checking = new Set(bodies.filter((fn) => checksStack(fn, offset)).map((fn) => word(fn[1])));
  const asking = breakCycles(callGraph(module, functions), new Set(checking));
  const parsers = new Set(smallRecursions(module, checking, functions));
  for (const fn of bodies) {
    const name = word(fn[1]);
    if (asking.has(name)) widen(fn, ASKING_BYTES_MIN);
    else if (parsers.has(name)) widen(fn, PARSER_BYTES_MIN);
    if (asking.has(name))
      insertCode(fn, [
        "if",
        ["i32.lt_u", stackPointer, ["global.get", MARK]],
        ["then", ["call", "$stack_low", ["i32.const", checking.has(name) ? "1" : "0"]]],
      ]);
  }
  if (checking.size < 5)
    throw new Error(
      `QuickJS checks its stack in ${checking.size} functions, where more were expected; teach fabric/engine/build/stack.ts.`,
    );
  const firstImport = module.findIndex((x) => head(x) === "import");
  module.splice(firstImport, 0, STACK_LOW);
  module.push(["global", MARK, ["export", '"stack_mark"'], ["mut", "i32"], ["i32.const", "0"]]);
}

/** Functions that recurse among themselves, by direct calls and unchecked, but for the largest such set: access to properties. */
function smallRecursions(
  module: List,
  checking: ReadonlySet<string>,
  functions: ReadonlySet<string>,
): string[] {
  const cycles = components(callGraph(module, functions, "direct"), checking);
  return cycles
    .sort((a, b) => b.length - a.length)
    .slice(1)
    .flat();
}

/** Makes a function take `minimum` bytes of the C stack, if it does not take more. */
function widen(fn: List, minimum: number): void {
  const missing = minimum - stackBytes(fn);
  if (missing <= 0) return;
  const bytes: List = ["i32.const", String(Math.ceil(missing / 16) * 16)];
  const type = forms(fn, "result")[0]?.[1];
  const giveBack: List = ["global.set", STACK_POINTER, ["i32.add", stackPointer, bytes]];
  /** The code that leaves with `value`, which is worked out before. */
  const leave = (value: Node | undefined): List[] =>
    type === undefined || value === undefined
      ? [giveBack, ["return"]]
      : [["local.set", "$returned", value], giveBack, ["return", ["local.get", "$returned"]]];
  const edit = (of: List): void => {
    of.forEach((x, i) => {
      if (typeof x === "string") return;
      edit(x);
      if (x[0] === "return") of[i] = ["block", ...leave(x[1])];
    });
  };
  edit(fn);
  if (type === undefined) fn.push(giveBack);
  else {
    const last = fn.pop();
    fn.push(...leave(last));
    insertCode(fn, ["local", "$returned", type]);
  }
  insertCode(fn, ["global.set", STACK_POINTER, ["i32.sub", stackPointer, bytes]]);
}

/** Puts an instruction before a function's first, or a declaration behind its others. */
function insertCode(fn: List, code: List): void {
  const declared = fn.findLastIndex((x) => ["param", "result", "local", "type", "export"].includes(head(x)));
  fn.splice(Math.max(declared, 1) + 1, 0, code);
}

/** What a function takes of the C stack in memory. */
function stackBytes(fn: List): number {
  let bytes = 0;
  walk(fn, (x) => {
    const own = x[0] === "i32.sub" && list(x[1])[1] === STACK_POINTER && head(x[2]) === "i32.const";
    if (own) bytes = Math.max(bytes, Number(list(x[2])[1]));
  });
  return bytes;
}

/**
 * Adds functions to `found` until nothing can recurse without one of them: in each set that still can, the one through which
 * most calls go, which is not always the one that QuickJS checks (a proxy's traps are looked up by a function that has returned
 * when the recursion goes on).
 */
function breakCycles(graph: Graph, found: Set<string>): Set<string> {
  for (;;) {
    const cycles = components(graph, found);
    if (cycles.length === 0) return found;
    for (const cycle of cycles) {
      const inside = new Set(cycle);
      const callees = (f: string) => [...(graph.get(f) ?? [])].filter((g) => inside.has(g));
      const callers = new Map(cycle.map((f) => [f, 0]));
      for (const f of cycle) for (const g of callees(f)) callers.set(g, (callers.get(g) ?? 0) + 1);
      const weight = (f: string) => callees(f).length * (callers.get(f) ?? 0);
      found.add(cycle.reduce((most, f) => (weight(f) > weight(most) ? f : most)));
    }
  }
}

/** Tarjan's strongly connected components of the graph without `left`, and without those in which nothing recurses. */
function components(graph: Graph, left: ReadonlySet<string>): string[][] {
  const found: string[][] = [];
  const path: string[] = [];
  const onPath = new Set<string>();
  const visited = new Map<string, number>();
  const visit = (f: string): number => {
    const number = visited.size;
    visited.set(f, number);
    path.push(f);
    onPath.add(f);
    let lowest = number;
    for (const g of graph.get(f) ?? []) {
      if (left.has(g)) continue;
      if (!visited.has(g)) lowest = Math.min(lowest, visit(g));
      else if (onPath.has(g)) lowest = Math.min(lowest, visited.get(g) ?? lowest);
    }
    if (lowest === number) {
      const component = path.splice(path.indexOf(f));
      for (const g of component) onPath.delete(g);
      if (component.length > 1 || graph.get(f)?.has(f)) found.push(component);
    }
    return lowest;
  };
  for (const f of graph.keys()) if (!left.has(f) && !visited.has(f)) visit(f);
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
    setLocal("$segment", plus(at(FRAMES_HEADER.limit), -STACK_MARGIN_BYTES)),
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
    store(FRAMES_HEADER.limit, get("$limit")),
    ["i32.store", at(FRAMES_HEADER.stackLimitAt), get("$limit")],
    ["global.set", MARK, plus(get("$limit"), STACK_SHARE_BYTES)],
    store(FRAMES_HEADER.segments, plus(at(FRAMES_HEADER.segments), -1)),
  ];
}

/** Where the runtime keeps the limit: what its setter sets to a difference, or to 0 for none. */
export function limitOffset(module: List, setMaxStackSize: string): Node {
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
export function checksStack(fn: List, limitOffset: Node): boolean {
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
