/**
 * Builds the engine: the pinned stock build of QuickJS, turned into one whose running state can be written down.
 * Deterministic: the same inputs give the same bytes, on every machine.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import binaryen from "binaryen";
import { KEPT_EXPORTS } from "../exports.ts";
import { SEGMENT_BYTES } from "../memory-map.ts";
import { splitFunctions } from "./frames.ts";
import { shrink } from "./layout.ts";
import { type Names, readNames } from "./names.ts";
import { forms, head, type List, list, parse, print, unquote, word } from "./parse.ts";
import { assertClosed, maySuspend } from "./reach.ts";
import { askBeforeOverflow, STACK_LOW } from "./stack.ts";

const STOCK_PACKAGE = "@jitl/quickjs-wasmfile-release-sync";
const STOCK_SHA256 = "105c3bed22d457e43e3d1c3c1c6959fda62a8fe06f0fc8a985303c3a2be72232";

/** The imports during which a machine may be suspended. */
const SUSPENDING = ["call_host", "poll_interrupt"];

/** What is needed to suspend and to resume, made by Asyncify, stack.ts and layout.ts. */
const ADDED_EXPORTS = [
  "asyncify_start_unwind",
  "asyncify_stop_unwind",
  "asyncify_start_rewind",
  "stack_mark",
  "memory_pages",
];

export interface BuiltEngine {
  readonly bytes: Uint8Array;
  readonly frameKinds: number;
}

export interface StockFiles {
  readonly wasm: Uint8Array;
  /** Emscripten's JavaScript, read for the names in it and never run. */
  readonly glue: string;
}

export async function stockFiles(): Promise<StockFiles> {
  const resolve = createRequire(import.meta.url).resolve;
  const wasm = await readFile(resolve(`${STOCK_PACKAGE}/wasm`));
  const hash = createHash("sha256").update(wasm).digest("hex");
  if (hash !== STOCK_SHA256)
    throw new Error(
      `The installed ${STOCK_PACKAGE} is not the one this engine was made for (its module's SHA-256 is ${hash}). Run npm ci; to change versions on purpose, run the engine's tests against the new one and put its hash into fabric/engine/build/engine.ts.`,
    );
  return { wasm, glue: await readFile(resolve(`${STOCK_PACKAGE}/emscripten-module`), "utf8") };
}

export function buildEngine({ wasm, glue }: StockFiles): BuiltEngine {
  // Named one by one: with "all", binaryen writes encodings that Node 20 and older browsers refuse.
  const F = binaryen.Features;
  const features =
    F.MutableGlobals |
    F.NontrappingFPToInt |
    F.SignExt |
    F.BulkMemory |
    F.BulkMemoryOpt |
    F.Multivalue |
    F.ReferenceTypes;

  const stock = binaryen.readBinary(wasm);
  stock.setFeatures(features);
  const module = parse(stock.emitText());
  stock.dispose();
  const functionImports = forms(module, "import").filter((x) => head(x[3]) === "func");
  const names = readNames(glue, new Set(functionImports.map((x) => unquote(x[2]))));
  const suspending = functionImports.filter((x) =>
    SUSPENDING.includes(names.imports.get(unquote(x[2])) ?? ""),
  );
  const functions = maySuspend(
    module,
    suspending.map((x) => word(list(x[3])[1])),
  );
  const minified = (name: string) => [...names.exports].find(([, x]) => x === name)?.[0] ?? "";
  const free = forms(module, "export").find((x) => unquote(x[1]) === minified("free"));
  askBeforeOverflow(module, functions, minified("QTS_RuntimeSetMaxStackSize"));
  suspending.push(STACK_LOW);
  // Once more, on what is built: with the calls that were added, and whoever has changed the set in between.
  assertClosed(
    module,
    functions,
    suspending.map((x) => word(list(x[3])[1])),
  );

  binaryen.setPassArgument(
    "asyncify-imports",
    suspending.map((x) => `${unquote(x[1])}.${unquote(x[2])}`).join(","),
  );
  binaryen.setPassArgument("asyncify-onlylist", [...functions].map((f) => f.slice(1)).join(","));
  const suspendable = binaryen.parseText(print(module));
  suspendable.setFeatures(features);
  suspendable.runPasses(["asyncify"]);
  const asyncified = parse(suspendable.emitText());
  suspendable.dispose();

  shrink(asyncified, SEGMENT_BYTES); // the first segment of the C stack is the module's own
  const { module: split, frameKinds } = splitFunctions(rename(asyncified, names), word(list(free?.[2])[1]));
  const built = binaryen.parseText(print(split));
  built.setFeatures(features);
  if (!built.validate()) throw new Error("bug: the rewritten module is not valid");
  // Inlining a resume function back into the driver or the interpreter's copy costs a quarter of the speed.
  binaryen.setOneCallerInlineMaxSize(0);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  built.optimize();
  const bytes = built.emitBinary();
  built.dispose();
  return { bytes, frameKinds };
}

/** Real names for imports and exports; exports that nothing uses go; the memory becomes the module's own. */
function rename(module: List, names: Names): List {
  const exported = new Set<string>();
  const keep = [...KEPT_EXPORTS, ...ADDED_EXPORTS] as readonly string[];
  const memory = forms(module, "import").find((x) => head(x[3]) === "memory");
  const kept = module.filter((x) => {
    if (x === memory) return false;
    if (head(x) === "import" && list(x)[2] !== STACK_LOW[2]) {
      const form = list(x);
      const name = names.imports.get(unquote(form[2]));
      form[1] = '"env"';
      form[2] = `"${name}"`;
    } else if (head(x) === "export") {
      const form = list(x);
      const minified = unquote(form[1]);
      const name = ADDED_EXPORTS.includes(minified) ? minified : (names.exports.get(minified) ?? "");
      form[1] = `"${name}"`;
      exported.add(name);
      return keep.includes(name);
    }
    return true;
  });
  const [, name = "", minimum = "", maximum = ""] = list(memory?.[3]);
  kept.push(["memory", name, ["export", '"memory"'], minimum, maximum]);
  const missing = KEPT_EXPORTS.find((name) => !exported.has(name));
  if (missing)
    throw new Error(
      `The QuickJS package no longer exports ${missing}; the engine needs another way to do that.`,
    );
  return kept;
}
