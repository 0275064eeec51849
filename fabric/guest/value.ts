/**
 * Structured values as bytes: what `exit` hands to `wait`, and `structuredClone`. Knows what the structured clone
 * algorithm knows: JSON's types, undefined, NaN, -0, BigInt, Date, RegExp, Map, Set, buffers and their views, errors,
 * shared references and cycles. Instances of other classes become plain objects.
 *
 * The bytes are: the objects, each as its kind with what it cannot be made without; the value itself; then what each
 * object holds. Objects name each other by number, so neither side recurses: a list of a million links is as good
 * as an array. Decoding hostile bytes gives a value or throws RoostError; it never makes more than the bytes can hold.
 */
import { decode, Invalid, int, type Reader, utf8Decode, utf8Encode, Writer } from "../base/codec.ts";
import { ERROR_CODES, RoostError } from "../base/errors.ts";

/** Of a value where it stands. */
const TAG = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  integer: 4,
  float: 5,
  text: 6,
  bigint: 7,
  reference: 8,
} as const;

/** Of an object in the list of objects. */
const KIND = {
  object: 0,
  array: 1,
  map: 2,
  set: 3,
  date: 4,
  regexp: 5,
  buffer: 6,
  view: 7,
  error: 8,
  boxed: 9,
} as const;
type Kind = (typeof KIND)[keyof typeof KIND];

type Bag = Record<string, unknown>;
type Class = abstract new (...args: never[]) => object;
const globals = globalThis as unknown as Bag;

type ViewMaker = new (buffer: ArrayBuffer, byteOffset: number, length: number) => ArrayBufferView;
/** In the order of their numbers on the wire; an engine may lack one (Float16Array). */
const VIEWS = [
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float32Array",
  "Float64Array",
  "Float16Array",
].map((name) => globals[name] as ViewMaker | undefined);

/** The same: a subclass counts as the last of these that it extends. */
const ERRORS: readonly (new (message?: string) => Error)[] = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
];
const ROOST_ERROR = ERRORS.length;
const HIDDEN_IN_ERRORS = ["name", "message", "stack", "cause", "errors"];

const UNCLONEABLE = ["Promise", "WeakMap", "WeakSet", "WeakRef", "SharedArrayBuffer"]
  .map((name) => globals[name] as Class | undefined)
  .filter((c) => c !== undefined);

const SURROGATE = /[\ud800-\udfff]/;
/** What `int` can carry: it needs one bit more than 2^53 has for the sign. */
const INTEGER_MAX = 2 ** 51;

/** Where a value was found, for messages. */
interface Place {
  readonly parent: Place | undefined;
  readonly key: string;
}

const TOP: Place = { parent: undefined, key: "value" };

/** Throws RoostError (EINVAL) naming the path to what cannot be encoded: functions, symbols, promises, weak collections. */
export function encodeValue(value: unknown): Uint8Array {
  if (typeof value === "object" && value !== null) return new Encoder().run(value);
  const to = new Writer();
  to.varint(0); // objects
  writePrimitive(to, value, TOP);
  return to.finish();
}

/** Throws RoostError (EINVAL) on bytes that `encodeValue` did not make. */
export function decodeValue(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = decode(whole, bytes);
  } catch (error) {
    value = new Invalid(error instanceof Error ? error.message : String(error));
  }
  if (value instanceof Invalid) throw new RoostError("EINVAL", `not an encoded value (${value.reason})`);
  return value;
}

class Encoder {
  readonly #kinds = new Writer();
  readonly #contents = new Writer();
  readonly #numbers = new Map<object, number>();
  readonly #found: { readonly object: object; readonly kind: Kind; readonly place: Place }[] = [];

  run(value: unknown): Uint8Array {
    this.#value(this.#contents, value, TOP);
    // The list grows while it is walked: what an object holds is met here.
    for (const { object, kind, place } of this.#found) this.#fill(object, kind, place);
    const all = new Writer();
    all.varint(this.#found.length);
    all.raw(this.#kinds.finish());
    all.raw(this.#contents.finish());
    return all.finish();
  }

  #value(to: Writer, value: unknown, place: Place) {
    if (typeof value !== "object" || value === null) return writePrimitive(to, value, place);
    const number = this.#number(value, place);
    to.u8(TAG.reference);
    to.varint(number);
  }

  #number(object: object, place: Place): number {
    const known = this.#numbers.get(object);
    if (known !== undefined) return known;
    const wrong = UNCLONEABLE.find((c) => object instanceof c);
    if (wrong) throw cannot(`a ${wrong.name}`, place);
    // A view is made from its buffer, so the buffer comes before it.
    const buffer = ArrayBuffer.isView(object) ? this.#number(object.buffer, place) : 0;
    const number = this.#found.length;
    this.#numbers.set(object, number);
    this.#found.push({ object, kind: this.#kind(object, buffer, place), place });
    return number;
  }

  #kind(object: object, buffer: number, place: Place): Kind {
    const to = this.#kinds;
    if (Array.isArray(object)) {
      to.u8(KIND.array);
      return KIND.array;
    }
    if (object instanceof Map) {
      to.u8(KIND.map);
      return KIND.map;
    }
    if (object instanceof Set) {
      to.u8(KIND.set);
      return KIND.set;
    }
    if (object instanceof Date) {
      to.u8(KIND.date);
      to.f64(object.getTime());
      return KIND.date;
    }
    if (object instanceof RegExp) {
      to.u8(KIND.regexp);
      writeText(to, object.source);
      writeText(to, object.flags);
      return KIND.regexp;
    }
    if (object instanceof ArrayBuffer) {
      to.u8(KIND.buffer);
      to.varint(object.byteLength);
      to.raw(new Uint8Array(object));
      return KIND.buffer;
    }
    if (ArrayBuffer.isView(object)) {
      to.u8(KIND.view);
      to.u8(VIEWS.findIndex((view) => view && object instanceof view));
      to.varint(buffer);
      to.varint(object.byteOffset);
      to.varint((object as ArrayBufferView & { length?: number }).length ?? object.byteLength);
      return KIND.view;
    }
    if (object instanceof Error) {
      to.u8(KIND.error);
      if (object instanceof RoostError) {
        to.u8(ROOST_ERROR);
        to.u8(ERROR_CODES.indexOf(object.code));
      } else to.u8(ERRORS.findLastIndex((c) => object instanceof c));
      return KIND.error;
    }
    if ([Number, String, Boolean, BigInt].some((c) => object instanceof c)) {
      to.u8(KIND.boxed);
      this.#value(to, object.valueOf(), place);
      return KIND.boxed;
    }
    to.u8(KIND.object);
    return KIND.object;
  }

  #fill(object: object, kind: Kind, place: Place) {
    const to = this.#contents;
    switch (kind) {
      case KIND.array:
        return this.#fillArray(object as unknown[], place);
      case KIND.map: {
        const entries = [...(object as Map<unknown, unknown>)];
        to.varint(entries.length);
        for (const [key, value] of entries) {
          this.#value(to, key, { parent: place, key: " (a key of the map)" });
          const shown = typeof key === "object" ? "…" : String(key);
          this.#value(to, value, { parent: place, key: `.get(${shown})` });
        }
        return;
      }
      case KIND.set: {
        const items = [...(object as Set<unknown>)];
        to.varint(items.length);
        for (const item of items) this.#value(to, item, { parent: place, key: " (an item of the set)" });
        return;
      }
      case KIND.error: {
        const error = object as Error & { errors?: unknown };
        const bag: Bag = { name: error.name, message: error.message, stack: error.stack };
        if (Object.hasOwn(error, "cause")) bag.cause = error.cause;
        if (Object.hasOwn(error, "errors")) bag.errors = error.errors;
        return this.#properties({ ...bag, ...error }, place);
      }
      case KIND.object:
        return this.#properties(object as Bag, place);
    }
  }

  /** Dense arrays without further properties by their items, all others by their properties. */
  #fillArray(array: unknown[], place: Place) {
    const { length } = array;
    const keys = Object.keys(array);
    const dense = keys.length === length && (length === 0 || keys.at(-1) === String(length - 1));
    this.#contents.u8(dense ? 1 : 0);
    this.#contents.varint(length);
    if (!dense) return this.#properties(array as unknown as Bag, place, keys);
    for (let i = 0; i < length; i++) this.#value(this.#contents, array[i], { parent: place, key: `[${i}]` });
  }

  #properties(bag: Bag, place: Place, keys = Object.keys(bag)) {
    this.#contents.varint(keys.length);
    for (const key of keys) {
      writeText(this.#contents, key);
      this.#value(this.#contents, bag[key], { parent: place, key: `.${key}` });
    }
  }
}

function writePrimitive(to: Writer, value: unknown, place: Place) {
  switch (typeof value) {
    case "undefined":
      return to.u8(TAG.undefined);
    case "object":
      return to.u8(TAG.null);
    case "boolean":
      return to.u8(value ? TAG.true : TAG.false);
    case "number":
      if (Number.isInteger(value) && Math.abs(value) < INTEGER_MAX && !Object.is(value, -0)) {
        to.u8(TAG.integer);
        return int.write(to, value);
      }
      to.u8(TAG.float);
      return to.f64(value);
    case "string":
      to.u8(TAG.text);
      return writeText(to, value);
    case "bigint":
      to.u8(TAG.bigint);
      to.u8(value < 0n ? 1 : 0);
      return writeText(to, (value < 0n ? -value : value).toString(16));
    default:
      throw cannot(typeof value === "function" ? "a function" : "a symbol", place);
  }
}

const whole = { read: readAll };

interface Shell {
  readonly kind: Kind;
  readonly object: object;
}

function readAll(from: Reader): unknown {
  const count = from.varint();
  if (count > from.left) throw new Error(`${count} objects in ${from.left} bytes`);
  const shells: Shell[] = [];
  for (let n = 0; n < count; n++) shells.push(readShell(from, shells));
  const value = readValue(from, shells);
  for (const shell of shells) fill(from, shell, shells);
  return value;
}

function readShell(from: Reader, earlier: readonly Shell[]): Shell {
  const kind = from.u8() as Kind;
  switch (kind) {
    case KIND.object:
      return { kind, object: {} };
    case KIND.array:
      return { kind, object: [] };
    case KIND.map:
      return { kind, object: new Map() };
    case KIND.set:
      return { kind, object: new Set() };
    case KIND.date:
      return { kind, object: new Date(from.f64()) };
    case KIND.regexp:
      return { kind, object: new RegExp(readText(from), readText(from)) };
    case KIND.buffer:
      return { kind, object: from.raw(from.varint()).slice().buffer };
    case KIND.view: {
      const View = VIEWS[from.u8()];
      const buffer = earlier[from.varint()]?.object;
      if (!View || !(buffer instanceof ArrayBuffer)) throw new Error("a view of nothing known here");
      return { kind, object: new View(buffer, from.varint(), from.varint()) };
    }
    case KIND.error: {
      const number = from.u8();
      if (number === ROOST_ERROR) {
        const code = ERROR_CODES[from.u8()];
        if (!code) throw new Error("an unknown error code");
        return { kind, object: new RoostError(code, "") };
      }
      const Type = ERRORS[number];
      if (!Type) throw new Error("an unknown type of error");
      return { kind, object: new Type() };
    }
    case KIND.boxed: {
      const primitive = readValue(from, []);
      if (primitive === undefined || primitive === null) throw new Error("a boxed nothing");
      return { kind, object: Object(primitive) };
    }
    default:
      throw new Error(`unknown kind ${kind satisfies never}`);
  }
}

function readValue(from: Reader, shells: readonly Shell[]): unknown {
  const tag = from.u8();
  switch (tag) {
    case TAG.undefined:
      return undefined;
    case TAG.null:
      return null;
    case TAG.false:
      return false;
    case TAG.true:
      return true;
    case TAG.integer:
      return int.read(from);
    case TAG.float:
      return from.f64();
    case TAG.text:
      return readText(from);
    case TAG.bigint: {
      const negative = from.u8() === 1;
      const digits = BigInt(`0x${readText(from)}`);
      return negative ? -digits : digits;
    }
    case TAG.reference: {
      const shell = shells[from.varint()];
      if (!shell) throw new Error("a reference to nothing");
      return shell.object;
    }
    default:
      throw new Error(`unknown tag ${tag}`);
  }
}

function fill(from: Reader, { kind, object }: Shell, shells: readonly Shell[]) {
  switch (kind) {
    case KIND.object:
      return readProperties(from, object, shells);
    case KIND.array: {
      const array = object as unknown[];
      const dense = from.u8() === 1;
      const length = from.varint();
      if (!dense) {
        array.length = length;
        return readProperties(from, array, shells);
      }
      // Items that are not there end the loop: a hostile length cannot make it spin.
      for (let i = 0; i < length; i++) array.push(readValue(from, shells));
      return;
    }
    case KIND.map:
      for (let n = from.varint(); n > 0; n--)
        (object as Map<unknown, unknown>).set(readValue(from, shells), readValue(from, shells));
      return;
    case KIND.set:
      for (let n = from.varint(); n > 0; n--) (object as Set<unknown>).add(readValue(from, shells));
      return;
    case KIND.error:
      return readProperties(from, object, shells, HIDDEN_IN_ERRORS);
  }
}

function readProperties(from: Reader, object: object, shells: readonly Shell[], hidden: string[] = []) {
  for (let n = from.varint(); n > 0; n--) {
    const key = readText(from);
    const value = readValue(from, shells);
    if (hidden.includes(key) || key === "__proto__")
      Object.defineProperty(object, key, {
        value,
        writable: true,
        configurable: true,
        enumerable: !hidden.length,
      });
    else (object as Bag)[key] = value;
  }
}

/** The lowest bit of the length tells UTF-8 from UTF-16, which is for strings that UTF-8 could damage. */
function writeText(to: Writer, s: string) {
  if (!SURROGATE.test(s)) {
    const bytes = utf8Encode(s);
    to.varint(2 * bytes.length);
    return to.raw(bytes);
  }
  to.varint(4 * s.length + 1);
  for (let i = 0; i < s.length; i++) {
    const unit = s.charCodeAt(i);
    to.u8(unit & 255);
    to.u8(unit >> 8);
  }
}

function readText(from: Reader): string {
  const head = from.varint();
  const bytes = from.raw(Math.floor(head / 2));
  if (head % 2 === 0) return utf8Decode(bytes);
  let s = "";
  for (let i = 0; i + 1 < bytes.length; i += 2)
    s += String.fromCharCode((bytes[i] ?? 0) + 256 * (bytes[i + 1] ?? 0));
  return s;
}

function cannot(what: string, place: Place): RoostError {
  let path = "";
  for (let p: Place | undefined = place; p; p = p.parent) path = p.key + path;
  return new RoostError(
    "EINVAL",
    `${path} is ${what}, which cannot be copied to another process; pass plain data instead`,
  );
}
