/**
 * The same compilation by plain Node, to compare with: node reference.mjs [DIRECTORY [OUTPUT [COMPILER]]], default ".",
 * "dist/reference" and "sucrase".
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { COMPILERS, isSkipped, outputPath } from "./compile.js";

const [directory = ".", output = "dist/reference", name = "sucrase"] = process.argv.slice(2);
const compiler = COMPILERS[name];
if (!compiler) throw new Error(`there is no compiler ${name}`);

/** @param {string} below */
function compileBelow(below) {
  const entries = readdirSync(join(directory, below), { withFileTypes: true });
  const sources = entries.filter((entry) => entry.isFile() && compiler.takes.test(entry.name));
  const names = sources.map((entry) => entry.name);
  for (const source of names) {
    const path = below ? `${below}/${source}` : source;
    const target = join(output, outputPath(path, names, compiler.makes));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, compiler.compile(path, readFileSync(join(directory, path), "utf8")));
  }
  for (const entry of entries)
    if (entry.isDirectory() && !isSkipped(entry.name))
      compileBelow(below ? `${below}/${entry.name}` : entry.name);
}

compileBelow("");
