/**
 * What is compiled, and how: shared by the job and by the reference that plain Node makes, which must agree byte for
 * byte. Plain JavaScript, so that Node runs it as it is.
 */
import { transform } from "sucrase";

/**
 * Directories that hold no sources of the project's own.
 * @param {string} name
 */
export const isSkipped = (name) => name === "node_modules" || name === "dist" || name.startsWith(".");

/** @param {string} name */
export const isSource = (name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts");

/**
 * Where the output of a source goes, below the output directory.
 * @param {string} path
 */
export const outputPath = (path) => path.replace(/\.tsx?$/, ".js");

/**
 * Throws an error that names the line and column of what cannot be compiled.
 * @param {string} path
 * @param {string} source
 * @returns {string}
 */
export function compile(path, source) {
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
