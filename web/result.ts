/** What a job has come to, in the form in which it is best looked at: a picture, a table, structured data, or text alone. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, alpha. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Rows there are beyond those. */
  readonly more: number;
}

export type Result =
  | { readonly kind: "picture"; readonly picture: Picture }
  /** A file of that type. */
  | { readonly kind: "image"; readonly type: string; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "table"; readonly table: Table; readonly json: string }
  | { readonly kind: "data"; readonly json: string };

const SIDE_MAX = 8192;
const PIXELS_MAX = 32 * 2 ** 20;
const ROWS_MAX = 1000;
const COLUMNS_MAX = 40;
const CHARACTERS_MAX = 200_000;

/** How files of pictures begin. */
const SIGNATURES: readonly (readonly [string, readonly number[]])[] = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

/** Undefined: there is nothing to show. */
export function resultOf(value: unknown): Result | undefined {
  if (value === undefined) return undefined;
  const picture = pictureOf(value);
  if (picture) return { kind: "picture", picture };
  if (value instanceof Uint8Array) {
    const [type] = SIGNATURES.find(([, start]) => start.every((byte, n) => value[n] === byte)) ?? [];
    if (type) return { kind: "image", type, bytes: value };
  }
  if (typeof value === "string") return resultInText(value) ?? { kind: "text", text: cut(value) };
  const json = jsonOf(value);
  const table = tableOf(value);
  return table ? { kind: "table", table, json } : { kind: "data", json };
}

/** Text that says what it is: JSON, or a portable pixmap. */
export function resultInText(text: string): Result | undefined {
  const trimmed = text.trim();
  if (/^P[23]\s/.test(trimmed)) {
    const picture = pixmap(new TextEncoder().encode(trimmed));
    return picture && { kind: "picture", picture };
  }
  if (!/^[[{]/.test(trimmed)) return undefined;
  try {
    return resultOf(JSON.parse(trimmed));
  } catch {
    return undefined;
  }
}

/** `{ width, height, data }` with three or four bytes a pixel, or a portable pixmap. */
function pictureOf(value: unknown): Picture | undefined {
  if (value instanceof Uint8Array) return pixmap(value);
  if (typeof value !== "object" || value === null) return undefined;
  const { width, height, data } = value as Record<string, unknown>;
  const side = (n: unknown): n is number => Number.isInteger(n) && Number(n) > 0 && Number(n) <= SIDE_MAX;
  if (!side(width) || !side(height) || width * height > PIXELS_MAX) return undefined;
  if (!ArrayBuffer.isView(data) && !Array.isArray(data)) return undefined;
  const bytes = data as ArrayLike<number>;
  const pixels = width * height;
  if (bytes.length === pixels * 4) return { width, height, rgba: Uint8ClampedArray.from(bytes) };
  if (bytes.length !== pixels * 3) return undefined;
  const rgba = new Uint8ClampedArray(pixels * 4).fill(255);
  for (let n = 0; n < pixels; n++) for (let c = 0; c < 3; c++) rgba[n * 4 + c] = bytes[n * 3 + c] ?? 0;
  return { width, height, rgba };
}

/** The Netpbm formats P2, P3, P5 and P6 with at most 255 a sample. */
export function pixmap(bytes: Uint8Array): Picture | undefined {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 512));
  const found = /^P([2356])\s+(?:#[^\n]*\n\s*)*(\d+)\s+(\d+)\s+(\d+)\s/.exec(head);
  if (!found) return undefined;
  const [whole, kind = "", ...sizes] = found;
  const [width = 0, height = 0, most = 0] = sizes.map(Number);
  if (!(width > 0 && height > 0 && width <= SIDE_MAX && height <= SIDE_MAX && most > 0 && most < 256))
    return undefined;
  const channels = kind === "3" || kind === "6" ? 3 : 1;
  const wanted = width * height * channels;
  const body = bytes.subarray(whole.length);
  const samples =
    kind === "5" || kind === "6"
      ? body
      : new TextDecoder("latin1").decode(body).trim().split(/\s+/).map(Number);
  if (samples.length < wanted) return undefined;
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let n = 0; n < width * height; n++)
    for (let c = 0; c < 3; c++)
      rgba[n * 4 + c] = ((samples[n * channels + (channels === 3 ? c : 0)] ?? 0) * 255) / most;
  return { width, height, rgba };
}

/** Lists of records, lists of lists, and maps. */
function tableOf(value: unknown): Table | undefined {
  if (value instanceof Map) return table(["key", "value"], [...value]);
  if (!Array.isArray(value) || value.length === 0) return undefined;
  if (value.every(Array.isArray)) {
    const width = Math.max(...value.map((row) => row.length));
    if (width === 0 || width > COLUMNS_MAX) return undefined;
    return table(
      Array.from({ length: width }, (_, n) => String(n)),
      value,
    );
  }
  const records = value.filter(
    (row): row is Record<string, unknown> => typeof row === "object" && row !== null && isPlain(row),
  );
  if (records.length < value.length) return undefined;
  const columns = [...new Set(records.slice(0, ROWS_MAX).flatMap(Object.keys))];
  if (columns.length === 0 || columns.length > COLUMNS_MAX) return undefined;
  return table(
    columns,
    records.map((row) => columns.map((column) => row[column])),
  );
}

const isPlain = (value: object) => Object.getPrototypeOf(value) === Object.prototype;

const table = (columns: readonly string[], rows: readonly (readonly unknown[])[]): Table => ({
  columns,
  rows: rows.slice(0, ROWS_MAX).map((row) => row.map(cellOf)),
  more: Math.max(0, rows.length - ROWS_MAX),
});

const cellOf = (value: unknown): string =>
  value === undefined ? "" : typeof value === "string" ? value : jsonOf(value, 0).slice(0, 300);

/** As JSON, with a word for what JSON has not. */
function jsonOf(value: unknown, indent = 2): string {
  const seen: unknown[] = [];
  const text =
    JSON.stringify(
      value,
      function (this: unknown, key, now) {
        const original = (this as Record<string, unknown>)[key];
        while (seen.length > 0 && seen.at(-1) !== this) seen.pop();
        if (typeof now === "object" && now !== null) {
          if (seen.includes(now)) return "(itself)";
          seen.push(now);
        }
        if (typeof now === "bigint") return `${now}n`;
        if (original instanceof Date) return original.toJSON();
        if (now instanceof Map) return { Map: [...now] };
        if (now instanceof Set) return { Set: [...now] };
        if (now instanceof RegExp) return String(now);
        if (now instanceof Error) return String(now);
        if (ArrayBuffer.isView(now) && !(now instanceof DataView)) return typedArray(now as Uint8Array);
        if (typeof now === "number" && !Number.isFinite(now)) return String(now);
        return now;
      },
      indent,
    ) ?? String(value);
  return cut(text);
}

const cut = (text: string) =>
  text.length > CHARACTERS_MAX ? `${text.slice(0, CHARACTERS_MAX)}\n… ${text.length} characters` : text;

const typedArray = (array: Uint8Array) => ({
  [array.constructor.name]: Array.from(array.subarray(0, 100), (n) => (typeof n === "bigint" ? `${n}n` : n)),
  ...(array.length > 100 ? { length: array.length } : {}),
});
