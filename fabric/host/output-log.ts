/** The latest of what a job has written, for those who look later or from elsewhere. */
import type { Pid } from "../base/ids.ts";

/** Something a process wrote at once. */
export interface Output {
  /** Bytes that the job had written before this. */
  readonly position: number;
  readonly pid: Pid;
  /** 1 is stdout, 2 is stderr. */
  readonly fd: number;
  readonly data: Uint8Array;
  /** The home's clock. */
  readonly atMs: number;
}

/** What is kept unless somebody asks for more. */
const KEPT_BYTES = 1 << 20;
/** Entries are kept as long as there is one for so many bytes of that: each takes about as much besides its data. */
const ENTRY_BYTES = 256;
const ENTRIES_LEAST = 1_000;

export class OutputLog {
  readonly #keptBytes: number;
  readonly #keptEntries: number;
  #entries: Output[] = [];
  /** The oldest entry that is still kept; those before it are let go of now and then. */
  #first = 0;
  #keptNow = 0;
  #end = 0;
  readonly #listeners = new Set<() => void>();

  constructor(keptBytes = KEPT_BYTES) {
    this.#keptBytes = keptBytes;
    this.#keptEntries = Math.max(ENTRIES_LEAST, keptBytes / ENTRY_BYTES);
  }

  /** Bytes written so far. */
  get end(): number {
    return this.#end;
  }

  add(pid: Pid, fd: number, data: Uint8Array, atMs: number): void {
    if (data.length === 0) return;
    // A copy: the original is a view of a whole message.
    this.#entries.push({ position: this.#end, pid, fd, data: data.slice(), atMs });
    this.#end += data.length;
    this.#keptNow += data.length;
    while (this.#isTooMuch && this.#first < this.#entries.length - 1)
      this.#keptNow -= this.#entries[this.#first++]?.data.length ?? 0;
    if (this.#first > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    for (const listener of this.#listeners) listener();
  }

  get #isTooMuch(): boolean {
    return this.#keptNow > this.#keptBytes || this.#entries.length - this.#first > this.#keptEntries;
  }

  /** The first thing kept that was written at `position` or later: later, where the log has forgotten. */
  from(position: number): Output | undefined {
    let low = this.#first;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.position ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low];
  }

  /** All that is kept, the oldest first. */
  get kept(): readonly Output[] {
    return this.#entries.slice(this.#first);
  }

  /** Goes on from what another log had kept. */
  revive(kept: readonly Output[]): void {
    this.#end = kept[0]?.position ?? 0;
    for (const { pid, fd, data, atMs } of kept) this.add(pid, fd, data, atMs);
  }

  /** Calls back after each `add`. Returns what ends that. */
  onAdd(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
