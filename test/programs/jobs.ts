/** The programs of jobs/, how they are called, and what must come out: beside each, NAME.out and the files it writes. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bundleProgram, type Program } from "../../fabric/edge/bundle.ts";

export interface JobProgram {
  /** The file in jobs/. */
  readonly name: string;
  readonly args: readonly string[];
  /** Files of jobs/ that it finds in its directory. */
  readonly reads?: readonly string[];
  /** Files that it writes, which must be as they are in jobs/. */
  readonly writes?: readonly string[];
}

export const JOBS: readonly JobProgram[] = [
  { name: "ring.js", args: ["8", "4"] },
  { name: "ping-pong.js", args: [] },
  { name: "farm.js", args: ["3", "12"] },
  { name: "sieve.js", args: ["40"] },
  { name: "matrix.ts", args: [] },
  { name: "nbody.ts", args: ["6"] },
  { name: "philosophers.js", args: [] },
  { name: "pipeline.js", args: [] },
  { name: "mandelbrot.js", args: ["48", "32"], writes: ["mandelbrot.pgm"] },
  { name: "linda.js", args: ["30"] },
  { name: "words.js", args: ["alice29.txt"], reads: ["alice29.txt"] },
  { name: "sort.js", args: [] },
  { name: "reap.js", args: [] },
  { name: "tree.js", args: ["6"] },
  { name: "orphans.js", args: [] },
  { name: "hunted.js", args: [] },
  { name: "writers.js", args: [] },
  { name: "clock.js", args: [] },
];

export const pathOf = (name: string) => fileURLToPath(new URL(`./jobs/${name}`, import.meta.url));
const contents = async (names: readonly string[]) =>
  Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(pathOf(name))] as const)),
  );

export interface LoadedJob {
  readonly program: Program;
  readonly files: Readonly<Record<string, Uint8Array>>;
  readonly expected: { readonly stdout: string; readonly files: Readonly<Record<string, Uint8Array>> };
}

export async function load({ name, reads = [], writes = [] }: JobProgram): Promise<LoadedJob> {
  const { source } = await bundleProgram(pathOf(name));
  const stdout = await readFile(pathOf(name.replace(/\.[jt]s$/, ".out")), "utf8");
  return {
    program: { source, fileName: name },
    files: await contents(reads),
    expected: { stdout, files: await contents(writes) },
  };
}
