/** Named values kept in a directory of this machine, a file each. Values are bytes. */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../base/ports.ts";

export interface NodeStore extends Store {
  /** When the latest of the values whose keys begin so was set. */
  changedMs(prefix: string): Promise<number | undefined>;
}

/** The directory is made when something is set. Other programs of this user may read it, nobody else. */
export function nodeStore(directory: string): NodeStore {
  const fileOf = (key: string) => join(directory, encodeURIComponent(key));
  let writes = 0;
  const set = async (key: string, value: unknown) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // In one piece or not at all.
    const fresh = `${fileOf(key)}.${process.pid}.${writes++}.new`;
    await writeFile(fresh, value as Uint8Array, { mode: 0o600, flush: true });
    await rename(fresh, fileOf(key));
  };
  const keys = async (prefix: string) => {
    const names = (await readdir(directory).catch(ifThere)) ?? [];
    return names
      .filter((name) => !name.endsWith(".new"))
      .map(decodeURIComponent)
      .filter((key) => key.startsWith(prefix));
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
    keys,
    async changedMs(prefix) {
      const files = (await keys(prefix)).map((key) => stat(fileOf(key)).catch(ifThere));
      const times = (await Promise.all(files)).flatMap((file) => file?.mtimeMs ?? []);
      return times.length > 0 ? Math.max(...times) : undefined;
    },
  };
}

function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
