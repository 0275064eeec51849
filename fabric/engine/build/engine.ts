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
import { checkNestedFunctions } from "./nesting.ts";
import { forms, head, type List, list, parse, print, unquote, word } from "./parse.ts";
import { assertClosed, maySuspend } from "./reach.ts";
import { PROMISE_REJECTION, reportRejections } from "./rejections.ts";
import { FEATURES, markSites } from "./sites.ts";
import { askBeforeOverflow, STACK_LOW } from "./stack.ts";

const STOCK_PACKAGE = "@jitl/quickjs-wasmfile-release-sync";
const STOCK_SHA256 = "105c3bed22d457e43e3d1c3c1c6959fda62a8fe06f0fc8a985303c3a2be72232";

/** The imports during which a machine may be suspended. */
const SUSPENDING = ["call_host", "poll_interrupt"];

/** Imports that the stock module does not have. */
const OURS = new Set([STACK_LOW, PROMISE_REJECTION].map((x) => x[2]));

/** They leave locals alone: copies of a function stay alike. */
const FINISH = [
  "precompute",
  "dce",
  "remove-unused-names",
  "merge-blocks",
  "remove-unused-brs",
  "remove-unused-names",
  "merge-blocks",
  "vacuum",
  "remove-unused-module-elements",
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
  const stock = binaryen.readBinary(wasm);
  stock.setFeatures(FEATURES);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  stock.optimize(); // once more than its makers did: worth 1–2 % of the speed
  const module = parse(stock.emitText());
  stock.dispose();
  const functionImports = forms(module, "import").filter((x) => head(x[3]) === "func");
  const names = readNames(glue, new Set(functionImports.map((x) => unquote(x[2]))));
  const suspending = functionImports.filter((x) =>
    SUSPENDING.includes(names.imports.get(unquote(x[2])) ?? ""),
  );
  const imports = suspending.map((x) => word(list(x[3])[1]));
  const minified = (name: string) => [...names.exports].find(([, x]) => x === name)?.[0] ?? "";
  const setMaxStackSize = minified("QTS_RuntimeSetMaxStackSize");
  checkNestedFunctions(module, setMaxStackSize);
  reportRejections(module);
  const functions = maySuspend(module, imports);
  const free = forms(module, "export").find((x) => unquote(x[1]) === minified("free"));
  askBeforeOverflow(module, functions, setMaxStackSize);
  imports.push(word(list(STACK_LOW[3])[1]));
  // Once more, on what is built: with the calls that were added, and whoever has changed the set in between.
  assertClosed(module, functions, imports);

  shrink(module, SEGMENT_BYTES); // the first segment of the C stack is the module's own
  const marked = markSites(rename(module, names), functions, imports);
  const {
    module: split,
    frameKinds,
    interpreters,
  } = splitFunctions(marked, functions, word(list(free?.[2])[1]));
  if (interpreters !== 1)
    throw new Error(
      `The module has ${interpreters} functions that look like QuickJS's interpreter loop where one was expected; the build must be taught to tell it.`,
    );
  const built = binaryen.parseText(print(split));
  built.setFeatures(FEATURES);
  if (!built.validate()) throw new Error("bug: the rewritten module is not valid");
  built.runPasses(FINISH);
  const bytes = built.emitBinary();
  built.dispose();
  return { bytes, frameKinds };
}

/** Real names for imports and exports; exports that nothing uses go; the memory becomes the module's own. */
function rename(module: List, names: Names): List {
  const exported = new Set<string>();
  const keep: readonly string[] = KEPT_EXPORTS;
  const memory = forms(module, "import").find((x) => head(x[3]) === "memory");
  const kept = module.filter((x) => {
    if (x === memory) return false;
    if (head(x) === "import" && !OURS.has(list(x)[2])) {
      const form = list(x);
      const name = names.imports.get(unquote(form[2]));
      form[1] = '"env"';
      form[2] = `"${name}"`;
    } else if (head(x) === "export") {
      const form = list(x);
      const name = names.exports.get(unquote(form[1])) ?? "";
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
