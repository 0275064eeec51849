/** Kept answers that a home has called out of date, until no executor of this host holds them any more. */
import type { CachedId, JobId } from "../base/ids.ts";
import type { Out } from "./events.ts";
import type { HomeLink } from "./executor-messages.ts";
import type { KernelState } from "./state.ts";

/** What a home waits to hear forgotten. */
export interface Forgetting {
  readonly link: HomeLink;
  readonly job: JobId;
  readonly cached: CachedId[];
  /** Executors that have not said so yet. */
  readonly waiting: Set<number>;
}

export function stale(state: KernelState, link: HomeLink, job: JobId, cached: CachedId[], out: Out): void {
  const waiting = new Set(state.executors.keys());
  for (const executor of waiting)
    out({ type: "command", executor, command: { type: "stale", home: link, cached } });
  state.forgetting.push({ link, job, cached, waiting });
  settle(state, out);
}

/** Executors answer in the order in which they were told. */
export function forgotten(state: KernelState, executor: number, out: Out): void {
  state.forgetting.find(({ waiting }) => waiting.has(executor))?.waiting.delete(executor);
  settle(state, out);
}

export function executorGone(state: KernelState, executor: number, out: Out): void {
  for (const { waiting } of state.forgetting) waiting.delete(executor);
  settle(state, out);
}

function settle(state: KernelState, out: Out): void {
  for (const { link, job, cached, waiting } of state.forgetting)
    if (waiting.size === 0) out({ type: "send", link, message: { type: "forgotten", job, cached } });
  state.forgetting = state.forgetting.filter(({ waiting }) => waiting.size > 0);
}
