/**
 * Makes processes small. The stock module keeps a 5 MiB C stack between its static data and its heap and asks for a
 * 16 MiB memory. QuickJS bounds its own use of the stack far below that, so the stack is shortened here and everything
 * above it moves down. The places where the linker wrote the old addresses are found by value, and each must occur
 * exactly as often as expected, or the build ends with a sentence.
 *
 * How large its memory is, a process learns from a global instead of from the memory: so that it can be given one that
 * another has left behind, larger than it knows.
 */
import { forms, head, type List, list, type Node, unquote, walk, word } from "./parse.ts";

const PAGE_BYTES = 65536;

/** Shortens the stack to `stackBytes` and the imported memory's minimum to what lies below the heap and one page of it. */
export function shrink(module: List, stackBytes: number): void {
  const bottom = alignUp(staticDataEnd(module), 16);
  const stackPointer = forms(module, "global").find((g) => head(list(g[2])) === "mut");
  const top = Number(list(stackPointer?.[3])[1]);
  const newTop = bottom + alignUp(stackBytes, 16);
  const replace = (constant: List, value: number) => {
    constant[1] = String(value);
  };

  // The stack pointer's start, the constructors' note of where the stack is, and the first address `sbrk` hands out.
  replace(list(stackPointer?.[3]), newTop);
  replace(onlyConstant(module, top), newTop);
  replace(onlyConstant(module, top - bottom), newTop - bottom);
  replaceDataWord(module, top, newTop);

  const memory = forms(module, "import").find((x) => head(x[3]) === "memory");
  const minimum = String(Math.ceil(newTop / PAGE_BYTES) + 1);
  list(memory?.[3])[2] = minimum;
  replaceMemorySize(module, minimum);
}

/** The allocator's only look at the memory's size becomes a look at a global, which the host sets. */
function replaceMemorySize(module: List, pages: string): void {
  const found: List[] = [];
  for (const f of forms(module, "func"))
    walk(f, (x) => {
      if (x[0] === "memory.size" || x[0] === "memory.grow") found.push(x);
    });
  const [only] = found;
  if (!only || found.length > 1) throw moved(`it asks for the memory's size in ${found.length} places`);
  only.splice(0, only.length, "global.get", "$memory_pages");
  module.push([
    "global",
    "$memory_pages",
    ["export", '"memory_pages"'],
    ["mut", "i32"],
    ["i32.const", pages],
  ]);
}

/** The end of what is initialised: data segments, and what the start function fills with zeros. */
function staticDataEnd(module: List): number {
  let end = 0;
  for (const segment of forms(module, "data"))
    end = Math.max(end, Number(list(segment[2])[1]) + decodeData(unquote(segment[3])).length);
  const startName = forms(module, "start")[0]?.[1];
  const start = forms(module, "func").find((f) => f[1] === startName);
  if (start)
    walk(start, (x) => {
      if (x[0] === "memory.fill") end = Math.max(end, Number(list(x[1])[1]) + Number(list(x[3])[1]));
    });
  return end;
}

function onlyConstant(module: List, value: number): List {
  const found: List[] = [];
  for (const f of forms(module, "func"))
    walk(f, (x) => {
      if (x[0] === "i32.const" && x[1] === String(value)) found.push(x);
    });
  const [only] = found;
  if (!only || found.length > 1) throw moved(`the number ${value} occurs ${found.length} times in its code`);
  return only;
}

function replaceDataWord(module: List, value: number, by: number): void {
  let replaced = 0;
  for (const segment of forms(module, "data")) {
    const bytes = decodeData(unquote(segment[3]));
    const view = new DataView(bytes.buffer);
    const misaligned = -Number(list(segment[2])[1]) & 3;
    let touched = false;
    // The linker leaves out trailing zeros: a word may lack its last bytes.
    for (let at = misaligned; at < bytes.length; at += 4) {
      let n = 0;
      for (let i = 3; i >= 0; i--) n = n * 256 + (bytes[at + i] ?? 0);
      if (n !== value) continue;
      if (bytes.length - at < 3 || by >= 1 << 24) throw moved("the heap's start is cut short in its data");
      view.setUint16(at, by & 0xffff, true);
      view.setUint8(at + 2, by >> 16);
      touched = true;
      replaced++;
    }
    if (touched) segment[3] = encodeData(bytes);
  }
  if (replaced !== 1) throw moved(`the heap's start occurs ${replaced} times in its data`);
}

const ESCAPES: Record<string, number> = { t: 9, n: 10, r: 13, '"': 34, "'": 39, "\\": 92 };

function decodeData(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== "\\") {
      bytes.push(text.charCodeAt(i));
      continue;
    }
    const escaped = ESCAPES[text[i + 1] ?? ""];
    bytes.push(escaped ?? Number.parseInt(text.slice(i + 1, i + 3), 16));
    i += escaped === undefined ? 2 : 1;
  }
  return Uint8Array.from(bytes);
}

const encodeData = (bytes: Uint8Array): Node =>
  word(`"${Array.from(bytes, (b) => `\\${b.toString(16).padStart(2, "0")}`).join("")}"`);

const alignUp = (n: number, to: number) => Math.ceil(n / to) * to;
const moved = (what: string) =>
  new Error(
    `The QuickJS package lays its memory out in another way (${what}); teach fabric/engine/build/layout.ts.`,
  );
