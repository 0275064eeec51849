/** Answers that homes let this executor give again (home/cached.ts), to processes of that home, by request. */
import { keyOf } from "../base/codec.ts";
import type { CachedId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock } from "../base/ports.ts";
import type { HomeLink } from "../kernel/executor-messages.ts";

interface Kept {
  readonly id: CachedId;
  readonly answer: Uint8Array;
  readonly untilMs: number;
}

export class KeptAnswers {
  readonly #clock: Clock;
  readonly #homes = new Map<HomeLink, Map<string, Kept>>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(home: HomeLink, request: Uint8Array, id: CachedId, answer: Uint8Array): void {
    const kept = this.#homes.get(home) ?? new Map<string, Kept>();
    const key = keyOf(request);
    this.#bytes -= kept.get(key)?.answer.length ?? 0;
    kept.delete(key);
    if (this.#bytes + answer.length > LIMITS.cachedBytes) return;
    this.#bytes += answer.length;
    kept.set(key, { id, answer, untilMs: this.#clock.monotonic() + LIMITS.cachedMs });
    this.#homes.set(home, kept);
  }

  find(home: HomeLink, request: Uint8Array): Kept | undefined {
    const kept = this.#homes.get(home)?.get(keyOf(request));
    return kept && kept.untilMs > this.#clock.monotonic() ? kept : undefined;
  }

  /** Answers with what was dropped. */
  drop(home: HomeLink, ids: readonly CachedId[]): Map<CachedId, Uint8Array> {
    const dropped = new Map<CachedId, Uint8Array>();
    const kept = this.#homes.get(home);
    for (const [key, { id, answer }] of kept ?? []) {
      if (!ids.includes(id)) continue;
      kept?.delete(key);
      this.#bytes -= answer.length;
      dropped.set(id, answer);
    }
    return dropped;
  }

  /** None of its processes is here any more. */
  dropHome(home: HomeLink): void {
    for (const { answer } of this.#homes.get(home)?.values() ?? []) this.#bytes -= answer.length;
    this.#homes.delete(home);
  }
}
