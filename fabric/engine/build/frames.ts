/**
 * Frames on the heap. Each function that may be on the native stack while the machine is suspended becomes two, with the
 * same locals:
 *
 *   fast    F itself. After each call that may suspend, it looks whether the machine is unwinding; if so, it saves its
 *           frame and returns.
 *   resume  F$resume, () → (). Begins at the interrupted call with the frame's locals, takes the call's value from a
 *           global instead of calling; goes on; leaves its own result in that global.
 *
 * `resume_frames` runs pending frames one after the other, innermost first, so the native stack never holds more than
 * one of them. The interpreter also gets F$reenter: the fast body entered at the head of its dispatch loop, where a
 * resumed interpreter frame goes on, because the resume body is slower, for as long as the loop lasts.
 *
 * What keeps it fast: code that cannot suspend is the compiler's own (lower.ts); a frame holds what is live at its call, no
 * more, so nothing is kept alive that the compiler would not keep (liveness.ts); and a frame is saved by a call of a
 * function that all frames of its shape share, so there is no join of all these ways out, for which an engine would have
 * to bring every local into one place. What keeps it small: the copies are the same byte for byte where they do the same.
 *
 * A call whose value its function just returns needs no frame: there is nothing left to do.
 *
 * In memory, at the address given to start_unwinding ("data"), are the words of memory-map.ts' FRAMES_HEADER.
 * A frame: its function's number, the size of what follows, the number of the interrupted call, the locals live there.
 */
import { FRAMES_HEADER } from "../memory-map.ts";
import { type Liveness, liveness } from "./liveness.ts";
import { codeOf, isSite, type Local, localsOf, sitesIn, tailSites } from "./lower.ts";
import { clone, forms, head, type List, list, type Node, word } from "./parse.ts";
import { enterAt } from "./route.ts";
import { leaveSegment } from "./stack.ts";

const STATE = "$state";
const DATA = "$data";
const RESUMED = "$resumed";
const state: List = ["global.get", STATE];
const data: List = ["global.get", DATA];
const NORMAL: List = ["i32.const", "0"];
const UNWINDING: List = ["i32.const", "1"];

/** Where a value passes between a resumed frame and the next: one global for each type. */
const passed = (type: string) => `$passed_${type}`;
const VALUE_TYPES = ["i32", "i64", "f64", "f32"];

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
  const frames: string[] = ["$leave_segment"]; // number LEAVE_SEGMENT
  const saves = new Map<string, List>();
  let interpreters = 0;
  const split = (form: Node): Node[] => {
    if (head(form) !== "func" || !functions.has(word(list(form)[1]))) return [form];
    const fn = shapeOf(list(form));
    const number = fn.sites.length === 0 ? 0 : frames.push(`${fn.name}$resume`) - 1;
    const withChecks = checker(fn, number, saves);
    const made: List[] = [[...fn.declarations, ...fn.body.map(withChecks), ...neverEnds(fn)]];
    const loop = dispatchLoop(fn.body);
    if (number > 0) made.push(resume(fn, checker({ ...fn, result: undefined }, number, saves), loop));
    if (loop) {
      interpreters++;
      made.push(...reenter(fn, withChecks, loop));
    }
    return made;
  };
  const result = module.flatMap(split);
  const added = [leaveSegment(free, data), ...saves.values(), ...driver(frames)];
  return { module: [...result, ...added], frameKinds: frames.length, interpreters };
}

// ---------------------------------------------------------------------------------------------------------------- parts

interface Shape {
  readonly name: string;
  /** The function's form up to its code. */
  readonly declarations: List;
  readonly params: readonly Local[];
  /** Parameters and locals. */
  readonly locals: readonly Local[];
  readonly result: string | undefined;
  readonly body: List;
  /** Calls at which a frame may be saved, in their order. */
  readonly sites: readonly List[];
  readonly live: Liveness;
  /** The locals that a frame saved at this site holds, in their order there. */
  savedAt(site: List): readonly Local[];
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
    declarations,
    params: locals.slice(0, forms(fn, "param").length),
    locals,
    result: result && word(result),
    body,
    sites,
    live,
    savedAt,
  };
}

/** Gives code with a check after each call that may suspend. */
function checker(fn: Shape, number: number, saves: Map<string, List>): (x: Node) => Node {
  const numbers = new Map(fn.sites.map((x, i) => [x, i]));
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
  const { name, locals, result } = fn;
  const arrive = (site: List): List => {
    const saved = fn.savedAt(site);
    const restored = saved.map((v, i): List => {
      const value: List = [`${v.type}.load`, `offset=${offsetOf(saved, i)}`, "align=4", get("$frame")];
      return ["local.set", v.name, value];
    });
    const statement = list(site[1]);
    const taker = statement[0] === "local.set" && locals.find((v) => v.name === statement[1]);
    return taker ? [...restored, ["local.set", taker.name, ["global.get", passed(taker.type)]]] : restored;
  };
  const pass = (x: Node): Node => {
    if (typeof x === "string") return x;
    if (isSite(x)) return withChecks(x);
    const y = x.map(pass);
    return y[0] === "return" && result ? leave(result, list(y[1])) : y;
  };
  // Whoever comes to the head of the interpreter's loop goes on in the fast body.
  const body = loop
    ? list(replaceIn(fn.body, loop, [...loop.slice(0, 2), goOn(fn, loop), ...loop.slice(2)]))
    : fn.body;
  const entries = new Set(fn.sites);
  return [
    "func",
    `${name}$resume`,
    ...locals.map((v): List => ["local", v.name, v.type]),
    ["local", "$frame", "i32"],
    ["local", "$at", "i32"],
    ["local.set", "$frame", ["global.get", RESUMED]],
    ["local.set", "$at", ["i32.load", "offset=8", get("$frame")]],
    ...enterAt(body, { isEntry: (x) => entries.has(x), arrive, pass }),
  ];
}

const leave = (type: string, value: List): List => ["block", ["global.set", passed(type), value], ["return"]];

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
      ...fn.params.map((v): List => ["param", v.name, v.type]),
      ...(fn.result ? [["result", fn.result]] : []),
      ...fn.locals.slice(fn.params.length).map((v): List => ["local", v.name, v.type]),
      ["local", "$at", "i32"],
      ...code,
      ...neverEnds(fn),
    ],
  ];
}

/** The globals for values, the table of resume functions, and the functions that start, stop and run pending frames. */
function driver(frames: readonly string[]): List[] {
  const count = String(frames.length);
  const setData: List = ["global.set", DATA, get("$data")];
  const global = (name: string, type: string): List => [
    "global",
    name,
    ["mut", type],
    [`${type}.const`, "0"],
  ];
  const field = (offset: number): List => ["i32.load", `offset=${offset}`, data];
  const following: List = [
    "i32.add",
    ["i32.add", get("$frame"), ["i32.const", "8"]],
    ["i32.load", "offset=4", get("$frame")],
  ];
  return [
    global(STATE, "i32"),
    global(DATA, "i32"),
    global(RESUMED, "i32"),
    ...VALUE_TYPES.map((type) => global(passed(type), type)),
    ["export", '"passed_i32"', ["global", passed("i32")]],
    [
      "func",
      "$start_unwinding",
      ["export", '"start_unwinding"'],
      ["param", "$data", "i32"],
      setData,
      ["global.set", STATE, UNWINDING],
    ],
    ["func", "$stop_unwinding", ["export", '"stop_unwinding"'], ["global.set", STATE, NORMAL]],
    ["type", "$frame_type", ["func"]],
    ["table", "$frames", count, count, "funcref"],
    ["elem", "$frame_functions", ["table", "$frames"], ["i32.const", "0"], "func", ...frames],
    [
      "func",
      "$resume_frames",
      ["export", '"resume_frames"'],
      ["param", "$data", "i32"],
      ["local", "$frame", "i32"],
      setData,
      [
        "loop",
        "$more",
        [
          "if",
          ["i32.eq", ["local.tee", "$frame", field(FRAMES_HEADER.pending)], field(FRAMES_HEADER.end)],
          ["then", ["return"]],
        ],
        ["i32.store", `offset=${FRAMES_HEADER.pending}`, data, following],
        ["global.set", RESUMED, get("$frame")],
        ["call_indirect", "$frames", ["type", "$frame_type"], ["i32.load", get("$frame")]],
        ["br_if", "$more", ["i32.eqz", state]],
      ],
    ],
  ].map((x) => list(clone(x as Node)));
}

// -------------------------------------------------------------------------------------------------------------- reading

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
