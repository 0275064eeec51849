/**
 * Binary codecs by combinators: one description gives the TypeScript type, the encoder and a decoder that
 * survives hostile bytes (every length is checked against a named limit *and* against what is left).
 *
 * Numbers are little-endian; `varint` is unsigned LEB128 up to 2^53. Runs on every host and inside the guest, so it uses
 * nothing but the language, and of that what an interpreter without a compiler is quick at: counted loops, for one.
 */

export interface Codec<T> {
  write(to: Writer, value: T): void;
  /** Throws Malformed; use `decode`, which does not throw. */
  read(from: Reader): T;
}

/** The type a codec carries. */
export type Carried<C> = C extends Codec<infer T> ? T : never;

/** What `decode` answers to bytes that are not what they should be. */
export class Invalid {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

class Malformed extends Error {}

/** What a writer begins with. */
const ROOM_BYTES = 4096;
/** Left by a writer that has finished, for the next: making room takes longer than most messages. */
let spare: Uint8Array | undefined;

export class Writer {
  #bytes = spare ?? new Uint8Array(ROOM_BYTES);
  #length = 0;

  constructor() {
    spare = undefined;
  }

  #room(n: number): number {
    const at = this.#length;
    if (at + n > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(at + n, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    this.#length = at + n;
    return at;
  }
  /** As many messages are little else, without a further call. */
  u8(n: number) {
    const at = this.#length;
    if (at < this.#bytes.length) this.#length = at + 1;
    else this.#room(1); // first: it replaces the buffer
    this.#bytes[at] = n;
  }
  u32(n: number) {
    const at = this.#room(4);
    new DataView(this.#bytes.buffer).setUint32(at, n, true);
  }
  f64(n: number) {
    const at = this.#room(8);
    new DataView(this.#bytes.buffer).setFloat64(at, n, true);
  }
  varint(n: number) {
    let rest = n;
    while (rest >= 128) {
      this.u8((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.u8(rest);
  }
  raw(bytes: Uint8Array) {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }
  /** As UTF-8, its length in front. Short ones of ASCII, as most are, byte by byte, without other arrays. */
  text(s: string, maxBytes: number) {
    const { length } = s;
    if (length < 128 && length <= maxBytes) {
      const at = this.#room(length + 1);
      const bytes = this.#bytes;
      bytes[at] = length;
      let n = 0;
      for (; n < length; n++) {
        const c = s.charCodeAt(n);
        if (c >= 0x80) break;
        bytes[at + 1 + n] = c;
      }
      if (n === length) return;
      this.#length = at;
    }
    const bytes = utf8Encode(s);
    if (bytes.length > maxBytes) throw new RangeError(tooMany(bytes.length, maxBytes));
    this.varint(bytes.length);
    this.raw(bytes);
  }
  /** The bytes written; the writer must not be used afterwards. */
  finish(): Uint8Array {
    if (this.#bytes.length > ROOM_BYTES) return this.#bytes.subarray(0, this.#length);
    spare = this.#bytes;
    return this.#bytes.slice(0, this.#length);
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  #at: number;
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }
  get left() {
    return this.#bytes.length - this.#at;
  }
  #take(n: number): number {
    const at = this.#at;
    if (at + n > this.#bytes.length) throw new Malformed(`ends ${n - this.left} bytes early`);
    this.#at = at + n;
    return at;
  }
  u8(): number {
    const n = this.#bytes[this.#at];
    if (n === undefined) throw new Malformed("ends 1 bytes early");
    this.#at++;
    return n;
  }
  u32(): number {
    return this.#view(4).getUint32(0, true);
  }
  f64(): number {
    return this.#view(8).getFloat64(0, true);
  }
  #view(length: number): DataView {
    const { buffer, byteOffset } = this.#bytes;
    return new DataView(buffer, byteOffset + this.#take(length), length);
  }
  varint(): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 128) {
      this.#at++;
      return first;
    }
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new Malformed("number over 2^53");
      if (byte < 128) {
        if (byte === 0 && scale > 1) throw new Malformed("number not in its shortest form");
        return value;
      }
    }
  }
  /** A view of the next bytes, not a copy. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }
  text(length: number): string {
    const at = this.#take(length);
    return utf8Decode(this.#bytes, at, at + length);
  }
}

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const to = new Writer();
  codec.write(to, value);
  return to.finish();
}

/** Decodes all of `bytes` from `at` on, or says why not. `bytes()` fields are views into `bytes`. */
export function decode<T>(codec: Pick<Codec<T>, "read">, bytes: Uint8Array, at = 0): T | Invalid {
  try {
    const from = new Reader(bytes, at);
    const value = codec.read(from);
    return from.left === 0 ? value : new Invalid(`${from.left} bytes too many`);
  } catch (error) {
    if (error instanceof Malformed) return new Invalid(error.message);
    throw error;
  }
}

export const u8: Codec<number> = { write: (to, n) => to.u8(n), read: (from) => from.u8() };
export const u32: Codec<number> = { write: (to, n) => to.u32(n), read: (from) => from.u32() };
export const f64: Codec<number> = { write: (to, n) => to.f64(n), read: (from) => from.f64() };
/** A number for clocks and durations: NaN and the infinities, which spread through whatever is computed of them, are malformed. */
export const finite: Codec<number> = {
  write: (to, n) => to.f64(n),
  read: (from) => {
    const n = from.f64();
    if (!Number.isFinite(n)) throw new Malformed(`${n} where a finite number is wanted`);
    return n;
  },
};
export const varint: Codec<number> = { write: (to, n) => to.varint(n), read: (from) => from.varint() };
/** Signed, for the small negative numbers of system calls (-1: any child). */
export const int: Codec<number> = {
  write: (to, n) => to.varint(n < 0 ? -2 * n - 1 : 2 * n),
  read: (from) => {
    const n = from.varint();
    return n % 2 ? -(n + 1) / 2 : n / 2;
  },
};
export const bool: Codec<boolean> = {
  write: (to, b) => to.u8(b ? 1 : 0),
  read: (from) => {
    const n = from.u8();
    if (n > 1) throw new Malformed(`${n} is no boolean`);
    return n === 1;
  },
};
export const nothing: Codec<undefined> = { write: () => {}, read: () => undefined };

export const bytes = (maxBytes: number): Codec<Uint8Array> => ({
  write: (to, value) => {
    if (value.length > maxBytes) throw new RangeError(tooMany(value.length, maxBytes));
    to.varint(value.length);
    to.raw(value);
  },
  read: (from) => from.raw(atMost(from.varint(), maxBytes, "bytes")),
});

const tooMany = (count: number, max: number) => `${count} bytes where ${max} are allowed`;

/** So many bytes, without their number before them. */
export const exactly = (length: number): Codec<Uint8Array> => ({
  write: (to, value) => {
    if (value.length !== length) throw new RangeError(`${value.length} bytes where ${length} are wanted`);
    to.raw(value);
  },
  read: (from) => from.raw(length),
});

export const text = (maxBytes: number): Codec<string> => ({
  write: (to, s) => to.text(s, maxBytes),
  read: (from) => from.text(atMost(from.varint(), maxBytes, "bytes")),
});

export const list = <T>(item: Codec<T>, maxLength: number): Codec<T[]> => ({
  write: (to, items) => {
    if (items.length > maxLength)
      throw new RangeError(`${items.length} items where ${maxLength} are allowed`);
    to.varint(items.length);
    for (let n = 0; n < items.length; n++) item.write(to, items[n] as T);
  },
  read: (from) => {
    const items: T[] = [];
    // `from.left` bounds the loop: a hostile length cannot make it spin, because an item that is not
    // there ends it; only `nothing` takes no bytes, and a list of that would be a bug.
    for (let n = atMost(from.varint(), maxLength, "items"); n > 0; n--) items.push(item.read(from));
    return items;
  },
});

export const optional = <T>(inner: Codec<T>): Codec<T | undefined> => ({
  write: (to, value) => {
    to.u8(value === undefined ? 0 : 1);
    if (value !== undefined) inner.write(to, value);
  },
  read: (from) => {
    const n = from.u8();
    if (n > 1) throw new Malformed(`${n} is neither there nor missing`);
    return n === 1 ? inner.read(from) : undefined;
  },
});

/** A number whose meaning has a brand. */
export const branded = <T extends number | string>(inner: Codec<number> | Codec<string>) =>
  inner as unknown as Codec<T>;

/** One of a fixed list of words, as its index. */
export const oneOf = <const W extends readonly string[]>(words: W): Codec<W[number]> => ({
  write: (to, word) => {
    const n = words.indexOf(word);
    if (n < 0) throw new RangeError(`${word} is none of ${words.join(", ")}`);
    to.u8(n);
  },
  read: (from) => {
    const word = words[from.u8()];
    if (word === undefined) throw new Malformed(`none of ${words.join(", ")}`);
    return word;
  },
});

type Fields = Record<string, Codec<never>> | Record<string, Codec<unknown>>;
type Struct<F> = { -readonly [K in keyof F]: F[K] extends Codec<infer T> ? T : never };

interface Entry {
  readonly name: string;
  readonly codec: Codec<unknown>;
}

/** Fields one after the other, in the order in which they are written down. */
export function struct<F extends Fields>(fields: F): Codec<Struct<F>> {
  const entries = Object.entries(fields).map(([name, codec]) => ({ name, codec: codec as Codec<unknown> }));
  return {
    write: (to, value) => {
      for (let n = 0; n < entries.length; n++) {
        const { name, codec } = entries[n] as Entry;
        codec.write(to, (value as Record<string, unknown>)[name]);
      }
    },
    read: (from) => {
      const value: Record<string, unknown> = {};
      for (let n = 0; n < entries.length; n++) {
        const { name, codec } = entries[n] as Entry;
        value[name] = codec.read(from);
      }
      return value as Struct<F>;
    },
  };
}

type Cases = Record<string, readonly [tag: number, codec: Codec<never> | Codec<unknown>]>;
type Union<C extends Cases> = {
  [K in keyof C]: C[K][1] extends Codec<infer T> ? { type: K } & T : never;
}[keyof C];

/** One of several structs, told apart by a tag byte on the wire and by `type` in the program. */
export function union<C extends Cases>(cases: C): Codec<Union<C>> {
  const byTag = new Map<number, [string, Codec<unknown>]>();
  for (const [type, [tag, codec]] of Object.entries(cases)) {
    if (byTag.has(tag)) throw new Error(`bug: tag ${tag} used twice`);
    byTag.set(tag, [type, codec as Codec<unknown>]);
  }
  return {
    write: (to, value) => {
      const [tag, codec] = cases[value.type as keyof C] ?? [];
      if (tag === undefined || !codec) throw new RangeError(`no such message: ${String(value.type)}`);
      to.u8(tag);
      (codec as Codec<unknown>).write(to, value);
    },
    read: (from) => {
      const tag = from.u8();
      const found = byTag.get(tag);
      if (!found) throw new Malformed(`unknown tag ${tag}`);
      const value = (found[1].read(from) ?? {}) as { type?: string }; // nobody else's: it was made just now
      value.type = found[0];
      return value as Union<C>;
    },
  };
}

export function atMost(n: number, max: number, what: string): number {
  if (n > max) throw new Malformed(`${n} ${what} where ${max} are allowed`);
  return n;
}

/** UTF-8 as TextEncoder gives it: lone surrogates become U+FFFD. */
export function utf8Encode(s: string): Uint8Array {
  const out = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c >= 0x80) return encodeAny(s);
    out[i] = c;
  }
  return out;
}

function encodeAny(s: string): Uint8Array {
  const out = new Uint8Array(3 * s.length);
  let n = 0;
  for (let i = 0; i < s.length; i++) {
    let c = s.charCodeAt(i);
    if (c < 0x80) {
      out[n++] = c;
      continue;
    }
    if (c >= 0xd800 && c < 0xe000) {
      const low = c < 0xdc00 ? s.charCodeAt(i + 1) : 0;
      if (low >= 0xdc00 && low < 0xe000) {
        i++;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      } else c = 0xfffd;
    }
    if (c < 0x800) out[n++] = 0xc0 | (c >> 6);
    else {
      if (c < 0x10000) out[n++] = 0xe0 | (c >> 12);
      else {
        out[n++] = 0xf0 | (c >> 18);
        out[n++] = 0x80 | ((c >> 12) & 63);
      }
      out[n++] = 0x80 | ((c >> 6) & 63);
    }
    out[n++] = 0x80 | (c & 63);
  }
  return out.subarray(0, n);
}

/** Bytes as a key of a map: a character each. For few bytes. */
export const keyOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

const ASCII = Array.from({ length: 128 }, (_, c) => String.fromCharCode(c));
/** Joined character by character up to here. */
const SHORT_BYTES = 32;

/** UTF-8 to text; what is not UTF-8 becomes U+FFFD, one for each maximal wrong part (as TextDecoder does). */
export function utf8Decode(input: Uint8Array, from = 0, to = input.length): string {
  let out = "";
  if (to - from <= SHORT_BYTES) {
    let i = from;
    for (; i < to; i++) {
      const c = ASCII[input[i] as number];
      if (c === undefined) break;
      out += c;
    }
    if (i === to) return out;
    out = "";
  }
  const units: number[] = [];
  for (let i = from; i < to; ) {
    const first = input[i++] ?? 0;
    let c = first;
    if (first >= 0x80) {
      let more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
      if (more === 0) c = 0xfffd;
      else {
        c = first & (0x3f >> more);
        let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
        let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
        for (; more > 0; more--) {
          const next = i < to ? input[i] : undefined;
          if (next === undefined || next < low || next > high) {
            c = 0xfffd;
            break;
          }
          i++;
          c = (c << 6) | (next & 63);
          low = 0x80;
          high = 0xbf;
        }
      }
    }
    if (c < 0x10000) units.push(c);
    else units.push(0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    if (units.length > 4000) {
      out += String.fromCharCode(...units);
      units.length = 0;
    }
  }
  return out + String.fromCharCode(...units);
}
