/**
 * For the build: puts every file of the page once more with brotli and with gzip beside it, as small as they can be. The relay
 * sends those to browsers that take them (they take brotli over HTTPS and from localhost). That costs seconds, so what was made
 * for files that have not changed, and so have the same hash in their names, is kept in a folder between builds.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Plugin } from "vite";

/** Below this, a file and its headers fit into one packet anyway. */
const SMALLEST_BYTES = 1000;

const ENCODERS = {
  br: (content: Buffer) =>
    promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  gz: (content: Buffer) => promisify(gzip)(content, { level: 9 }),
};

/** `kept`: the folder. */
export function compressed(kept: string): Plugin {
  return {
    name: "roost:compressed",
    apply: "build",
    applyToEnvironment: ({ name }) => name === "client",
    async writeBundle({ dir = "" }, bundle) {
      await mkdir(kept, { recursive: true });
      const made = Object.values(bundle).flatMap((file) => {
        const content = Buffer.from(file.type === "chunk" ? file.code : file.source);
        if (content.length < SMALLEST_BYTES || !file.fileName.startsWith("assets/")) return [];
        return Object.entries(ENCODERS).map(async ([extension, encode]) => {
          const name = `${file.fileName}.${extension}`;
          const keptFile = join(kept, basename(name));
          const known = await readFile(keptFile).catch(() => undefined);
          const bytes = known ?? (await encode(content));
          await writeFile(join(dir, name), bytes);
          if (!known) {
            await writeFile(`${keptFile}.new`, bytes);
            await rename(`${keptFile}.new`, keptFile); // only whole files have the name
          }
          return basename(name);
        });
      });
      const current = new Set(await Promise.all(made));
      for (const name of await readdir(kept)) if (!current.has(name)) await rm(join(kept, name));
    },
  };
}
