/** Named values kept in a directory of this machine, a file each. Values are bytes. */
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "../base/ports.ts";
import { isAlive } from "./os-process.ts";
import { writeWhole } from "./whole-file.ts";

export interface NodeStore extends Store {
  /** When the latest of the values whose keys begin so was set. */
  changedMs(prefix: string): Promise<number | undefined>;
}

/** The directory is made when something is set. Other programs of this user may read it, nobody else. */
export function nodeStore(directory: string): NodeStore {
  const fileOf = (key: string) => join(directory, encodeURIComponent(key));
  let writes = 0;
  let swept: Promise<void> | undefined;
  const set = async (key: string, value: unknown) => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    swept ??= sweep(directory).catch(() => {});
    await swept;
    const draft = `${fileOf(key)}.${process.pid}.${writes++}.new`;
    await writeWhole(fileOf(key), value as Uint8Array, { draft, flush: true });
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

/** Removes the drafts of processes that died as they wrote. */
async function sweep(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, osPid] = /\.(\d+)\.\d+\.new$/.exec(name) ?? [];
    if (osPid && !isAlive(Number(osPid))) await rm(join(directory, name), { force: true });
  }
}

function ifThere(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
}
