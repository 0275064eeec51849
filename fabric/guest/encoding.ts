/** Text and bytes: TextEncoder, TextDecoder, atob and btoa, as browsers and Node have them. */
import { utf8Decode, utf8Encode } from "../base/codec.ts";
import { DOMException } from "./exception.ts";

/** The bytes of any buffer or view, not copied; undefined if it is neither. */
export function bytesOf(source: unknown): Uint8Array | undefined {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return source instanceof ArrayBuffer ? new Uint8Array(source) : undefined;
}

export class TextEncoder {
  readonly encoding = "utf-8";
  encode(input = ""): Uint8Array {
    return utf8Encode(String(input)).slice();
  }
  /** Writes whole characters only, as many as fit. */
  encodeInto(source: string, target: Uint8Array): { read: number; written: number } {
    let read = 0;
    let written = 0;
    for (const character of source) {
      const bytes = utf8Encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

const UTF8_LABELS = [
  "utf-8",
  "utf8",
  "unicode-1-1-utf-8",
  "unicode11utf8",
  "unicode20utf8",
  "x-unicode20utf8",
];

export class TextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  /** The beginning of a character whose end did not come with the last piece. */
  #rest = new Uint8Array();
  #begun = false;

  constructor(label = "utf-8", options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    if (!UTF8_LABELS.includes(String(label).trim().toLowerCase()))
      throw new RangeError(`TextDecoder: "${label}" is not supported here; only UTF-8 is`);
    this.fatal = Boolean(options.fatal);
    this.ignoreBOM = Boolean(options.ignoreBOM);
  }

  decode(input?: ArrayBufferView | ArrayBuffer, options: { stream?: boolean } = {}): string {
    const piece = input === undefined ? new Uint8Array() : bytesOf(input);
    if (!piece) throw new TypeError("TextDecoder.decode: pass an ArrayBuffer or a view of one");
    let bytes = piece;
    if (this.#rest.length) {
      bytes = new Uint8Array(this.#rest.length + piece.length);
      bytes.set(this.#rest);
      bytes.set(piece, this.#rest.length);
    }
    const whole = options.stream ? bytes.length - unfinished(bytes) : bytes.length;
    this.#rest = bytes.slice(whole);
    let text = utf8Decode(bytes.subarray(0, whole));
    // Only wrong bytes, or the character U+FFFD itself, decode to U+FFFD; encoding again tells which it was.
    if (this.fatal && text.includes("\ufffd") && !sameBytes(utf8Encode(text), bytes.subarray(0, whole))) {
      this.#reset();
      throw new TypeError("TextDecoder: the data is not valid UTF-8");
    }
    if (!this.#begun && text) {
      this.#begun = true;
      if (!this.ignoreBOM && text.startsWith("\ufeff")) text = text.slice(1);
    }
    if (!options.stream) this.#reset();
    return text;
  }

  #reset() {
    this.#rest = new Uint8Array();
    this.#begun = false;
  }
}

/** How many bytes at the end are a character's beginning that may yet be completed. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      // A beginning that is already wrong decodes to U+FFFD alone, now as later: it need not wait.
      return needed > back && utf8Decode(bytes.subarray(bytes.length - back)).length === 1 ? back : 0;
    }
  }
  return 0;
}

const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** From a string of bytes (characters up to U+00FF) to base 64. */
export function btoa(binary: string): string {
  const input = String(binary);
  const out: string[] = [];
  for (let i = 0; i < input.length; i += 3) {
    const [a, b, c] = [input.charCodeAt(i), input.charCodeAt(i + 1), input.charCodeAt(i + 2)];
    if (a > 255 || b > 255 || c > 255)
      throw new DOMException(
        "btoa: a character is over U+00FF; encode the text first",
        "InvalidCharacterError",
      );
    const bits = (a << 16) | (b << 8) | c; // beyond the end: NaN counts as 0
    out.push(BASE64.charAt(bits >> 18), BASE64.charAt((bits >> 12) & 63));
    out.push(i + 1 < input.length ? BASE64.charAt((bits >> 6) & 63) : "=");
    out.push(i + 2 < input.length ? BASE64.charAt(bits & 63) : "=");
  }
  return out.join("");
}

/** From base 64 (white space is ignored, padding is optional) to a string of bytes. */
export function atob(text: string): string {
  let input = String(text).replace(/[\t\n\f\r ]/g, "");
  if (input.length % 4 === 0) input = input.replace(/={1,2}$/, "");
  if (input.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(input))
    throw new DOMException("atob: this is not base 64", "InvalidCharacterError");
  const out: string[] = [];
  for (let i = 0; i < input.length; i += 4) {
    const group = input.slice(i, i + 4);
    let bits = 0;
    for (let k = 0; k < 4; k++) bits = bits * 64 + (k < group.length ? BASE64.indexOf(group.charAt(k)) : 0);
    out.push(String.fromCharCode(bits >> 16, (bits >> 8) & 255, bits & 255).slice(0, group.length - 1));
  }
  return out.join("");
}
