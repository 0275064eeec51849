/** The same compilation by plain Node, to compare with: node reference.mjs [DIRECTORY [OUTPUT]], default "." and "dist/reference". */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compile, isSkipped, isSource, outputPath } from "./compile.js";

const [directory = ".", output = "dist/reference"] = process.argv.slice(2);

/** @param {string} below */
function compileBelow(below) {
  for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (entry.isDirectory()) {
      if (!isSkipped(entry.name)) compileBelow(path);
    } else if (entry.isFile() && isSource(entry.name)) {
      const target = join(output, outputPath(path));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, compile(path, readFileSync(join(directory, path), "utf8")));
    }
  }
}

compileBelow("");
