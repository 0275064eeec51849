/** What the inside needs of the outside. Only composition roots choose implementations. */
import type { HostId } from "./ids.ts";

/** Milliseconds; `now` is wall-clock time since 1970, `monotonic` never steps back and has no fixed origin. */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** Calls back once, not before `ms` milliseconds; returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** Cryptographically strong random bytes. */
export interface Random {
  bytes(length: number): Uint8Array;
}

/** The secret half of an Ed25519 key pair (RFC 8032): used here, and perhaps to be read by nobody. */
export interface Signer {
  /** The public half: 32 bytes. */
  readonly key: Uint8Array;
  /** 64 bytes. */
  sign(words: Uint8Array): Promise<Uint8Array>;
}

/** Why a link ended, in words for a person. */
export type LinkEnd = { readonly reason: string };

/**
 * What names the two ends of one connection, and nobody can choose: their certificates' fingerprints. The other end sees the
 * same two, the other way round, unless somebody is in between.
 */
export interface Binding {
  readonly ours: string;
  readonly theirs: string;
}

/**
 * A reliable, ordered pipe of whole messages to one peer. Bytes that arrive are hostile.
 * Framing, chunks and back-pressure are inside; `send` after the end is silently dropped.
 */
export interface Link {
  /**
   * Takes ownership of the bytes. At most LIMITS.messageBytes. One that `givesWay` may be overtaken by those sent after it: by none
   * that gives way itself.
   */
  send(message: Uint8Array, givesWay?: boolean): void;
  /** Set once, right after the link was made. Messages arrive in order, but for those that give way. */
  onMessage: (message: Uint8Array) => void;
  /** Called exactly once, when nothing more will arrive, whoever ended it. */
  onEnd: (end: LinkEnd) => void;
  /** Missing within a process, where nobody can be in between. */
  readonly binding?: Binding | undefined;
  /** Bytes given to `send` that have not left yet. */
  readonly queuedBytes: number;
  close(reason: string): void;
}

/** What the directory says of a host that is reachable. */
export interface Presence {
  readonly host: HostId;
  readonly name: string;
  readonly platform: string;
  readonly taking: boolean;
  /** What its group is known by; empty: none. */
  readonly group: string;
}

export type RelayState =
  | { readonly state: "none" }
  | { readonly state: "online" }
  /** Links that exist go on working meanwhile. `sinceMs` by the clock's `now`. */
  | { readonly state: "connecting"; readonly sinceMs: number; readonly reason: string };

/** How participants find each other and link up. */
export interface Rendezvous {
  readonly relay: RelayState;
  /** Everybody who announced, this host included; nobody while the relay is away. */
  readonly hosts: readonly Presence[];
  /** Stays announced, over reconnections too, until the next call. `host` is this one. */
  announce(presence: Presence): void;
  /** A new link each time. Rejects with a RoostError (ENOHOST, ETIMEDOUT) within ten seconds. */
  connect(host: HostId): Promise<Link>;
  /** A link that another host made. Set once. */
  onLink: (link: Link) => void;
  /** `relay` or `hosts` changed. Set once. */
  onChange: () => void;
  /** Says goodbye on every link, and to the relay. */
  close(): void;
}

/** Keeps named values across restarts: IndexedDB in a page, files on the edge, a map in a test. */
export interface Store {
  get<T>(key: string): Promise<T | undefined>;
  set(key: string, value: unknown): Promise<void>;
  /** In this order: should it end in between, none is missing before one that is there. */
  setAll(entries: readonly (readonly [key: string, value: unknown])[]): Promise<void>;
  deleteAll(keys: readonly string[]): Promise<void>;
  /** Of the values whose keys begin so. */
  keys(prefix: string): Promise<string[]>;
}

/** What a file or directory is. `modifiedMs` counts from 1970. */
export interface DiskEntry {
  readonly kind: "file" | "directory";
  readonly size: number;
  readonly modifiedMs: number;
}

export interface DiskContent {
  readonly path: string;
  readonly revision: number;
  readonly modifiedMs: number;
  readonly bytes: Uint8Array;
}

/** A file that was opened. Positions and lengths in bytes. */
export interface DiskFile {
  read(length: number, position: number): Uint8Array;
  write(data: Uint8Array, position: number): void;
  size(): number;
  close(): void;
}

/**
 * A job's files. Paths are relative to the job's directory, with `/`, already freed of `.` and `..`; "" is the
 * directory itself. Every method throws RoostError, EACCES where a link leads outside.
 */
export interface Disk {
  /**
   * Of a disk that ends with its home, as one in a page's memory: all that is on it. A revision is a number that no other
   * content of this disk has had. Directories end with `/` and have no content.
   */
  contents?(): DiskContent[];
  open(
    path: string,
    mode: { read: boolean; write: boolean; create: boolean; exclusive: boolean; truncate: boolean },
  ): DiskFile;
  stat(path: string): DiskEntry;
  /** The same for all paths, links among them, that lead to the same file or directory. */
  canonical(path: string): string;
  list(path: string): { readonly name: string; readonly kind: "file" | "directory" }[];
  makeDirectory(path: string): void;
  /** Removes a file. */
  unlink(path: string): void;
  rename(from: string, to: string): void;
}
