/**
 * Fingerprints of a memory's pages, 128 bits each: which pages have changed is known without a second memory to compare with.
 * A page that changes keeps its fingerprint with a chance of 2^-64, whatever a program does, because the keys are random,
 * this thread's own, and out of every program's reach. (A forged image may hold pointers to them: it could deceive nobody but itself.)
 *
 * Words and keys multiplied, (a + k)(b + l), and summed modulo 2^64: of two different texts, the sums differ by any given number with
 * a chance of 2^-32 (NH: Black, Halevi, Krawczyk, Krovetz, Rogaway, "UMAC", 1999). Of each 64 bytes one half goes into a first sum,
 * the other into a second, and the exclusive or of both, by keys of its own, into a third: whatever changes, two of the three
 * do (as in Apple, "HalftimeHash", 2021). A fingerprint is the first and the second, the third added to each.
 */
import { RoostError } from "../base/errors.ts";
import { PAGE_BYTES } from "./pages.ts";

/** Words of 32 bits in a fingerprint. */
export const FINGERPRINT_WORDS = 4;
/** How many are taken at once at most. */
export const FINGERPRINTS_MAX = 256;
/** What must be free behind the memory that is looked at, zeros at first: keys, results, and a page of zeros. */
export const ROOM_BYTES = 65536;

const LINE_BYTES = 64;
const KEYS_PER_LINE = 24;
const RESULTS_AT = 8192;
const ZEROS_AT = 16384;

/**
 * What this makes (test/unit/engine-memory.test.ts assembles it again):
 *
 *     (import "" "memory" (memory 0))
 *     (func (export "fingerprint") (param $at i32) (param $end i32) (param $keys i32) (param $out i32)
 *       (; for each page from $at to $end, its fingerprint by the keys at $keys is written at $out, and $out moves on ;) …)
 */
export const FINGERPRINT_WASM =
  "AGFzbQEAAAABCAFgBH9/f38AAgwBAAZtZW1vcnkCAAADAgEABw8BC2ZpbmdlcnByaW50AAAK5gIB4wICAn8IewNAIAIhBCAAQYAgaiEF/QwAAAAAAAAAAAAAAAAAAAAAIQf9DAAAAAAAAAAAAAAAAAAAAAAhCP0MAAAAAAAAAAAAAAAAAAAAACEGA0AgByAA/QAEACIJIAT9AAQA/a4BIgcgAP0ABBAiCyAE/QAEEP2uASIK/d4B/c4BIAcgCv3fAf3OASEHIAggAP0ABCAiCiAE/QAEIP2uASIIIAD9AAQwIgwgBP0ABDD9rgEiDf3eAf3OASAIIA393wH9zgEhCCAGIAkgCv1RIAT9AARA/a4BIgYgCyAM/VEgBP0ABFD9rgEiCf3eAf3OASAGIAn93wH9zgEhBiAEQeAAaiEEIABBQGsiACAFSQ0ACyADIAcgBv3OASIHIAggBv3OASIG/Q0AAQIDBAUGBxAREhMUFRYXIAcgBv0NCAkKCwwNDg8YGRobHB0eH/3OAf0LBAAgA0EQaiEDIAAgAUkNAAsL";

type Fingerprint = (at: number, end: number, keys: number, out: number) => void;

let compiled: WebAssembly.Module | undefined;
let keys: Uint32Array | undefined;

export class Fingerprints {
  readonly #memory: WebAssembly.Memory;
  readonly #fingerprint: Fingerprint;
  #room = 0;

  /** Of pages in a memory whose last ROOM_BYTES are free, and zeros. Throws RoostError EVERSION where there are no vectors. */
  constructor(memory: WebAssembly.Memory) {
    compiled ??= compile();
    const { exports } = new WebAssembly.Instance(compiled, { "": { memory } });
    this.#memory = memory;
    this.#fingerprint = exports.fingerprint as Fingerprint;
  }

  /** Of the pages from `at` to `end`, two multiples of PAGE_BYTES, in a row. Good until the next call. */
  of(at: number, end: number): Uint32Array {
    const { buffer } = this.#memory;
    const room = buffer.byteLength - ROOM_BYTES;
    if (room !== this.#room) this.#furnish(room);
    this.#fingerprint(at, end, room, room + RESULTS_AT);
    return new Uint32Array(buffer, room + RESULTS_AT, ((end - at) / PAGE_BYTES) * FINGERPRINT_WORDS);
  }

  /** Of a page of zeros. */
  ofZeros(): Uint32Array {
    const zeros = this.#memory.buffer.byteLength - ROOM_BYTES + ZEROS_AT;
    return this.of(zeros, zeros + PAGE_BYTES);
  }

  /** Leaves nothing of what it told. */
  forget(): void {
    const { buffer } = this.#memory;
    new Uint8Array(buffer, buffer.byteLength - ROOM_BYTES + RESULTS_AT, ZEROS_AT - RESULTS_AT).fill(0);
  }

  #furnish(room: number): void {
    keys ??= crypto.getRandomValues(new Uint32Array((PAGE_BYTES / LINE_BYTES) * KEYS_PER_LINE));
    new Uint32Array(this.#memory.buffer, room).set(keys);
    this.#room = room;
  }
}

function compile(): WebAssembly.Module {
  const bytes = Uint8Array.from(atob(FINGERPRINT_WASM), (c) => c.charCodeAt(0));
  if (!WebAssembly.validate(bytes))
    throw new RoostError(
      "EVERSION",
      "this host's WebAssembly has no vectors (SIMD); update the browser or Node",
    );
  return new WebAssembly.Module(bytes);
}
