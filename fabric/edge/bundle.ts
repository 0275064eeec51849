/** Makes one ES module of a job's program: TypeScript erased, imports bundled, "roost" left for the guest. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { basename, extname, relative, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Plugin } from "rolldown";
import { RoostError } from "../base/errors.ts";

export interface Program {
  readonly source: string;
  readonly fileName: string;
  /** Where each place of `source` comes from, when it is not the author's own text. */
  readonly map?: ProgramMap;
}

/** A source map (version 3), with the paths of its sources from the current directory. */
export interface ProgramMap {
  readonly mappings: string;
  readonly sources: readonly string[];
  readonly names: readonly string[];
}

/** Throws RoostError with a sentence, and where the trouble is, when the program cannot be bundled. */
export async function bundleProgram(file: string): Promise<Program> {
  const path = resolve(file);
  const original = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EISDIR")
      throw new RoostError("EISDIR", `${file} is a directory; name the program's file`);
    if (error.code === "EACCES")
      throw new RoostError("EACCES", `${file} may not be read by you; look at its permissions`);
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
  const imports = new ForeignImports();
  try {
    await using bundle = await rolldown({
      input: path,
      platform: "neutral",
      resolve: { mainFields: ["module", "main"] },
      logLevel: "silent",
      plugins: [requiredModule, imports.plugin],
    });
    const { output } = await bundle.generate({ format: "es", codeSplitting: false, sourcemap: "hidden" });
    const [chunk] = output;
    const complaint = imports.complaint(chunk.imports);
    if (complaint) throw new RoostError("EINVAL", complaint);
    if (plain && chunk.moduleIds.length === 1) return { source: original, fileName: file };
    const program = { source: chunk.code, fileName: basename(file) };
    return chunk.map ? { ...program, map: fromHere(chunk.map) } : program;
  } catch (error) {
    if (error instanceof RoostError) throw error;
    const message = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
    throw new RoostError("EINVAL", `${file} cannot be made into a program:\n${message}`, { cause: error });
  }
}

/** The bundler names sources from where it would write its output by default. */
function fromHere({ mappings, sources, names }: ProgramMap): ProgramMap {
  return { mappings, names, sources: sources.map((source) => relative("", resolve("dist", source))) };
}

/** What a program asks for by `require("roost")`: a module that has it all, as the guest can only import. */
const requiredModule: Plugin = {
  name: "roost:required",
  resolveId: {
    order: "pre",
    handler: (name, _, { kind }) => {
      if (name !== "roost") return null;
      return kind === "require-call" ? REQUIRED : { id: name, external: true };
    },
  },
  load: (id) => (id === REQUIRED ? `export * from "roost";` : null),
};
const REQUIRED = "\0roost:required";

/** Who imports what no guest has. */
class ForeignImports {
  readonly #found: { readonly name: string; readonly importer: string; readonly now: boolean }[] = [];

  readonly plugin: Plugin = {
    name: "roost:foreign-imports",
    resolveId: {
      order: "pre",
      handler: async (name, importer, { kind }) => {
        if (!importer || name === "roost") return null;
        const native = name.endsWith(".node");
        this.#found.push({ name, importer, now: native || kind === "import-statement" });
        return native ? { id: name, external: true } : null;
      },
    },
  };

  /**
   * `left`: what the finished bundle imports. A package may ask for more where it makes do without, when it runs; in the
   * author's own files that is a mistake too.
   */
  complaint(left: readonly string[]): string | undefined {
    const wrong = this.#found.filter(
      ({ name, importer, now }) =>
        name !== "roost" &&
        (now ? left.includes(name) : isBuiltin(name) && !importer.includes("node_modules")),
    );
    const unknown = left.filter((name) => name !== "roost" && !wrong.some((w) => w.name === name));
    const sentences = [
      ...wrong.map(({ name, importer }) => `${place(importer, name)}: ${whyNot(name)}`),
      ...unknown.map(whyNot),
    ];
    if (sentences.length < 2) return sentences[0];
    return `the program asks for what a job has not:\n  ${sentences.join("\n  ")}`;
  }
}

/** `src/net.js:5`, from the current directory; the specifier is in the text as it is. */
function place(file: string, name: string): string {
  const lines = readFileSync(file, "utf8").split("\n");
  const line = lines.findIndex((text) => text.includes(`"${name}"`) || text.includes(`'${name}'`)) + 1;
  return line > 0 ? `${relative("", file)}:${line}` : relative("", file);
}

function whyNot(name: string): string {
  if (name.endsWith(".node")) return `${name} is a native add-on, and a job runs in WebAssembly`;
  if (!isBuiltin(name)) return `${name} cannot be found; is it installed (npm install)?`;
  return `${name} is not there for a job: ${instead(name.replace(/^node:/, ""))}`;
}

function instead(module: string): string {
  if (/^(net|http|https|http2|tls|dgram|dns)\b/.test(module)) return "there is no network";
  if (/^fs\b/.test(module)) return 'files are `import { fs } from "roost"`';
  if (/^(worker_threads|child_process|cluster)$/.test(module))
    return 'processes are `import { fork } from "roost"`';
  if (/^(crypto)$/.test(module)) return "`crypto.getRandomValues` is global";
  if (/^(readline)/.test(module)) return 'lines are `import { readline } from "roost"`';
  return "it has no Node modules";
}
