/** Programs that come with the page, loaded when they are chosen. */

export interface Program {
  readonly id: string;
  readonly title: string;
  /** What one sees when it runs. */
  readonly summary: string;
  readonly fileName: string;
  /** Arguments to begin with, as typed. */
  readonly args: string;
  readonly argsHint: string;
  source(): Promise<string>;
  /** Files it works on, and what they are in words. */
  readonly sample?: { readonly what: string; files(): Promise<ReadonlyMap<string, Uint8Array>> };
}

export const PROGRAMS: readonly Program[] = [
  {
    id: "queens",
    title: "queens",
    summary:
      "Counts the ways to put N queens on an N × N board. It forks in the middle of a recursive search, so whole call stacks fly.",
    fileName: "queens.js",
    args: "10",
    argsHint: "size of the board",
    source: async () => (await import("../examples/queens.js?program")).default,
  },
  {
    id: "pmake",
    title: "pmake",
    summary:
      "Compiles a directory of TypeScript, a forked process for each batch of files. The compiler itself runs inside the sandbox.",
    fileName: "pmake.js",
    args: ". out",
    argsHint: "directory, output directory",
    source: async () => (await import("../examples/pmake/pmake.ts?program")).default,
    sample: {
      what: "Roost’s own sources",
      files: async () => (await import("./sample-sources.ts")).SOURCES,
    },
  },
];

/** The person's own program, typed or opened. */
export const OWN = "own";
