/**
 * Answers about files that hosts keep and give again, as Sprite's servers let their clients cache files: whoever holds
 * one is told when it is out of date, before anything that could depend on the change is told to anybody.
 *
 * Promises: an answer that a host may yet say it has given is kept here, for the process's log; what a process learns
 * through its home of another's write, it sees in the file.
 */
import { equalBytes } from "../base/bytes.ts";
import { type CachedId, cachedId, type HostId, type JobId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { parentOf } from "../base/paths.ts";
import type { Out } from "./effects.ts";
import type { HomeState } from "./state.ts";

export interface Cached {
  readonly request: string;
  readonly path: string;
  readonly answer: Uint8Array;
  /** Hosts that were given it and have not confirmed that they forgot it. */
  readonly holders: Set<HostId>;
  stale: boolean;
}

export interface Cache {
  readonly entries: Map<CachedId, Cached>;
  /** Those that are not stale, by request. */
  readonly current: Map<string, CachedId>;
  bytes: number;
  nextId: number;
}

export const newCache = (): Cache => ({ entries: new Map(), current: new Map(), bytes: 0, nextId: 0 });

/** Lets a host keep an answer about the file or directory at `path`; undefined where there is no room. */
export function lend(
  { cache, spec }: HomeState,
  host: HostId,
  request: string,
  path: string,
  answer: Uint8Array,
  out: Out,
): CachedId | undefined {
  const before = cache.current.get(request);
  const entry = before === undefined ? undefined : cache.entries.get(before);
  if (before !== undefined && entry && equalBytes(entry.answer, answer)) {
    entry.holders.add(host);
    return before;
  }
  if (before !== undefined) expire(cache, [before], out, spec.id); // a stranger to the job has changed it
  if (cache.bytes + answer.length > LIMITS.cachedBytes) return undefined;
  const id = cachedId(cache.nextId++);
  cache.entries.set(id, { request, path, answer, holders: new Set([host]), stale: false });
  cache.current.set(request, id);
  cache.bytes += answer.length;
  return id;
}

/** What is said of these paths, of what is in them and of what they are in, is not true any more. */
export function changed(state: HomeState, paths: readonly string[], out: Out): void {
  if (paths.length === 0 || state.cache.current.size === 0) return;
  const ids = [...state.cache.current.values()].filter((id) => {
    const path = state.cache.entries.get(id)?.path;
    return paths.some(
      (changed) => path === changed || path === parentOf(changed) || path?.startsWith(`${changed}/`),
    );
  });
  expire(state.cache, ids, out, state.spec.id);
}

function expire(cache: Cache, ids: readonly CachedId[], out: Out, job: JobId): void {
  const told = new Map<HostId, CachedId[]>();
  for (const id of ids) {
    const entry = cache.entries.get(id);
    if (!entry) continue;
    entry.stale = true;
    cache.current.delete(entry.request);
    for (const host of entry.holders) told.set(host, [...(told.get(host) ?? []), id]);
    forgetIfUnused(cache, id);
  }
  for (const [host, cached] of told) out({ type: "send", host, message: { type: "stale", job, cached } });
}

/** The host holds these no more, and has said all it has to say of them. */
export function forgotten({ cache }: HomeState, host: HostId, ids: Iterable<CachedId>): void {
  for (const id of ids) {
    cache.entries.get(id)?.holders.delete(host);
    forgetIfUnused(cache, id);
  }
}

export const hostGone = (state: HomeState, host: HostId): void =>
  forgotten(state, host, [...state.cache.entries.keys()]);

function forgetIfUnused(cache: Cache, id: CachedId): void {
  const entry = cache.entries.get(id);
  if (!entry?.stale || entry.holders.size > 0) return;
  cache.entries.delete(id);
  cache.bytes -= entry.answer.length;
}
