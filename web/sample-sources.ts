/** Roost's own sources, as files for a job to compile. A chunk of its own: loaded when such a job is launched. */
const found = import.meta.glob("../{fabric,relay,web}/**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
}) as Record<string, string>;

const encoder = new TextEncoder();

/** By path from the root of the repository. */
export const SOURCES: ReadonlyMap<string, Uint8Array> = new Map(
  Object.entries(found).map(([path, text]) => [
    path.startsWith("../") ? path.slice(3) : `web/${path.slice(2)}`,
    encoder.encode(text),
  ]),
);
