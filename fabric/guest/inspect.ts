/**
 * Values as text for the terminal, laid out as Node's `util.inspect` and `util.format` do it (the tests hold it to
 * them). Our own because Node's, extracted, takes 50 KB of code and 370 KB of every interpreter's heap.
 *
 * Promises to return for every value, however circular, deep, large, or hostile its getters: they are not called.
 */

const BREAK_LENGTH = 80;
/** How many inner levels may share a line. */
const COMPACT = 3;
const DEFAULT_DEPTH = 2;
const ITEMS_MAX = 100;
const BUFFER_BYTES_MAX = 50;
const STRING_MAX = 10_000;
/** What Node's libraries define to say how they want to be shown. */
const CUSTOM = Symbol.for("nodejs.util.inspect.custom");

const IDENTIFIER = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be escaped
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\\]/g;
const SHORT_ESCAPES: Record<string, string> = {
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
  "\\": "\\\\",
};

export interface InspectOptions {
  /** Levels below the outermost; Infinity or null for all. */
  readonly depth?: number | null;
}

interface Context {
  readonly depthMax: number;
  /** The objects we are inside of. */
  readonly seen: object[];
  /** Those that something inside refers back to, with their numbers. */
  readonly circular: Map<object, number>;
  /** The level that was formatted last: how deep what was just printed goes. */
  currentDepth: number;
  indentation: number;
}

export function inspect(value: unknown, options: InspectOptions = {}): string {
  const depthMax = options.depth === null ? Number.POSITIVE_INFINITY : (options.depth ?? DEFAULT_DEPTH);
  return show({ depthMax, seen: [], circular: new Map(), currentDepth: 0, indentation: 0 }, value, 0);
}

/** `console.log`'s way: %s %d %i %f %j %o %O %c %% in a leading string, then the rest with blanks between. */
export function format(...args: unknown[]): string {
  let rest = args;
  let text = "";
  const [first] = args;
  if (typeof first === "string" && args.length > 1) {
    let next = 1;
    text = first.replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === "%%") return "%";
      if (next >= args.length) return mark;
      return formatOne(mark, args[next++]);
    });
    rest = args.slice(next);
    if (rest.length) text += " ";
  }
  return text + rest.map((arg) => (typeof arg === "string" ? arg : inspect(arg))).join(" ");
}

function formatOne(mark: string, arg: unknown): string {
  switch (mark) {
    case "%s":
      if (typeof arg === "string") return arg;
      if (typeof arg === "function") return String(arg);
      if (typeof arg !== "object" || arg === null) return primitive(arg) ?? inspect(arg);
      return hasOwnToString(arg) ? String(arg) : inspect(arg, { depth: 0 });
    case "%d":
      return typeof arg === "bigint" ? `${arg}n` : numeral(isNumeric(arg) ? Number(arg) : Number.NaN);
    case "%i":
      if (typeof arg === "bigint") return `${arg}n`;
      return numeral(isNumeric(arg) ? Number.parseInt(String(arg), 10) : Number.NaN);
    case "%f":
      return numeral(typeof arg === "symbol" ? Number.NaN : Number.parseFloat(String(arg)));
    case "%j":
      try {
        return JSON.stringify(arg);
      } catch (error) {
        return error instanceof TypeError && /circular/i.test(error.message)
          ? "[Circular]"
          : `[${String(error)}]`;
      }
    case "%o":
      return inspect(arg, { depth: 4 });
    case "%O":
      return inspect(arg);
    default:
      return ""; // %c: colours are for browsers
  }
}

const isNumeric = (arg: unknown) => typeof arg !== "symbol" && typeof arg !== "object";

/** Has the program said how this is to be written, or is it the language's `[object Object]`? */
function hasOwnToString(object: object): boolean {
  const method = (object as { toString?: unknown }).toString;
  if (typeof method !== "function" || object instanceof Error || object instanceof Date) return false;
  return ![Object, Array, Function, RegExp].some((c) => method === c.prototype.toString);
}

function numeral(n: number): string {
  return Object.is(n, -0) ? "-0" : `${n}`;
}

function primitive(value: unknown): string | undefined {
  switch (typeof value) {
    case "number":
      return numeral(value);
    case "bigint":
      return `${value}n`;
    case "symbol":
    case "boolean":
    case "undefined":
      return String(value);
    default:
      return value === null ? "null" : undefined;
  }
}

function quote(s: string): string {
  const mark = !s.includes("'")
    ? "'"
    : !s.includes('"')
      ? '"'
      : !s.includes("`") && !s.includes("${")
        ? "`"
        : "'";
  const escaped = s.replace(
    UNPRINTABLE,
    (c) => SHORT_ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function showString(context: Context, s: string): string {
  const left = s.length - STRING_MAX;
  const kept = left > 0 ? s.slice(0, STRING_MAX) : s;
  const more = left > 0 ? `... ${left} more character${left > 1 ? "s" : ""}` : "";
  if (kept.length <= 16 || kept.length <= BREAK_LENGTH - context.indentation - 4) return quote(kept) + more;
  return (
    kept
      .split(/(?<=\n)/)
      .map(quote)
      .join(` +\n${" ".repeat(context.indentation + 2)}`) + more
  );
}

function show(context: Context, value: unknown, level: number): string {
  if (typeof value === "string") return showString(context, value);
  const short = primitive(value);
  if (short !== undefined) return short;
  const object = value as object & { [CUSTOM]?: unknown };
  const custom = object[CUSTOM];
  if (typeof custom === "function") {
    const shown: unknown = custom.call(object, context.depthMax - level, {}, inspect);
    if (typeof shown === "string") return shown.replaceAll("\n", newLine(context));
    if (shown !== object) return show(context, shown, level);
  }
  if (context.seen.includes(object)) {
    const number = context.circular.get(object) ?? context.circular.size + 1;
    context.circular.set(object, number);
    return `[Circular *${number}]`;
  }
  return showObject(context, object, level);
}

function showObject(context: Context, object: object, level: number): string {
  const { base, prefix, brackets, keys, items } = layoutOf(context, object);
  const [open = "", close = ""] = brackets;
  if (keys.length === 0 && items === undefined) return base || `${prefix}${open}${close}`;
  if (level > context.depthMax) return bracketed(constructorOf(object));
  context.seen.push(object);
  context.currentDepth = level;
  const output = items ? items(level + 1) : [];
  for (const key of keys) output.push(property(context, object, key, level + 1));
  context.seen.pop();
  const number = context.circular.get(object);
  const start = `${number === undefined ? "" : `<ref *${number}> `}${base ? `${base} ` : prefix}${open}`;
  const grouped = open === "[" && output.length > 6 ? group(context, output, object as unknown[]) : output;
  // As long as grouping changed nothing and not too many levels end here, one line is tried.
  if (context.currentDepth - level < COMPACT && grouped.length === output.length) {
    const length = output.reduce((sum, part) => sum + part.length + 1, output.length);
    if (length + start.length + context.indentation + 10 <= BREAK_LENGTH + 1 && !base.includes("\n")) {
      const line = output.join(", ");
      if (!line.includes("\n")) return `${start} ${line} ${close}`;
    }
  }
  const next = newLine(context);
  return `${start}${next}  ${grouped.join(`,${next}  `)}${next}${close}`;
}

/** What stands before the braces, and what between them besides properties. */
interface Layout {
  /** All there is to say of an object without properties; otherwise it stands before the braces. */
  readonly base: string;
  readonly prefix: string;
  readonly brackets: "{}" | "[]";
  readonly keys: readonly PropertyKey[];
  /** Undefined: nothing but properties. */
  readonly items: ((level: number) => string[]) | undefined;
}

function layoutOf(context: Context, object: object): Layout {
  const keys: PropertyKey[] = Object.keys(object);
  for (const symbol of Object.getOwnPropertySymbols(object))
    if (Object.prototype.propertyIsEnumerable.call(object, symbol)) keys.push(symbol);
  const name = constructorOf(object);
  const tag = tagOf(object, name);
  const layout: Layout = { base: "", prefix: `${name} ${tag}`, brackets: "{}", keys, items: undefined };
  const sized = (size: number) => `${name}(${size}) ${tag}`;

  if (Array.isArray(object) || isTyped(object)) {
    const array = object as unknown[];
    return {
      ...layout,
      prefix: name === "Array" && !tag ? "" : sized(array.length),
      brackets: "[]",
      keys: keys.filter((key) => typeof key === "symbol" || !isIndex(String(key))),
      items: array.length ? (level) => arrayItems(context, array, level) : undefined,
    };
  }
  if (object instanceof Set)
    return {
      ...layout,
      prefix: sized(object.size),
      items: object.size
        ? (level) => indented(context, () => capped([...object], (item) => show(context, item, level)))
        : undefined,
    };
  if (object instanceof Map)
    return {
      ...layout,
      prefix: sized(object.size),
      items: object.size
        ? (level) =>
            indented(context, () =>
              capped(
                [...object],
                ([key, item]) => `${show(context, key, level)} => ${show(context, item, level)}`,
              ),
            )
        : undefined,
    };
  if (typeof object === "function") return { ...layout, base: functionBase(object, name) };
  if (object instanceof RegExp) return { ...layout, base: String(object) };
  if (object instanceof Date)
    return { ...layout, base: Number.isNaN(object.getTime()) ? "Invalid Date" : object.toISOString() };
  if (object instanceof Error) return errorLayout(context, object, layout);
  for (const Boxed of [Number, String, Boolean, BigInt, Symbol])
    if (object instanceof Boxed) {
      const inner: unknown = object.valueOf();
      const shown = typeof inner === "string" ? quote(inner) : (primitive(inner) ?? "");
      // A boxed string's letters are properties too.
      return { ...layout, base: `[${Boxed.name}: ${shown}]`, keys: keys.filter((k) => !isIndex(String(k))) };
    }
  if (object instanceof ArrayBuffer) return { ...layout, items: () => bufferItems(object) };
  if (object instanceof DataView)
    return {
      ...layout,
      items: (level) =>
        (["byteLength", "byteOffset", "buffer"] as const).map(
          (key) => `${key}: ${show(context, object[key], level)}`,
        ),
    };
  if (object instanceof WeakMap || object instanceof WeakSet)
    return { ...layout, items: () => ["<items unknown>"] };
  return name === "Object" && !tag ? { ...layout, prefix: "" } : layout;
}

function constructorOf(object: object): string {
  for (let from: object | null = object; from; from = Object.getPrototypeOf(from)) {
    const maker: unknown = Object.getOwnPropertyDescriptor(from, "constructor")?.value;
    if (
      typeof maker === "function" &&
      maker.name &&
      Object.prototype.isPrototypeOf.call(maker.prototype ?? {}, object)
    )
      return maker.name;
  }
  return typeof object === "function"
    ? "Function (null prototype)"
    : `[${Array.isArray(object) ? "Array" : "Object"}: null prototype]`;
}

function tagOf(object: object, name: string): string {
  const tag = (object as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return typeof tag === "string" && tag && tag !== name ? `[${tag}] ` : "";
}

const isTyped = (object: object) => ArrayBuffer.isView(object) && !(object instanceof DataView);
const bracketed = (name: string) => (name.startsWith("[") ? name : `[${name}]`);
const isIndex = (key: string) => /^(0|[1-9]\d*)$/.test(key);
const newLine = (context: Context) => `\n${" ".repeat(context.indentation)}`;

function indented<T>(context: Context, run: () => T): T {
  context.indentation += 2;
  const result = run();
  context.indentation -= 2;
  return result;
}

function capped<T>(items: T[], one: (item: T) => string): string[] {
  return [...items.slice(0, ITEMS_MAX).map(one), ...remaining(items.length - ITEMS_MAX, "item")];
}

const remaining = (count: number, what: string) =>
  count > 0 ? [`... ${count} more ${what}${count > 1 ? "s" : ""}`] : [];

function arrayItems(context: Context, array: unknown[], level: number): string[] {
  const output: string[] = [];
  let at = 0;
  while (at < array.length && output.length < ITEMS_MAX) {
    if (Object.hasOwn(array, at)) output.push(indented(context, () => show(context, array[at], level)));
    else {
      const from = at;
      // A hole may be four thousand million long: look for the next key, do not count.
      const next = Object.keys(array).find((key) => isIndex(key) && Number(key) > from);
      at = next === undefined ? array.length - 1 : Number(next) - 1;
      const count = at - from + 1;
      output.push(`<${count} empty item${count > 1 ? "s" : ""}>`);
    }
    at++;
  }
  return [...output, ...remaining(array.length - at, "item")];
}

function bufferItems(buffer: ArrayBuffer): string[] {
  const shown = new Uint8Array(buffer, 0, Math.min(BUFFER_BYTES_MAX, buffer.byteLength));
  const hex = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0"));
  const left = buffer.byteLength - shown.length;
  const more = left > 0 ? ` ... ${left} more byte${left > 1 ? "s" : ""}` : "";
  return [`[Uint8Contents]: <${hex.join(" ")}${more}>`, `byteLength: ${buffer.byteLength}`];
}

function functionBase(f: object & { name?: unknown }, kind: string): string {
  const name = typeof f.name === "string" ? f.name : "";
  const source = Function.prototype.toString.call(f);
  if (/^class[\s{]/.test(source)) {
    const parent = (Object.getPrototypeOf(f) as { name?: string } | null)?.name;
    return `[class ${name || "(anonymous)"}${parent ? ` extends ${parent}` : ""}]`;
  }
  return `[${kind}${name ? `: ${name}` : " (anonymous)"}]`;
}

/** A stack without this library's own frames: they say nothing to the program's author. */
export function programFrames(stack: string): string {
  return stack
    .split("\n")
    .filter((line) => !/\(roost(:\d+)*\)$/.test(line))
    .join("\n");
}

/** Frames at either end of a stack that are shown: where it happened, and where that was called from. */
const FRAMES_FIRST = 30;
const FRAMES_LAST = 10;

/** The program's frames as they are shown: of a recursion without an end there are a hundred thousand. */
export function framesShown(stack: string): string {
  const lines = programFrames(stack).trimEnd().split("\n");
  const more = lines.length - FRAMES_FIRST - FRAMES_LAST;
  if (more <= 1) return lines.join("\n");
  return [...lines.slice(0, FRAMES_FIRST), `    … ${more} more`, ...lines.slice(-FRAMES_LAST)].join("\n");
}

/** Name, message and stack, as `console.error` and an uncaught error show them. */
export function errorText(error: Error): string {
  let name = typeof error.name === "string" ? error.name : "Error";
  const made = constructorOf(error);
  // Like Node: a subclass that did not set its name is still called by its class.
  if (name === "Error" && made !== "Error" && !made.includes(" ")) name = made;
  const header = error.message ? `${name}: ${error.message}` : name;
  const stack = typeof error.stack === "string" ? error.stack : "";
  const frames = framesShown(stack.slice(stack.search(/^ {4}at /m)));
  return /^ {4}at /m.test(frames) ? `${header}\n${frames}` : header;
}

function errorLayout(context: Context, error: Error, layout: Layout): Layout {
  const text = errorText(error);
  const hidden = ["cause", "errors"].filter((key) => Object.hasOwn(error, key) && !layout.keys.includes(key));
  return {
    ...layout,
    base: (text.includes("\n    at ") ? text : `[${text}]`).replaceAll("\n", newLine(context)),
    keys: [...layout.keys.filter((key) => !["name", "message", "stack"].includes(String(key))), ...hidden],
  };
}

function property(context: Context, object: object, key: PropertyKey, level: number): string {
  const found = Object.getOwnPropertyDescriptor(object, key);
  let shown = "undefined";
  if (found && "value" in found) shown = indented(context, () => show(context, found.value, level));
  else if (found?.get) shown = found.set ? "[Getter/Setter]" : "[Getter]";
  else if (found?.set) shown = "[Setter]";
  return `${keyText(key, found?.enumerable ?? true)}: ${shown}`;
}

function keyText(key: PropertyKey, enumerable: boolean): string {
  if (typeof key === "symbol") return `[${String(key)}]`;
  const text = String(key);
  if (!enumerable) return `[${text}]`;
  return IDENTIFIER.test(text) ? text : quote(text);
}

/** Puts the items of a long array into columns, by Node's measure of what looks square. */
function group(context: Context, output: string[], array: readonly unknown[]): string[] {
  const more = array.length > ITEMS_MAX && output.at(-1)?.startsWith("... ") ? 1 : 0;
  const count = output.length - more;
  const lengths = output.slice(0, count).map((part) => part.length + 2);
  const widest = Math.max(...lengths);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (widest * 3 + context.indentation >= BREAK_LENGTH || (total / widest <= 5 && widest > 8)) return output;
  const width = Math.max(widest - 3 - Math.sqrt(widest - total / output.length), 1);
  const columns = Math.min(
    Math.round(Math.sqrt(2.5 * width * count) / width),
    Math.floor((BREAK_LENGTH - context.indentation) / widest),
    COMPACT * 4,
    15,
  );
  if (columns <= 1) return output;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...lengths.filter((_, i) => i % columns === column)),
  );
  const right = array.every((item) => typeof item === "number" || typeof item === "bigint");
  const rows: string[] = [];
  for (let from = 0; from < count; from += columns) {
    const row = output.slice(from, Math.min(from + columns, count));
    const cells = row.map((part, i) => {
      const last = i === row.length - 1;
      const room = (widths[i] ?? 0) - (last ? 2 : 0);
      const cell = last ? part : `${part}, `;
      return right ? cell.padStart(room) : last ? cell : cell.padEnd(room);
    });
    rows.push(cells.join(""));
  }
  return [...rows, ...output.slice(count)];
}
