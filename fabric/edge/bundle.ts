/** Makes one ES module of a job's program: TypeScript erased, imports bundled, "roost" left for the guest. */
import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, extname, resolve } from "node:path";
import { RoostError } from "../base/errors.ts";

export interface Program {
  readonly source: string;
  readonly fileName: string;
}

/** Throws RoostError with a sentence, and where the trouble is, when the program cannot be bundled. */
export async function bundleProgram(file: string): Promise<Program> {
  const path = resolve(file);
  const original = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EISDIR")
      throw new RoostError("EISDIR", `${file} is a directory; name the program's file`);
    throw new RoostError("ENOENT", `cannot read ${file}; is the path right?`, { cause: error });
  });
  const plain = [".js", ".mjs"].includes(extname(path));
  // Most small jobs import nothing but "roost": they run as they are, with their own line numbers.
  if (
    plain &&
    !/\b(import|require)\b(?!\s*\{[^}]*\}\s*from\s*["']roost["'])|\bfrom\s*["'](?!roost["'])/.test(original)
  )
    return { source: original, fileName: file };

  const { rolldown } = await import("rolldown");
  const missing: string[] = [];
  try {
    await using bundle = await rolldown({
      input: path,
      external: (id) => id === "roost",
      platform: "neutral",
      resolve: { mainFields: ["module", "main"] },
      logLevel: "silent",
      onLog: (_level, log) => {
        if (log.code === "UNRESOLVED_IMPORT") missing.push(log.message);
      },
    });
    const { output } = await bundle.generate({ format: "es", codeSplitting: false });
    const [chunk] = output;
    const foreign = chunk.imports.filter((name) => name !== "roost");
    if (foreign.length > 0) throw new RoostError("EINVAL", cannotUse(file, foreign));
    const unbundled = plain && chunk.moduleIds.length === 1;
    return { source: unbundled ? original : chunk.code, fileName: unbundled ? file : basename(file) };
  } catch (error) {
    if (error instanceof RoostError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new RoostError("EINVAL", `${file} cannot be made into a program:\n${message}`, { cause: error });
  }
}

function cannotUse(file: string, names: readonly string[]): string {
  const builtins = names.filter(isBuiltin);
  return builtins.length > 0
    ? `${file} imports ${builtins.join(", ")}: a job has no Node modules. Files are \`import { fs } from "roost"\`; there is no network.`
    : `${file} imports ${names.join(", ")}, which cannot be found; is it installed (npm install)?`;
}
