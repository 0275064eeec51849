/**
 * Frames on the heap. Takes the stock module after one run of binaryen's Asyncify (before optimisation) and cuts each
 * instrumented function F into two with the same locals and the same layout of saved frames:
 *
 *   fast     F itself. "State is normal" becomes true and "state is rewinding" false, so all that is left of Asyncify is
 *            the check after each call that may suspend, which saves the frame and returns.
 *   resume   F$resume, () → (). Reads one frame from memory; at the interrupted call takes the call's value from a
 *            global instead of calling; goes on; leaves its own result in that global.
 *
 * `resume_frames` runs pending frames one after the other, innermost first, so the native stack never holds more than
 * one of them. The interpreter also gets F$reenter: the fast body entered at the head of its dispatch loop, where a
 * resumed interpreter frame goes on, because the resume body would be several times slower for as long as the loop lasts.
 *
 * In memory, at the address given to asyncify_start_unwind ("data"), are the words of memory-map.ts' FRAMES_HEADER.
 * A frame: its function's number, the size of what follows, the index of the interrupted call, the locals.
 */
import { deadAtChecks, isCheck, type Local, UNWIND, zeroAtChecks } from "./liveness.ts";
import { clone, cloneList, forms, head, type List, list, type Node, walk, word } from "./parse.ts";
import { leaveSegment } from "./stack.ts";

const STATE = "$__asyncify_state";
const DATA = "$__asyncify_data";
const NORMAL: List = ["i32.const", "0"];
const UNWINDING: List = ["i32.const", "1"];
const REWINDING: List = ["i32.const", "2"];
const state: List = ["global.get", STATE];
const data: List = ["global.get", DATA];
const savePosition: List = ["i32.load", data];

/** Where a value passes between a resumed frame and the next: one global for each type. */
const passed = (type: string) => `$passed_${type}`;
const VALUE_TYPES = ["i32", "i64", "f64"];

export interface Split {
  readonly module: List;
  /** How many kinds of frame there are. */
  readonly frameKinds: number;
}

/** Rewrites `module` (which it takes over); `free` is the name of its allocator's function. The interpreter is found by what it is: a `br_table` over 200 wide. */
export function splitFunctions(module: List, free: string): Split {
  const frames: string[] = ["$leave_segment"]; // number LEAVE_SEGMENT
  const added: List[] = [leaveSegment(free, STATE, data)];
  let interpreters = 0;
  const result = module.map((form) => {
    if (head(form) !== "func") return form;
    const fn = list(form);
    if (word(fn[1]).startsWith("$asyncify") || !mentionsState(fn)) return form;
    const shape = shapeOf(fn);
    nameSavedFrames(fn, frames.push(`${shape.name}$resume`) - 1, shape.frameBytes);

    const fast = list(specialise(fn));
    const dead = deadAtChecks(fast, shape.locals);
    const resume = makeResume(fn, shape);
    zeroAtChecks(fast, dead);
    zeroAtChecks(resume, dead);
    if (pathToDispatch(fast)) {
      interpreters++;
      added.push(...addReentry(fast, resume, shape));
    }
    added.push(resume);
    return fast;
  });
  if (interpreters !== 1)
    throw new Error(
      `The module has ${interpreters} functions that look like QuickJS's interpreter loop where one was expected; the build must be taught to tell it.`,
    );
  return { module: [...result, ...added, ...driver(frames)], frameKinds: frames.length };
}

// ---------------------------------------------------------------------------------------------------------------- parts

interface Shape {
  readonly name: string;
  readonly params: readonly List[];
  /** Parameters and locals. */
  readonly locals: readonly Local[];
  readonly result: string | undefined;
  /** Bytes of locals in a saved frame. */
  readonly frameBytes: number;
}

function shapeOf(fn: List): Shape {
  const params = forms(fn, "param");
  const name = word(fn[1]);
  const locals = [...params, ...forms(fn, "local")].map((x) => ({ name: word(x[1]), type: word(x[2]) }));
  const result = forms(fn, "result")[0]?.[1];
  // The prelude reads the frame: (if rewinding (then (i32.store data (i32.sub (i32.load data) size)) …)); none when
  // no local is saved. Asyncify writes a size of 64 or more as "+ -size".
  const prelude = fn.find(isRewindIf);
  const size = prelude && list(list(list(list(list(prelude)[2])[1])[2])[2])[1];
  const frameBytes = Math.abs(Number(size ?? 0));
  if (!Number.isInteger(frameBytes))
    throw new Error(`bug: the frame size of ${name} is not where it should be`);
  return { name, params, locals, result: result && word(result), frameBytes };
}

/** In the code that saves a frame, after its locals and call index: the number of its resume function and its size. */
function nameSavedFrames(fn: List, number: number, frameBytes: number): void {
  const at = fn.findIndex((x) => typeof x === "object" && holdsBlock(x, UNWIND)) + 1;
  if (at === 0) throw new Error(`bug: ${word(fn[1])} has no block to unwind from`);
  // Asyncify's own code follows: it stores the call index, then the locals.
  fn.splice(
    at,
    0,
    ["i32.store", savePosition, ["i32.const", String(number)]],
    ["i32.store", "offset=4", savePosition, ["i32.const", String(frameBytes + 4)]],
    ["i32.store", data, ["i32.add", savePosition, ["i32.const", "8"]]],
  );
}

/** The copy in which the state is known to be normal (or unwinding, behind a check). */
function specialise(x: Node): Node {
  if (typeof x === "string") return x;
  if (x[0] === "i32.eqz" && isState(x[1])) return ["i32.const", "1"];
  if (isRewindingTest(x)) return ["i32.const", "0"];
  return x.map(specialise);
}

function makeResume(fn: List, { name, params, locals, result }: Shape): List {
  const typeOf = new Map(locals.map((x) => [x.name, x.type]));
  const resume = cloneList(fn).filter((x) => !["export", "param", "result", "type"].includes(head(x)));
  resume[1] = `${name}$resume`;
  insertCode(
    resume,
    params.map((p) => ["local", word(p[1]), word(p[2])]),
  );
  // What follows the unwind block ends with the function's result for the caller; a resume function has none.
  if (result) resume.pop();

  const whenRewinding = (take: List[], call: Node): List => [
    "if",
    ["i32.eq", state, REWINDING],
    ["then", ...take, ["global.set", STATE, NORMAL]],
    ["else", call],
  ];
  const edit = (of: List, outermost: boolean) => {
    of.forEach((x, i) => {
      if (typeof x === "string") return;
      if (isCheck(x)) {
        const call = list(of[i - 1]);
        if (call[0] === "local.set" && isCall(call[2])) {
          const type = typeOf.get(word(call[1]));
          of[i - 1] = whenRewinding([["local.set", word(call[1]), ["global.get", passed(type ?? "")]]], call);
        } else if (isCall(call) || (call[0] === "drop" && isCall(call[1])))
          of[i - 1] = whenRewinding([], call);
        else throw new Error(`bug: no call before a check of ${name}`);
      } else if (x[0] === "return") {
        const leave: List = result ? [["global.set", passed(result), list(x[1])]] : [];
        of[i] = ["block", ...leave, ["return"]];
      } else if (isRewindIf(x) && !outermost) {
        // The call index has been read, and with it the whole frame: from here on frames are saved where saving begins.
        list(x[2]).push(["i32.store", data, ["i32.load", "offset=8", data]]);
      } else edit(x, false);
    });
  };
  edit(resume, true);
  return resume;
}

/**
 * At the head of the resume body's dispatch loop, once the state is normal: park all locals in globals and call the new
 * function F$reenter, which takes them up and starts at its own loop head. Frames it saves are F's, like any other.
 */
function addReentry(fast: List, resume: List, { name, params, locals, result }: Shape): List[] {
  const park = locals.map((_, i) => `$park${i}`);
  const reenter = cloneList(fast).filter((x) => head(x) !== "export");
  reenter[1] = `${name}$reenter`;

  const skipping: List = ["local.get", "$skipping"];
  const route = pathToDispatch(reenter) ?? [];
  const loopAt = innermostLoop(route);
  for (let i = 0; i < loopAt; i++) {
    const node = list(route[i]);
    const next = list(route[i + 1]);
    if (node[0] === "if")
      node[1] = [
        "if",
        ["result", "i32"],
        skipping,
        ["then", ["i32.const", next[0] === "then" ? "1" : "0"]],
        ["else", list(node[1])],
      ];
    else if (node[0] !== "local.set")
      for (let j = 1; j < node.indexOf(next); j++) {
        const earlier = node[j];
        if (typeof earlier === "object" && !isDeclaration(earlier))
          node[j] = ["if", ["i32.eqz", skipping], ["then", earlier]];
      }
  }
  const around = list(route[loopAt - 1]);
  around.splice(around.indexOf(list(route[loopAt])), 0, ["local.set", "$skipping", NORMAL]);
  insertCode(reenter, [
    ["local", "$skipping", "i32"],
    ...locals.map((v, i): List => ["local.set", v.name, ["global.get", park[i] ?? ""]]),
    ["local.set", "$skipping", ["i32.const", "1"]],
  ]);

  const slow = pathToDispatch(resume) ?? [];
  list(slow[innermostLoop(slow)]).splice(2, 0, [
    "if",
    ["i32.eqz", state],
    [
      "then",
      ...locals.map((v, i): List => ["global.set", park[i] ?? "", ["local.get", v.name]]),
      [
        "global.set",
        passed(result ?? ""),
        ["call", `${name}$reenter`, ...params.map((p): List => ["local.get", word(p[1])])],
      ],
      ["return"],
    ],
  ]);
  const globals = locals.map(
    (v, i): List => ["global", park[i] ?? "", ["mut", v.type], [`${v.type}.const`, "0"]],
  );
  return [...globals, reenter];
}

/** The globals for values, the table of resume functions, and the function that runs pending frames. */
function driver(frames: readonly string[]): List[] {
  const count = String(frames.length);
  const next: List = ["i32.load", "offset=12", data];
  return [
    ...VALUE_TYPES.map((type): List => {
      const exported: List = type === "i32" ? [["export", '"passed_i32"']] : [];
      return ["global", passed(type), ...exported, ["mut", type], [`${type}.const`, "0"]];
    }),
    ["type", "$frame", ["func"]],
    ["table", "$frames", count, count, "funcref"],
    ["elem", "$frame_functions", ["table", "$frames"], ["i32.const", "0"], "func", ...frames],
    [
      "func",
      "$resume_frames",
      ["export", '"resume_frames"'],
      ["local", "$frame", "i32"],
      [
        "loop",
        "$more",
        [
          "if",
          ["i32.eq", ["local.tee", "$frame", next], ["i32.load", "offset=16", data]],
          ["then", ["global.set", STATE, NORMAL], ["return"]],
        ],
        [
          "i32.store",
          "offset=12",
          data,
          [
            "i32.add",
            ["i32.add", ["local.get", "$frame"], ["i32.const", "8"]],
            ["i32.load", "offset=4", ["local.get", "$frame"]],
          ],
        ],
        ["i32.store", data, next],
        ["global.set", STATE, REWINDING],
        ["call_indirect", "$frames", ["type", "$frame"], ["i32.load", ["local.get", "$frame"]]],
        ["br_if", "$more", ["i32.ne", state, UNWINDING]],
      ],
    ],
  ].map((x) => list(clone(x)));
}

// -------------------------------------------------------------------------------------------------------------- reading

const isState = (x: Node | undefined) => head(x) === "global.get" && list(x)[1] === STATE;
const isRewindingTest = (x: Node | undefined) =>
  head(x) === "i32.eq" && isState(list(x)[1]) && list(list(x)[2])[1] === "2";
const isRewindIf = (x: Node) => head(x) === "if" && isRewindingTest(list(x)[1]);
const isCall = (x: Node | undefined) => head(x).startsWith("call");
const isDeclaration = (x: Node) => ["param", "result", "local", "type", "export"].includes(head(x));

function mentionsState(fn: List): boolean {
  let found = false;
  walk(fn, (x) => {
    found ||= isState(x);
  });
  return found;
}

function holdsBlock(x: Node, label: string): boolean {
  let found = false;
  walk(x, (y) => {
    found ||= y[0] === "block" && y[1] === label;
  });
  return found;
}

/** The lists from a function down to its interpreter dispatch, if it has one. */
function pathToDispatch(fn: List): List[] | undefined {
  const search = (x: Node): List[] | undefined => {
    if (typeof x === "string") return undefined;
    if (x[0] === "br_table" && x.length > 200) return [x];
    for (const y of x) {
      const found = search(y);
      if (found) return [x, ...found];
    }
    return undefined;
  };
  return search(fn);
}

const innermostLoop = (path: readonly List[]) => path.findLastIndex((x) => x[0] === "loop");

/** Puts code before a function's first instruction, after its name and declarations. */
function insertCode(fn: List, code: readonly List[]): void {
  let at = 2;
  for (let x = fn[at]; x !== undefined && (typeof x === "string" || isDeclaration(x)); x = fn[at]) at++;
  fn.splice(at, 0, ...code);
}
