/** What room a host has for others' processes, and what of that each home is told. */
import { LIMITS } from "../base/limits.ts";
import type { MessageOf } from "../wire/messages.ts";
import type { Out } from "./events.ts";
import type { HomeLink } from "./executor-messages.ts";
import type { Guest, Home, KernelState } from "./state.ts";

export type Status = MessageOf<"status">;

/** What a home is told that it may send. */
export function statusFor(state: KernelState, link: HomeLink, home: Home, load = loadOf(state)): Status {
  const memoryBytes = leftFor(state, link, home, load);
  const none = (reason: string) => ({ type: "status", slots: 0, memoryBytes, reason }) as const;
  if (state.executors.size === 0) return none("no worker is running");
  if (home.own) return { type: "status", slots: state.executors.size, memoryBytes, reason: "" };
  const { taking, reason, workers } = state.terms;
  if (!taking) return none(reason);
  if (isFull(state, load)) return none("full");
  return { type: "status", slots: Math.min(workers, state.executors.size), memoryBytes, reason: "" };
}

/** How many of others' processes are here; and of the memory of those that are not leaving, what is whose. */
interface Load {
  readonly count: number;
  readonly bytes: number;
  readonly bytesOf: ReadonlyMap<HomeLink, number>;
}

/** Asked at every event, with thousands of guests; which most often are all the owner's own. */
export function loadOf(state: KernelState): Load {
  const bytesOf = new Map<HomeLink, number>();
  let count = 0;
  let bytes = 0;
  if ([...state.homes.values()].every(({ own }) => own)) return { count, bytes, bytesOf };
  for (const { home, departure, memoryBytes } of state.guests.values()) {
    if (state.homes.get(home)?.own) continue;
    count++;
    if (departure) continue;
    bytes += memoryBytes;
    bytesOf.set(home, (bytesOf.get(home) ?? 0) + memoryBytes);
  }
  return { count, bytes, bytesOf };
}

const isFull = ({ terms }: KernelState, { count, bytes }: Load): boolean =>
  count >= LIMITS.processesPerHost || bytes >= terms.memoryBytes;

/**
 * What a home's processes may have here together: what the owner gives, without what other homes have of it. So no home
 * sends what would be sent back at once, and sends it again.
 */
function leftFor({ terms }: KernelState, link: HomeLink, { own }: Home, load: Load): number {
  if (own) return Number.MAX_SAFE_INTEGER;
  const others = load.bytes - (load.bytesOf.get(link) ?? 0);
  return Math.min(Math.max(Math.floor(terms.memoryBytes - others), 0), Number.MAX_SAFE_INTEGER);
}

/** For one process, if it is alone. */
export const memoryFor = ({ terms }: KernelState, { own }: Home): number =>
  own
    ? LIMITS.guestMemoryBytesMost
    : Math.floor(Math.min(Math.max(terms.memoryBytes, 0), LIMITS.guestMemoryBytesMost));

/** What is here for others, in the order in which it came. */
export const strangers = (state: KernelState): Guest[] =>
  [...state.guests.values()].filter((g) => !state.homes.get(g.home)?.own);

export const memoryOf = (state: KernelState): number =>
  strangers(state).reduce((sum, g) => sum + (g.departure ? 0 : g.memoryBytes), 0);

export function tellHomes(state: KernelState, out: Out): void {
  const load = loadOf(state);
  for (const [link, home] of state.homes) tell(link, home, statusFor(state, link, home, load), out);
  out({ type: "changed" });
}

export function tell(link: HomeLink, home: Home, status: Status, out: Out): void {
  home.told = status;
  out({ type: "send", link, message: status });
}

/** Others' processes came, went or grew: each home hears what that leaves it, if it is something else. */
export function tellWhatChanged(state: KernelState, out: Out): void {
  const load = loadOf(state);
  for (const [link, home] of state.homes) {
    if (home.own) continue;
    const status = statusFor(state, link, home, load);
    const { told } = home;
    if (
      told?.slots !== status.slots ||
      told.memoryBytes !== status.memoryBytes ||
      told.reason !== status.reason
    )
      tell(link, home, status, out);
  }
}
