/**
 * Who is there: the relay's decisions, without sockets or timers. `step` changes nothing but the state it is given
 * and answers with what is to be done, in order. DIRECTORY.md (fabric/wire) says what is promised.
 */
import { unreachable } from "../fabric/base/errors.ts";
import type { HostId } from "../fabric/base/ids.ts";
import type { Presence } from "../fabric/base/ports.ts";
import {
  DIRECTORY_LIMITS,
  DIRECTORY_VERSION,
  type FromRelay,
  type Refusal,
  type ToRelay,
} from "../fabric/wire/directory.ts";
import { Allowance, RELAY_LIMITS } from "./limits.ts";

/** Names a connection; never used twice. */
export type ConnectionId = number;

interface Connection {
  readonly openedMs: number;
  heardMs: number;
  askedMs: number;
  readonly allowance: Allowance;
  /** Who it says it is, since `hello`. */
  claims?: HostId;
  /** Who it is, since it has proved that. */
  host?: HostId;
  /** Since `announce`; only with `host`. */
  entry?: Presence;
  /** The entry is that of the connection before this one, since then: until the host has said something itself. */
  inheritedMs?: number | undefined;
  /** Changes of the entry that everybody is told. */
  changes: Allowance;
}

export interface Directory {
  readonly connections: Map<ConnectionId, Connection>;
  /** The one connection of each host that has proved to be it. */
  readonly hosts: Map<HostId, ConnectionId>;
  /** Hosts whose entries are others than the ones sent last; at most twice as many as there can be at once. */
  readonly changed: Set<HostId>;
}

type Said = Exclude<ToRelay, { type: "proof" }>;

export type Event =
  | { readonly type: "open" | "close"; readonly connection: ConnectionId }
  | { readonly type: "message"; readonly connection: ConnectionId; readonly message: Said }
  /** The challenge was answered: whether by who the connection says it is. */
  | { readonly type: "answered"; readonly connection: ConnectionId; readonly rightly: boolean }
  | { readonly type: "garbage"; readonly connection: ConnectionId; readonly reason: string }
  /** Every RELAY_LIMITS.tickMs. */
  | { readonly type: "tick" };

export type Effect =
  /** Draws a challenge that only this host can answer, and sends it. */
  | { readonly type: "challenge"; readonly to: ConnectionId; readonly host: HostId }
  | { readonly type: "send"; readonly to: readonly ConnectionId[]; readonly message: FromRelay }
  /** Makes a ticket for the host's signalling, and sends it. */
  | { readonly type: "welcome"; readonly to: ConnectionId; readonly host: HostId }
  /** Says why, and closes. */
  | { readonly type: "refuse"; readonly to: ConnectionId; readonly code: Refusal; readonly reason: string }
  /** Takes down a connection on which nobody answers. */
  | { readonly type: "cut"; readonly connection: ConnectionId }
  /** The host has no connection any more: its ticket ends. */
  | { readonly type: "gone"; readonly host: HostId };

export const newDirectory = (): Directory => ({
  connections: new Map(),
  hosts: new Map(),
  changed: new Set(),
});

export function step(state: Directory, event: Event, nowMs: number): Effect[] {
  const effects = decide(state, event, nowMs);
  const isMuch = state.changed.size >= 2 * DIRECTORY_LIMITS.hosts; // many come and go between two ticks
  return isMuch ? [...effects, ...tellChanges(state, nowMs)] : effects;
}

function decide(state: Directory, event: Event, nowMs: number): Effect[] {
  switch (event.type) {
    case "open":
      return open(state, event.connection, nowMs);
    case "close":
      return forget(state, event.connection);
    case "garbage":
      return refuse(state, event.connection, "EINVAL", `not a message of the directory (${event.reason})`);
    case "message":
    case "answered": {
      const connection = state.connections.get(event.connection);
      if (!connection) return []; // what it sent before it was refused
      connection.heardMs = nowMs;
      if (!connection.allowance.take(1, nowMs))
        return refuse(state, event.connection, "EAGAIN", "too many messages; send fewer");
      if (event.type === "message") return receive(state, event.connection, connection, event.message);
      return event.rightly
        ? admit(state, event.connection, connection, nowMs)
        : refuse(state, event.connection, "EPERM", "it has not proved that it is the host it says it is");
    }
    case "tick":
      return tick(state, nowMs);
    default:
      return unreachable(event);
  }
}

export const listOf = (state: Directory): Presence[] =>
  [...state.connections.values()].flatMap(({ entry }) => entry ?? []);

function open(state: Directory, id: ConnectionId, nowMs: number): Effect[] {
  const limits = RELAY_LIMITS;
  const allowance = new Allowance(limits.messagesAtOnce, limits.messagesPerSecond, nowMs);
  const changes = new Allowance(limits.changesAtOnce, limits.changesPerSecond, nowMs);
  state.connections.set(id, { openedMs: nowMs, heardMs: nowMs, askedMs: nowMs, allowance, changes });
  return state.connections.size > limits.connections
    ? refuse(state, id, "EAGAIN", "this relay is full; try another, or later")
    : [];
}

function receive(state: Directory, id: ConnectionId, connection: Connection, message: Said): Effect[] {
  switch (message.type) {
    case "alive":
      return [];
    case "hello":
      return hello(state, id, connection, message);
    case "announce": {
      const { host, entry: before } = connection;
      if (!host) return refuse(state, id, "EINVAL", '"announce" before "welcome"');
      connection.inheritedMs = undefined;
      const { name, platform, taking, group } = message;
      const same =
        before?.name === name &&
        before.platform === platform &&
        before.taking === taking &&
        before.group === group;
      if (same) return [];
      connection.entry = { host, name, platform, taking, group };
      state.changed.add(host);
      return [];
    }
    default:
      return unreachable(message);
  }
}

function hello(
  state: Directory,
  id: ConnectionId,
  connection: Connection,
  { version, host }: Extract<ToRelay, { type: "hello" }>,
): Effect[] {
  if (version !== DIRECTORY_VERSION)
    return refuse(
      state,
      id,
      "EVERSION",
      `this relay speaks version ${DIRECTORY_VERSION} of the directory's protocol, you speak ${version}: reload the page, or update the older one`,
    );
  if (connection.claims) return refuse(state, id, "EINVAL", "a second hello");
  connection.claims = host;
  return [{ type: "challenge", to: id, host }];
}

/** The host has proved who it is: it is known from now on, on this connection only. */
function admit(state: Directory, id: ConnectionId, connection: Connection, nowMs: number): Effect[] {
  const { claims: host } = connection;
  if (!host || connection.host) return refuse(state, id, "EINVAL", "an answer to no challenge");
  const effects: Effect[] = [];
  const olderId = state.hosts.get(host);
  if (olderId === undefined) {
    if (state.hosts.size >= DIRECTORY_LIMITS.hosts)
      return refuse(state, id, "EAGAIN", "this relay has all the hosts it can take; try another, or later");
  } else {
    const older = state.connections.get(olderId);
    if (older?.entry) {
      connection.entry = older.entry; // nobody sees it leave and come back
      connection.inheritedMs = nowMs;
    }
    if (older) connection.changes = older.changes;
    state.connections.delete(olderId);
    effects.push({ type: "refuse", to: olderId, code: "EEXIST", reason: "this host has connected anew" });
  }
  connection.host = host;
  state.hosts.set(host, id);
  effects.push({ type: "welcome", to: id, host });
  effects.push({ type: "send", to: [id], message: { type: "hosts", hosts: listOf(state) } });
  return effects;
}

function tick(state: Directory, nowMs: number): Effect[] {
  const effects: Effect[] = [];
  const toAsk: ConnectionId[] = [];
  for (const [id, connection] of state.connections) {
    const { host, openedMs, inheritedMs } = connection;
    const silentMs = nowMs - connection.heardMs;
    if (host && inheritedMs !== undefined && nowMs - inheritedMs >= DIRECTORY_LIMITS.askMs) {
      connection.inheritedMs = undefined;
      delete connection.entry; // a page that was reloaded, and offers nothing any more
      state.changed.add(host);
    }
    if (silentMs >= DIRECTORY_LIMITS.leaseMs || (!host && nowMs - openedMs >= DIRECTORY_LIMITS.leaseMs))
      effects.push({ type: "cut", connection: id }, ...forget(state, id));
    else if (Math.min(silentMs, nowMs - connection.askedMs) >= DIRECTORY_LIMITS.askMs) {
      connection.askedMs = nowMs;
      toAsk.push(id);
    }
  }
  if (toAsk.length > 0) effects.push({ type: "send", to: toAsk, message: { type: "ask" } });
  return [...effects, ...tellChanges(state, nowMs)];
}

/** What a host changes again and again waits for the next time: everybody is told of it. */
function tellChanges(state: Directory, nowMs: number): Effect[] {
  const entries: Presence[] = [];
  const left: HostId[] = [];
  for (const host of state.changed) {
    const connection = state.connections.get(state.hosts.get(host) ?? Number.NaN);
    if (connection?.entry && !connection.changes.take(1, nowMs)) continue;
    state.changed.delete(host);
    if (connection?.entry) entries.push(connection.entry);
    else left.push(host);
  }
  if (entries.length === 0 && left.length === 0) return [];
  return [{ type: "send", to: [...state.hosts.values()], message: { type: "changes", entries, left } }];
}

function refuse(state: Directory, id: ConnectionId, code: Refusal, reason: string): Effect[] {
  if (!state.connections.has(id)) return [];
  return [{ type: "refuse", to: id, code, reason }, ...forget(state, id)];
}

function forget(state: Directory, id: ConnectionId): Effect[] {
  const connection = state.connections.get(id);
  if (!connection) return [];
  state.connections.delete(id);
  const { host } = connection;
  if (!host) return [];
  state.hosts.delete(host);
  if (connection.entry) state.changed.add(host);
  return [{ type: "gone", host }];
}
