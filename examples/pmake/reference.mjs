/** The same compilation by plain Node, to compare with: node reference.mjs [DIRECTORY [OUTPUT]], default "." and "dist/reference". */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { compile, isSkipped, isSource, outputPath } from "./compile.js";

/**
 * What pmake must make of a directory: each output's path and text.
 * @param {string} directory
 * @param {string} [below]
 * @returns {Generator<[path: string, code: string]>}
 */
export function* compileTree(directory, below = "") {
  for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory()) {
      if (!isSkipped(entry.name)) yield* compileTree(directory, path);
    } else if (entry.isFile() && isSource(entry.name))
      yield [outputPath(path), compile(path, readFileSync(join(directory, path), "utf8"))];
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [directory = ".", output = "dist/reference"] = process.argv.slice(2);
  for (const [path, code] of compileTree(directory)) {
    mkdirSync(dirname(join(output, path)), { recursive: true });
    writeFileSync(join(output, path), code);
  }
}
