/**
 * The built page, as it was when the relay began: read once and served from memory. A build that comes meanwhile
 * mixes with nothing, and ends nothing.
 */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import type { RequestHandler } from "express";

/** Forms that a build adds beside a file, by their endings: the smallest first. */
const ENCODINGS = [
  [".br", "br"],
  [".gz", "gzip"],
] as const;

/** Answers for every file below `directory`, `index.html` for `/`; leaves other requests to others. */
export function page(directory: string): RequestHandler {
  const files = new Map<string, Buffer>();
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    files.set(`/${relative(directory, file).replaceAll("\\", "/")}`, readFileSync(file));
  }
  return (request, response, next) => {
    const path = request.path === "/" ? "/index.html" : request.path;
    const plain = files.get(path);
    if (!plain || (request.method !== "GET" && request.method !== "HEAD")) return next();
    const hashed = path.startsWith("/assets/"); // the build puts a hash into these names
    response.set("cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache");
    response.type(extname(path)).vary("accept-encoding");
    const compressed = ENCODINGS.find(
      ([ending, name]) => files.has(path + ending) && request.acceptsEncodings(name),
    );
    if (compressed) response.set("content-encoding", compressed[1]);
    response.send(compressed ? files.get(path + compressed[0]) : plain);
  };
}
