/** Named values kept by this browser, in IndexedDB. */
import { createStore, del, get, set } from "idb-keyval";
import type { Store } from "../base/ports.ts";

/** `name`: of the database. Pages of one origin that give the same name share it. */
export function browserStore(name: string): Store {
  const store = createStore(name, "values");
  return {
    get: (key) => get(key, store),
    set: (key, value) => set(key, value, store),
    delete: (key) => del(key, store),
  };
}
