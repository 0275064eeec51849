/**
 * What runs frames on the heap (frames.ts): a table of resume functions, and the functions that start, stop and run pending
 * frames, one after the other.
 */
import { FRAMES_HEADER } from "../memory-map.ts";
import type { Local } from "./lower.ts";
import { clone, type List, list, type Node } from "./parse.ts";
import { AT } from "./route.ts";

export const STATE = "$state";
export const DATA = "$data";
export const RESUMED = "$resumed";
const state: List = ["global.get", STATE];
const data: List = ["global.get", DATA];
const NORMAL: List = ["i32.const", "0"];
const UNWINDING: List = ["i32.const", "1"];

/** Where a value passes between a resumed frame and the next: one global for each type. */
export const passed = (type: string) => `$passed_${type}`;
export const VALUE_TYPES = ["i32", "i64", "f64", "f32"];

/** A function that has frames. */
export interface FrameKind {
  /** The name of its resume function, of its own type. */
  readonly resume: string;
  readonly params: readonly Local[];
  readonly result: string | undefined;
}

/** A number for each kind of frame. Those of the same type follow each other. */
export interface Kinds<Kind extends FrameKind> {
  /** The names of the resume functions, by number. */
  readonly resumes: readonly string[];
  /** Their types in the order of the numbers, each with one past its last number. */
  readonly types: readonly FrameType[];
  readonly numbers: ReadonlyMap<Kind, number>;
}

interface FrameType {
  readonly name: string;
  readonly params: readonly string[];
  readonly result: string | undefined;
  readonly end: number;
}

export function kindsOf<Kind extends FrameKind>(kinds: readonly Kind[]): Kinds<Kind> {
  const resumes = ["$leave_segment"]; // number LEAVE_SEGMENT
  const types: FrameType[] = [{ name: "$frame_type", params: [], result: undefined, end: 1 }];
  const numbers = new Map<Kind, number>();
  const byType = new Map<string, Kind[]>();
  for (const kind of kinds) {
    const name = `$frame_${kind.params.map((v) => v.type).join("_")}_${kind.result ?? ""}`;
    byType.set(name, [...(byType.get(name) ?? []), kind]);
  }
  for (const [name, group] of byType) {
    for (const kind of group) numbers.set(kind, resumes.push(kind.resume) - 1);
    const [{ params, result }] = group as [Kind];
    types.push({ name, params: params.map((v) => v.type), result, end: resumes.length });
  }
  return { resumes, types, numbers };
}

/** The globals for values, the table of resume functions, and the functions that start, stop and run pending frames. */
export function driver({ resumes, types }: Kinds<FrameKind>): List[] {
  const count = String(resumes.length);
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
  /** Runs the frame of one of these types. What it gives when it has been suspended again is overwritten before anybody takes it. */
  const run = (some: readonly FrameType[]): List => {
    const [{ name, params, result }] = some as [FrameType];
    if (some.length > 1) {
      const half = some.length >> 1;
      const isEarlier: List = ["i32.lt_u", get("$number"), ["i32.const", String(some[half - 1]?.end)]];
      return ["if", isEarlier, ["then", run(some.slice(0, half))], ["else", run(some.slice(half))]];
    }
    const unused = params.map((type): List => [`${type}.const`, "0"]);
    const call: List = ["call_indirect", "$frames", ["type", name], ...unused, get("$number")];
    return result ? ["global.set", passed(result), call] : call;
  };
  return [
    global(STATE, "i32"),
    global(DATA, "i32"),
    global(RESUMED, "i32"),
    global(AT, "i32"),
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
    ...types.map(({ name, params, result }): List => {
      const given = result ? [["result", result]] : [];
      return ["type", name, ["func", ...params.map((type) => ["param", type]), ...given]];
    }),
    ["table", "$frames", count, count, "funcref"],
    ["elem", "$frame_functions", ["table", "$frames"], ["i32.const", "0"], "func", ...resumes],
    [
      "func",
      "$resume_frames",
      ["export", '"resume_frames"'],
      ["param", "$data", "i32"],
      ["local", "$frame", "i32"],
      ["local", "$number", "i32"],
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
        ["local.set", "$number", ["i32.load", get("$frame")]],
        run(types),
        ["br_if", "$more", ["i32.eqz", state]],
      ],
    ],
  ].map((x) => list(clone(x as Node)));
}

const get = (local: string): List => ["local.get", local];
