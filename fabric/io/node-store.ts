/** Named values kept in a directory of this machine, a file each. Values are bytes. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../base/ports.ts";

/** The directory is made when something is set. Other programs of this user may read it, nobody else. */
export function nodeStore(directory: string): Store {
  const fileOf = (key: string) => join(directory, encodeURIComponent(key));
  let writes = 0;
  const set = async (key: string, value: unknown) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // In one piece or not at all.
    const fresh = `${fileOf(key)}.${process.pid}.${writes++}.new`;
    await writeFile(fresh, value as Uint8Array, { mode: 0o600, flush: true });
    await rename(fresh, fileOf(key));
  };
  return {
    set,
    async get<T>(key: string) {
      const bytes = await readFile(fileOf(key)).catch(ifThere);
      return bytes && (new Uint8Array(bytes) as T);
    },
    async setAll(entries) {
      for (const [key, value] of entries) await set(key, value);
    },
    async deleteAll(keys) {
      for (const key of keys) await rm(fileOf(key), { force: true });
    },
    async keys(prefix) {
      const names = (await readdir(directory).catch(ifThere)) ?? [];
      return names
        .filter((name) => !name.endsWith(".new"))
        .map(decodeURIComponent)
        .filter((key) => key.startsWith(prefix));
    },
  };
}

function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
