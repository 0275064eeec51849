/** Named values kept by this browser, in IndexedDB. */
import { createStore, delMany, get, keys, set, setMany, type UseStore } from "idb-keyval";
import type { Store } from "../base/ports.ts";

/** `name`: of the database. Pages of one origin that give the same name share it. Rejects where storage is denied. */
export function browserStore(name: string): Store {
  let opened: UseStore | undefined;
  const values = () => {
    opened ??= createStore(name, "values");
    return opened;
  };
  return {
    get: async (key) => get(key, values()),
    set: async (key, value) => set(key, value, values()),
    setAll: async (entries) =>
      setMany(
        entries.map(([key, value]) => [key, value]),
        values(),
      ),
    deleteAll: async (keys) => delMany([...keys], values()),
    keys: async (prefix) => (await keys<string>(values())).filter((key) => key.startsWith(prefix)),
  };
}
