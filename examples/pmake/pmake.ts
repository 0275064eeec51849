/**
 * Compiles a tree of TypeScript on every host there is: today's form of Sprite's yardstick.
 * Usage: pmake.ts [DIRECTORY [OUTPUT]], default "." and "dist/pmake".
 *
 * One process finds the sources, splits them into batches of like size and forks one process for each; a child has
 * everything the parent knows, the compiler included, and compiles its batch. What is printed, and every output,
 * depends on the sources alone: not on the hosts, nor on which batch is done first.
 */
import { exit, fork, fs, waitpid } from "roost";
import { compile, isSkipped, isSource, outputPath } from "./compile.js";

/** Small enough that hosts of unequal speed end together, large enough that a fork is nothing beside it. */
const BATCH_BYTES = 32 * 1024;
const BATCHES_MIN = 4;
const BATCHES_MAX = 32;

interface Source {
  readonly path: string;
  readonly bytes: number;
}
interface Result {
  files: number;
  bytesIn: number;
  bytesOut: number;
  failures: { path: string; message: string }[];
}

const [directory = ".", output = "dist/pmake"] = process.argv.slice(2);

const join = (...parts: string[]) => parts.filter((part) => part !== "" && part !== ".").join("/");
const directoryOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
const text = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Every source below, by path relative to the directory. */
function find(below = ""): Source[] {
  return fs.readdirSync(join(directory, below) || ".", { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.isDirectory())
      return isSkipped(entry.name) || join(directory, path) === output ? [] : find(path);
    return isSource(entry.name) ? [{ path, bytes: fs.statSync(join(directory, path)).size }] : [];
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
  for (const { path, bytes } of batch) {
    try {
      const code = compile(path, fs.readFileSync(join(directory, path), "utf8"));
      const target = join(output, outputPath(path));
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
    console.error(`pmake: there is no TypeScript file below ${directory}`);
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
  console.log(
    `${total.files} files: ${total.bytesIn} bytes of TypeScript, ${total.bytesOut} bytes of JavaScript`,
  );
  for (const { path, message } of total.failures) console.error(`${path}: ${message}`);
  return total.failures.length > 0 ? 1 : 0;
}

exit(main());
