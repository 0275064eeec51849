/**
 * `build-engine [file]`: writes the engine (dist/engine/engine.wasm unless told otherwise) unless an up-to-date one is
 * there. What it was made from is kept beside it in a small JSON file.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildEngine, type StockFiles, stockFiles } from "./engine.ts";

export interface Ensured {
  /** False: it was there already, made from the same inputs. */
  readonly built: boolean;
  readonly tookMs: number;
  readonly bytes: number;
}

/** Makes sure that `outFile` holds the engine of this version. Two at once are safe: each puts a whole file in place. */
export async function ensureEngine(outFile: string): Promise<Ensured> {
  const began = performance.now();
  const stock = await stockFiles();
  const key = await inputsKey(stock);
  const keyFile = `${outFile}.json`;
  const there = await currentEngine(outFile, keyFile, key);
  if (there) return { built: false, tookMs: performance.now() - began, bytes: there };

  const { bytes, frameKinds } = buildEngine(stock);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await mkdir(dirname(outFile), { recursive: true });
  await replaceFile(outFile, bytes);
  await replaceFile(keyFile, `${JSON.stringify({ key, sha256, frameKinds }, null, 2)}\n`);
  return { built: true, tookMs: performance.now() - began, bytes: bytes.length };
}

/** Everything the result depends on: the stock module and its glue, binaryen, and the code of this build. */
async function inputsKey({ wasm, glue }: StockFiles): Promise<string> {
  const hash = createHash("sha256").update(wasm).update(glue);
  const binaryenPackage = createRequire(import.meta.url).resolve("binaryen/package.json");
  hash.update(JSON.parse(await readFile(binaryenPackage, "utf8")).version);
  hash.update(await buildCode());
  return hash.digest("hex");
}

/** The sources of this build, so that it makes no difference whether it runs bundled or (in tests) as it is. */
async function buildCode(): Promise<string> {
  const folder = new URL("fabric/engine/build/", await packageRoot());
  const files = (await readdir(folder)).filter((name) => name.endsWith(".ts")).sort();
  files.push("../exports.ts", "../memory-map.ts");
  return (await Promise.all(files.map((name) => readFile(new URL(name, folder), "utf8")))).join("\0");
}

/** The nearest folder above this file that holds Roost's package.json. */
async function packageRoot(): Promise<URL> {
  for (let at = new URL(".", import.meta.url), above: URL; ; at = above) {
    const note = await readFile(new URL("package.json", at), "utf8").catch(() => "{}");
    if (JSON.parse(note).name === "roost") return at;
    above = new URL("..", at);
    if (above.href === at.href)
      throw new Error("The engine is built inside a checkout of Roost, and there is none here.");
  }
}

/** The length of an engine that is there, whole, and made from the same inputs. */
async function currentEngine(outFile: string, keyFile: string, key: string): Promise<number | undefined> {
  try {
    const [bytes, note] = await Promise.all([readFile(outFile), readFile(keyFile, "utf8")]);
    const { key: keyThere, sha256 } = JSON.parse(note);
    const whole = createHash("sha256").update(bytes).digest("hex") === sha256;
    return keyThere === key && whole ? bytes.length : undefined;
  } catch {
    return undefined;
  }
}

async function replaceFile(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, content);
  await rename(temporary, file);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const outFile = resolve(process.argv[2] ?? "dist/engine/engine.wasm");
  const { built, tookMs, bytes } = await ensureEngine(outFile);
  const seconds = (tookMs / 1000).toFixed(1);
  const size = `${Math.round(bytes / 1024)} KiB`;
  console.log(
    built
      ? `engine: built ${outFile} (${size}) in ${seconds} s`
      : `engine: up to date (${size}, ${seconds} s)`,
  );
}
