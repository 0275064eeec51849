/** Bytes compared; and hashes as the hexadecimal digits by which things are named, and back. */

export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, n) => byte === b[n]);

const DIGITS = "0123456789abcdef";

/** Two lower-case digits for each byte. */
export function hex(bytes: Uint8Array): string {
  const codes: number[] = [];
  for (const byte of bytes) codes.push(DIGITS.charCodeAt(byte >> 4), DIGITS.charCodeAt(byte & 15));
  return String.fromCharCode(...codes);
}

/** Of an even number of digits, which are not checked. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let n = 0; n < bytes.length; n++) bytes[n] = (valueAt(text, 2 * n) << 4) | valueAt(text, 2 * n + 1);
  return bytes;
}

/** Letters begin at 0x41 and 0x61, digits at 0x30. */
function valueAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return (code & 15) + 9 * (code >> 6);
}
