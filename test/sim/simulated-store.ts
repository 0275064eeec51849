/**
 * What outlives a home: values that are written one by one, each in its time and in one piece. Of what is being written or
 * deleted when its home dies, any part may have been done.
 */
import type { Store } from "../../fabric/base/ports.ts";
import type { Party } from "./party.ts";
import type { World } from "./world.ts";

export class SimulatedStore {
  readonly #world: World;
  readonly #takesMs: number;
  readonly #values = new Map<string, Uint8Array>();
  #underWay = new Set<() => void>();

  /** `takesMs`: a write, at most. */
  constructor(world: World, takesMs: number) {
    this.#world = world;
    this.#takesMs = takesMs;
  }

  get size(): number {
    return this.#values.size;
  }

  /** As one home sees it, while it lives. */
  openedBy(party: Party): Store {
    const change = (make: () => void) =>
      new Promise<void>((resolve) => {
        this.#underWay.add(make);
        this.#world.after(this.#world.between(0, this.#takesMs), () => {
          if (!this.#underWay.delete(make)) return;
          make();
          party.enter(resolve);
        });
      });
    const set = (key: string, value: unknown) =>
      change(() => this.#values.set(key, (value as Uint8Array).slice()));
    return {
      set,
      get: async <T>(key: string) => this.#values.get(key)?.slice() as T | undefined,
      setAll: async (entries) => {
        for (const [key, value] of entries) await set(key, value);
      },
      deleteAll: async (keys) => {
        for (const key of keys) await change(() => this.#values.delete(key));
      },
      keys: async (prefix) => [...this.#values.keys()].filter((key) => key.startsWith(prefix)),
    };
  }

  /** Its home has died. */
  leftAlone(): void {
    for (const make of this.#underWay) if (this.#world.random() < 0.5) make();
    this.#underWay = new Set();
  }
}
