/**
 * Compiles a tree of sources on every host there is: today's form of Sprite's yardstick.
 * Usage: pmake.ts [DIRECTORY [OUTPUT [COMPILER]]], default ".", "dist/pmake" and "sucrase" (TypeScript); or "marked".
 *
 * One process finds the sources, splits them into batches of like size and forks one process for each; a child has
 * everything the parent knows, the compiler included, and compiles its batch. What is printed, and every output,
 * depends on the sources alone: not on the hosts, nor on which batch is done first.
 */
import { exit, fork, fs, waitpid } from "roost";
import { COMPILERS, isSkipped, outputPath } from "./compile.js";

/** Small enough that hosts of unequal speed end together, large enough that a fork is nothing beside it. */
const BATCH_BYTES = 32 * 1024;
const BATCHES_MIN = 4;
const BATCHES_MAX = 32;

interface Source {
  readonly path: string;
  readonly target: string;
  readonly bytes: number;
}
interface Result {
  files: number;
  bytesIn: number;
  bytesOut: number;
  failures: { path: string; message: string }[];
}

const [directory = ".", output = "dist/pmake", name = "sucrase"] = process.argv.slice(2);
const compiler = COMPILERS[name];
if (!compiler) {
  console.error(`pmake: there is no compiler ${name}; there are ${Object.keys(COMPILERS).join(", ")}`);
  exit(2);
}

const join = (...parts: string[]) => parts.filter((part) => part !== "" && part !== ".").join("/");
const directoryOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
const text = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Every source below, by path relative to the directory. */
function find(below = ""): Source[] {
  const entries = fs.readdirSync(join(directory, below) || ".", { withFileTypes: true });
  const names = entries.filter((e) => e.isFile() && compiler?.takes.test(e.name)).map((e) => e.name);
  return entries.flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.isDirectory())
      return isSkipped(entry.name) || join(directory, path) === output ? [] : find(path);
    if (!names.includes(entry.name)) return [];
    const target = join(output, outputPath(path, names, compiler?.makes ?? ""));
    return [{ path, target, bytes: fs.statSync(join(directory, path)).size }];
  });
}

/** Largest first, each to the batch that has least so far. */
function split(sources: readonly Source[]): Source[][] {
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
  const wanted = Math.min(BATCHES_MAX, Math.max(BATCHES_MIN, Math.ceil(bytes / BATCH_BYTES)));
  const batches = Array.from({ length: Math.min(wanted, sources.length) }, () => ({
    bytes: 0,
    sources: [] as Source[],
  }));
  for (const source of sources.toSorted((a, b) => b.bytes - a.bytes)) {
    const lightest = batches.reduce((least, batch) => (batch.bytes < least.bytes ? batch : least));
    lightest.sources.push(source);
    lightest.bytes += source.bytes;
  }
  return batches.map((batch) => batch.sources);
}

function compileAll(batch: readonly Source[]): Result {
  const result: Result = { files: 0, bytesIn: 0, bytesOut: 0, failures: [] };
  for (const { path, target, bytes } of batch) {
    try {
      const code = compiler?.compile(path, fs.readFileSync(join(directory, path), "utf8")) ?? "";
      fs.mkdirSync(directoryOf(target) || ".", { recursive: true });
      fs.writeFileSync(target, code);
      result.files++;
      result.bytesIn += bytes;
      result.bytesOut += new TextEncoder().encode(code).length;
    } catch (error) {
      result.failures.push({ path, message: text(error) });
    }
  }
  return result;
}

function main(): number {
  const sources = find();
  if (sources.length === 0) {
    console.error(`pmake: there is nothing for ${name} below ${directory}`);
    return 1;
  }
  const children = split(sources).map((batch) => {
    const pid = fork();
    if (pid === 0) exit(0, compileAll(batch));
    return { pid, batch };
  });

  const total: Result = { files: 0, bytesIn: 0, bytesOut: 0, failures: [] };
  for (const [n, { pid, batch }] of children.entries()) {
    const end = waitpid(pid);
    const result = end?.value as Result | undefined;
    if (!result) {
      const message = `its process was ended by ${end?.signal ?? `exit(${end?.status})`}`;
      total.failures.push(...batch.map(({ path }) => ({ path, message })));
      continue;
    }
    console.log(`batch ${n + 1}: ${result.files} files, ${result.bytesIn} bytes`);
    total.files += result.files;
    total.bytesIn += result.bytesIn;
    total.bytesOut += result.bytesOut;
    total.failures.push(...result.failures);
  }
  console.log(`${total.files} files: ${total.bytesIn} bytes in, ${total.bytesOut} bytes out`);
  for (const { path, message } of total.failures) console.error(`${path}: ${message}`);
  return total.failures.length > 0 ? 1 : 0;
}

exit(main());
