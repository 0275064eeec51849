/**
 * Frames on the heap. Each function that may be on the native stack while the machine is suspended becomes two, with the
 * same locals:
 *
 *   fast    F itself. After each call that may suspend, it looks whether the machine is unwinding; if so, it saves its
 *           frame and returns.
 *   resume  F$resume, of F's type, its parameters unused. Begins at the interrupted call with the frame's locals, takes the
 *           call's value from a global instead of calling; goes on, and gives its result like F.
 *
 * `resume_frames` (driver.ts) runs pending frames one after the other, innermost first, so the native stack never holds more
 * than one of them. The interpreter also gets F$reenter: the fast body entered at the head of its dispatch loop, where a
 * resumed interpreter frame goes on, because the resume body is slower, for as long as the loop lasts.
 *
 * What keeps it fast: code that cannot suspend is the compiler's own (lower.ts); a frame holds what is live at its call, no
 * more, so nothing is kept alive that the compiler would not keep (liveness.ts); and a frame is saved by a call of a
 * function that all frames of its shape share, so there is no join of all these ways out, for which an engine would have
 * to bring every local into one place. What keeps it small: the copies are the same byte for byte where they do the same, as their
 * locals have the same numbers, their returns are the same, and all that a frame holds is read at the beginning, not at each call.
 *
 * A call whose value its function just returns needs no frame: there is nothing left to do.
 *
 * In memory, at the address given to start_unwinding ("data"), are the words of memory-map.ts' FRAMES_HEADER.
 * A frame: its function's number, the size of what follows, the number of the interrupted call, the locals live there.
 */
import { FRAMES_HEADER } from "../memory-map.ts";
import { DATA, driver, type FrameKind, kindsOf, passed, RESUMED, STATE, VALUE_TYPES } from "./driver.ts";
import { type Liveness, liveness } from "./liveness.ts";
import { codeOf, isSite, type Local, localsOf, sitesIn, tailSites } from "./lower.ts";
import { forms, type List, list, type Node, word } from "./parse.ts";
import { AT, at, enterAt } from "./route.ts";
import { leaveSegment } from "./stack.ts";

const state: List = ["global.get", STATE];
const data: List = ["global.get", DATA];

export interface Split {
  readonly module: List;
  /** How many kinds of frame there are. */
  readonly frameKinds: number;
  /** How many functions look like an interpreter: a loop around a `br_table` over 200 wide. */
  readonly interpreters: number;
}

/**
 * Rewrites a module in which the calls of `functions` that may suspend are sites; `free` is the name of its allocator's
 * function.
 */
export function splitFunctions(module: List, functions: ReadonlySet<string>, free: string): Split {
  const shapes = new Map<Node, Shape>();
  for (const form of forms(module, "func")) if (functions.has(word(form[1]))) shapes.set(form, shapeOf(form));
  const kinds = kindsOf([...shapes.values()].filter((fn) => fn.sites.length > 0));
  const saves = new Map<string, List>();
  let interpreters = 0;
  const split = (form: Node): Node[] => {
    const fn = shapes.get(form);
    if (!fn) return [form];
    const withChecks = checker(fn, kinds.numbers.get(fn) ?? 0, saves);
    const made: List[] = [[...fn.declarations, ...fn.body.map(withChecks), ...neverEnds(fn)]];
    const loop = dispatchLoop(fn.body);
    if (fn.sites.length > 0) made.push(resume(fn, withChecks, loop));
    if (loop) {
      interpreters++;
      made.push(...reenter(fn, withChecks, loop));
    }
    return made;
  };
  const result = module.flatMap(split);
  const added = [leaveSegment(free, data), ...saves.values(), ...driver(kinds)];
  return { module: [...result, ...added], frameKinds: kinds.resumes.length, interpreters };
}

// ---------------------------------------------------------------------------------------------------------------- parts

interface Shape extends FrameKind {
  readonly name: string;
  /** The function's form up to its code. */
  readonly declarations: List;
  /** Parameters and locals. */
  readonly locals: readonly Local[];
  readonly body: List;
  /** Calls at which a frame may be saved, in their order. */
  readonly sites: readonly List[];
  readonly live: Liveness;
  /** The locals that a frame saved at this site holds, in their order there. */
  savedAt(site: List): readonly Local[];
  /** Those that some frame holds, in their order there. */
  readonly saved: readonly Local[];
}

function shapeOf(fn: List): Shape {
  const locals = localsOf(fn);
  const result = forms(fn, "result")[0]?.[1];
  const { declarations, body } = codeOf(fn);
  const tails = tailSites(body, result === undefined);
  const sites = sitesIn(body).filter((x) => !tails.has(x));
  const live = liveness(body, locals);
  // Those that are live most often come first: then frames begin alike, and the code for them can be compressed.
  const uses = new Map(locals.map((v) => [v, 0]));
  for (const x of sites) for (const v of live.atSite.get(x) ?? []) uses.set(v, (uses.get(v) ?? 0) + 1);
  const order = VALUE_TYPES.flatMap((type) =>
    locals.filter((v) => v.type === type).sort((a, b) => (uses.get(b) ?? 0) - (uses.get(a) ?? 0)),
  );
  const savedAt = (site: List) => {
    const saved = new Set(live.atSite.get(site));
    return order.filter((v) => saved.has(v));
  };
  return {
    name: word(fn[1]),
    resume: `${word(fn[1])}$resume`,
    declarations,
    params: locals.slice(0, forms(fn, "param").length),
    locals,
    result: result && word(result),
    body,
    sites,
    live,
    savedAt,
    saved: order.filter((v) => uses.get(v)),
  };
}

/** Gives code with a check after each call that may suspend. */
function checker(fn: Shape, number: number, saves: Map<string, List>): (x: Node) => Node {
  const numbers = new Map(fn.sites.map((x, i) => [x, i + 1]));
  const withChecks = (x: Node): Node => {
    if (typeof x === "string") return x;
    if (!isSite(x)) return x.map(withChecks);
    const statement = list(x[1]);
    const index = numbers.get(x);
    if (index === undefined) return statement;
    const saved = fn.savedAt(x);
    const save = saveFunction(saved);
    saves.set(word(save[1]), save);
    const call: List = [
      "call",
      word(save[1]),
      ["i32.const", String(number)],
      ["i32.const", String(index)],
      ...saved.map((v) => get(v.name)),
    ];
    const leave: List = fn.result ? ["return", [`${fn.result}.const`, "0"]] : ["return"];
    return ["block", statement, ["if", state, ["then", call, leave]]];
  };
  return withChecks;
}

/** The function that saves a frame with locals of these types: (function's number, call's number, locals…). */
function saveFunction(locals: readonly Local[]): List {
  const count = (type: string) => locals.filter((v) => v.type === type).length;
  const bytes = frameBytes(locals);
  const position: List = ["i32.load", data];
  const end: List = ["i32.load", `offset=${FRAMES_HEADER.saveEnd}`, data];
  return [
    "func",
    `$save_${VALUE_TYPES.map(count).join("_")}`,
    ["param", "$number", "i32"],
    ["param", "$call", "i32"],
    ...locals.map((v, i): List => ["param", `$${i}`, v.type]),
    ["local", "$frame", "i32"],
    ["local.set", "$frame", position],
    ["i32.store", data, ["i32.add", get("$frame"), ["i32.const", String(bytes)]]],
    [
      "if",
      ["i32.gt_u", position, end],
      // No room. The position is past the end then, and stays so, for the host to see.
      ["then", ["i32.store", data, ["i32.add", end, ["i32.const", "1"]]], ["return"]],
    ],
    ["i32.store", get("$frame"), get("$number")],
    ["i32.store", "offset=4", get("$frame"), ["i32.const", String(bytes - 8)]],
    ["i32.store", "offset=8", get("$frame"), get("$call")],
    ...locals.map(
      (v, i): List => [
        `${v.type}.store`,
        `offset=${offsetOf(locals, i)}`,
        "align=4",
        get("$frame"),
        get(`$${i}`),
      ],
    ),
  ];
}

function resume(fn: Shape, withChecks: (x: Node) => Node, loop: List | undefined): List {
  const arrive = (site: List): List => {
    const statement = list(site[1]);
    const taker = statement[0] === "local.set" && fn.locals.find((v) => v.name === statement[1]);
    return taker ? [["local.set", taker.name, ["global.get", passed(taker.type)]]] : [];
  };
  // Whoever comes to the head of the interpreter's loop goes on in the fast body.
  const body = loop
    ? list(replaceIn(fn.body, loop, [...loop.slice(0, 2), goOn(fn, loop), ...loop.slice(2)]))
    : fn.body;
  const entries = new Set(fn.sites);
  return [
    "func",
    fn.resume,
    ...signatureOf(fn),
    ["global.set", AT, ["i32.load", "offset=8", ["global.get", RESUMED]]],
    ...restored(fn),
    ...enterAt(body, { isEntry: (x) => entries.has(x), arrive, pass: withChecks }),
    ...neverEnds(fn),
  ];
}

/** Sets the locals that the frame at RESUMED holds, which depends on the call. RESUMED may end up elsewhere. */
function restored(fn: Shape): List[] {
  const frame: List = ["global.get", RESUMED];
  const saved = fn.sites.map((x) => new Set(fn.savedAt(x)));
  const code: List[] = [];
  /** How far behind RESUMED the next one is. */
  let offset = frameBytes([]);
  for (const v of fn.saved) {
    const isSaved = saved.map((x) => x.has(v));
    const set: List = ["local.set", v.name, [`${v.type}.load`, `offset=${offset}`, "align=4", frame]];
    if (isSaved.every(Boolean)) {
      code.push(set);
      offset += bytesOf(v);
      continue;
    }
    const next: List = ["global.set", RESUMED, ["i32.add", frame, ["i32.const", String(bytesOf(v))]]];
    code.push(["if", isAmong(at, isSaved), ["then", set, next]]);
  }
  return code;
}

/** Whether `at`, the number of a call, is one for which `which` says so; the first call has number 1. */
function isAmong(at: List, which: readonly boolean[]): List {
  const ranges: { first: number; last: number }[] = [];
  which.forEach((is, i) => {
    const before = ranges.at(-1);
    if (is && before?.last === i) before.last++;
    else if (is) ranges.push({ first: i + 1, last: i + 1 });
  });
  const constant = (n: number): List => ["i32.const", String(n)];
  const isIn = ({ first, last }: { first: number; last: number }): List => {
    if (first === last) return ["i32.eq", at, constant(first)];
    if (first === 1) return ["i32.le_u", at, constant(last)];
    if (last === which.length) return ["i32.ge_u", at, constant(first)];
    return ["i32.le_u", ["i32.sub", at, constant(first)], constant(last - first)];
  };
  const [one, ...others] = ranges.map(isIn);
  if (!one) throw new Error("bug: a local is saved nowhere");
  return others.reduce((x, y): List => ["i32.or", x, y], one);
}

/** The locals that pass to F$reenter in globals, not as its parameters. */
const parked = (fn: Shape, loop: List) => fn.live.atLoop(word(loop[1])).filter((v) => !fn.params.includes(v));
const parking = (v: Local) => `$parked_${v.name.slice(1)}`;

const goOn = (fn: Shape, loop: List): List => [
  "block",
  ...parked(fn, loop).map((v): List => ["global.set", parking(v), get(v.name)]),
  ["return", ["call", `${fn.name}$reenter`, ...fn.params.map((v) => get(v.name))]],
];

/** The fast body entered at the head of a loop, with what is live there. */
function reenter(fn: Shape, withChecks: (x: Node) => Node, loop: List): List[] {
  const entry: List = ["nop"];
  const body = list(replaceIn(fn.body, loop, ["block", entry, loop]));
  const taken = parked(fn, loop);
  const code = enterAt(body, {
    isEntry: (x) => x === entry,
    arrive: () => taken.map((v): List => ["local.set", v.name, ["global.get", parking(v)]]),
    pass: withChecks,
  });
  return [
    ...taken.map((v): List => ["global", parking(v), ["mut", v.type], [`${v.type}.const`, "0"]]),
    [
      "func",
      `${fn.name}$reenter`,
      ...signatureOf(fn),
      ["global.set", AT, ["i32.const", "1"]],
      ...code,
      ...neverEnds(fn),
    ],
  ];
}

// -------------------------------------------------------------------------------------------------------------- reading

const signatureOf = ({ params, result, locals }: Shape): List[] => [
  ...params.map((v): List => ["param", v.name, v.type]),
  ...(result ? [["result", result]] : []),
  ...locals.slice(params.length).map((v): List => ["local", v.name, v.type]),
];

const get = (local: string): List => ["local.get", local];
const neverEnds = (fn: Shape): List[] => (fn.result ? [["unreachable"]] : []);

const bytesOf = ({ type }: Local) => (type.endsWith("64") ? 8 : 4);
/** Where in its frame the local at `index` of the saved ones is. */
const offsetOf = (saved: readonly Local[], index: number) => frameBytes(saved.slice(0, index));
const frameBytes = (saved: readonly Local[]) => saved.reduce((sum, v) => sum + bytesOf(v), 12);

/** The innermost loop around the interpreter's dispatch, where there is one. */
function dispatchLoop(code: readonly Node[]): List | undefined {
  const search = (x: Node, loop: List | undefined): List | undefined => {
    if (typeof x === "string") return undefined;
    if (x[0] === "br_table" && x.length > 200) return loop;
    for (const y of x) {
      const found = search(y, x[0] === "loop" ? x : loop);
      if (found) return found;
    }
    return undefined;
  };
  return search([...code], undefined);
}

/** A copy of code with another list in the place of one; lists that do not hold it stay the same ones. */
function replaceIn(x: Node, from: List, to: List): Node {
  if (x === from) return to;
  if (typeof x === "string") return x;
  const y = x.map((z) => replaceIn(z, from, to));
  return y.some((z, i) => z !== x[i]) ? y : x;
}
