/**
 * One instance of the engine with its memory: the small helpers that everything else is written with. Knows nothing of
 * programs. Views are taken afresh on every use, because memory moves when it grows; addresses that a hostile image may
 * have chosen end in a RangeError or a trap, never outside the instance.
 */
import { RoostError } from "../base/errors.ts";
import type { Engine } from "./engine.ts";
import type { Borrowed, EngineExports, Value } from "./exports.ts";
import { Fingerprints, ROOM_BYTES } from "./fingerprint.ts";
import { createImports, type Host } from "./imports.ts";

export const WASM_PAGE_BYTES = 65536;

export class Instance {
  readonly exports: EngineExports;
  /** Whoever has the instance now. */
  host: Host;
  readonly fingerprints: Fingerprints;

  /** Throws RoostError ENOMEM where the host cannot give the memory. */
  constructor(engine: Engine, host: Host) {
    this.host = host;
    try {
      const imports = createImports(this);
      this.exports = new WebAssembly.Instance(engine.module, imports).exports as unknown as EngineExports;
      this.memory.grow(ROOM_BYTES / WASM_PAGE_BYTES);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new RoostError("ENOMEM", "this host has no memory left for another interpreter", { cause });
    }
    this.fingerprints = new Fingerprints(this.memory);
  }

  get memory(): WebAssembly.Memory {
    return this.exports.memory;
  }
  /** All that a process can have of it. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.memory.buffer, 0, this.#roomAt);
  }
  get words(): Uint32Array {
    return new Uint32Array(this.memory.buffer, 0, this.#roomAt / 4);
  }
  /** Where the room for fingerprints begins: at the memory's end, where no process ever looks. */
  get #roomAt(): number {
    return this.memory.buffer.byteLength - ROOM_BYTES;
  }

  /** How large its process takes the memory to be: it may be larger. */
  get memoryBytes(): number {
    return this.exports.memory_pages.value * WASM_PAGE_BYTES;
  }

  /** Makes the process's memory that large: a multiple of 64 KiB. Throws RoostError ENOMEM where the host has no more. */
  resize(bytes: number): void {
    const roomAt = this.#roomAt;
    if (bytes > roomAt) {
      try {
        this.memory.grow((bytes - roomAt) / WASM_PAGE_BYTES);
      } catch (cause) {
        throw new RoostError("ENOMEM", "this host has no memory left for the process", { cause });
      }
      this.bytes.fill(0, roomAt, roomAt + ROOM_BYTES); // now it is the process's
    }
    this.exports.memory_pages.value = bytes / WASM_PAGE_BYTES;
  }

  /** Copies bytes into the guest with a zero behind them; 0 when the guest has no room. The caller frees. */
  place(data: Uint8Array): number {
    const at = this.exports.malloc(data.length + 1);
    if (at === 0) return 0;
    const { bytes } = this;
    bytes.set(data, at);
    bytes[at + data.length] = 0;
    return at;
  }

  /** A copy of `length` bytes from `at`. */
  copy(at: number, length: number): Uint8Array {
    return this.bytes.slice(at, at + length);
  }

  /** A zero-terminated string. */
  cString(at: number): string {
    const { bytes } = this;
    const end = bytes.indexOf(0, at);
    return new TextDecoder().decode(bytes.subarray(at, end < 0 ? bytes.length : end));
  }

  /** A value as text, or undefined where it has none. */
  textOf(context: number, value: Borrowed): string | undefined {
    const at = this.exports.QTS_GetString(context, value);
    if (at === 0) return undefined;
    const text = this.cString(at);
    this.exports.QTS_FreeCString(context, at);
    return text;
  }

  /** A property by name. */
  property(context: number, object: Borrowed, name: string): Value {
    const { exports } = this;
    const text = this.place(new TextEncoder().encode(name));
    const key = exports.QTS_NewString(context, text);
    const value = exports.QTS_GetProp(context, object, key);
    exports.QTS_FreeValuePointer(context, key);
    exports.free(text);
    return value;
  }

  /** An error as people know it: "Name: message" and the guest's stack. Does not free it. */
  describeError(context: number, error: Borrowed): string {
    const message = this.textOf(context, error) ?? "an error without text";
    const stack = this.property(context, error, "stack");
    const lines = this.textOf(context, stack);
    this.exports.QTS_FreeValuePointer(context, stack);
    return lines && lines !== "undefined" ? `${message}\n${lines.trimEnd()}` : message;
  }
}
