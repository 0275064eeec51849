/**
 * What is compiled, and how: shared by the job and by the reference that plain Node makes, which must agree byte for
 * byte. Plain JavaScript, so that Node runs it as it is.
 */
import { marked } from "marked";
import { transform } from "sucrase";

/**
 * Directories that hold no sources of the project's own.
 * @param {string} name
 */
export const isSkipped = (name) => name === "node_modules" || name === "dist" || name.startsWith(".");

/**
 * By name: which files a compiler takes, what its outputs end in, and what it makes of a source. `compile` throws an error
 * that names the line and column of what cannot be compiled.
 * @type {Record<string, { takes: RegExp, makes: string, compile(path: string, source: string): string }>}
 */
export const COMPILERS = {
  sucrase: { takes: /(?<!\.d)\.tsx?$/, makes: ".js", compile: fromTypeScript },
  marked: { takes: /\.md$/, makes: ".html", compile: (_, source) => marked.parse(source, { async: false }) },
};

/**
 * Where the output of a source goes, below the output directory. Two sources of one directory that differ only in their
 * ending (`x.ts` and `x.tsx`) keep it: `x.ts.js`, `x.tsx.js`.
 * @param {string} path
 * @param {readonly string[]} siblings the names of all sources of its directory
 * @param {string} ending
 */
export function outputPath(path, siblings, ending) {
  const stem = path.replace(/\.\w+$/, "");
  const name = stem.slice(stem.lastIndexOf("/") + 1);
  const alike = siblings.filter((sibling) => sibling.replace(/\.\w+$/, "") === name);
  return (alike.length > 1 ? path : stem) + ending;
}

/**
 * @param {string} path
 * @param {string} source
 */
function fromTypeScript(path, source) {
  const { code } = transform(source, {
    transforms: path.endsWith(".tsx") ? ["typescript", "jsx"] : ["typescript"],
    jsxRuntime: "automatic",
    jsxImportSource: "preact",
    production: true,
    disableESTransforms: true,
    filePath: path,
  });
  return code;
}
