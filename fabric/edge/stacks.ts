/** Stacks of errors in a job's output, put back to the author's own files and lines. */
import { SourceMap } from "node:module";
import type { Program } from "./bundle.ts";

/** A frame of a guest's stack: `    at name (file:line:column)`, or without the name. */
const FRAME = /^( +at .*?\(?)([^\s():]+):(\d+):(\d+)(\)?)$/gm;

/** What rewrites a piece of output, or undefined where the program is the author's own text. */
export function stackRewriter({
  fileName,
  map,
}: Program): ((fd: number, data: Uint8Array) => Uint8Array) | undefined {
  if (!map) return undefined;
  let found: SourceMap | undefined;
  const mark = new TextEncoder().encode(`${fileName}:`);
  return (fd, data) => {
    if (fd !== 2 || Buffer.from(data.buffer, data.byteOffset, data.length).indexOf(mark) < 0) return data;
    found ??= new SourceMap({
      version: 3,
      file: fileName,
      sourceRoot: "",
      sourcesContent: [],
      ...copyOf(map),
    });
    const original = found;
    const text = new TextDecoder().decode(data).replace(FRAME, (frame, before, file, line, column, after) => {
      if (file !== fileName) return frame;
      const entry = original.findEntry(Number(line) - 1, Number(column) - 1);
      if (!("originalSource" in entry) || entry.originalSource === undefined) return frame; // the bundler's own
      return `${before}${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}${after}`;
    });
    return new TextEncoder().encode(text);
  };
}

const copyOf = ({ mappings, sources, names }: NonNullable<Program["map"]>) => ({
  mappings,
  sources: [...sources],
  names: [...names],
});
