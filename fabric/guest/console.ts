/** The console: log, info and debug go to stdout; warn, error and trace to stderr; each call is one write. */
import { utf8Encode } from "../base/codec.ts";
import { format, framesShown, type InspectOptions, inspect } from "./inspect.ts";
import { print } from "./system.ts";
import { tableOf } from "./table.ts";

const now = Date.now;
let indentation = "";
const counts = new Map<string, number>();
const began = new Map<string, number>();

function write(fd: 1 | 2, text: string) {
  const shown = indentation ? indentation + text.replaceAll("\n", `\n${indentation}`) : text;
  print(fd, utf8Encode(`${shown}\n`));
}

const out = (...args: unknown[]) => write(1, format(...args));
const err = (...args: unknown[]) => write(2, format(...args));

function elapsed(label: string): string | undefined {
  const since = began.get(label);
  if (since === undefined) err(`Warning: no console.time('${label}') came before`);
  return since === undefined ? undefined : `${label}: ${now() - since}ms`;
}

export const console = {
  log: out,
  info: out,
  debug: out,
  warn: err,
  error: err,
  trace(...args: unknown[]) {
    const frames = framesShown(new Error().stack ?? "");
    err(`Trace${args.length ? ": " : ""}${format(...args)}\n${frames}`);
  },
  dir(value: unknown, options?: InspectOptions) {
    out(inspect(value, options));
  },
  table(data: unknown, columns?: readonly string[]) {
    out(tableOf(data, columns) ?? data);
  },
  assert(condition?: unknown, ...args: unknown[]) {
    if (condition) return;
    if (typeof args[0] === "string") err(`Assertion failed: ${args[0]}`, ...args.slice(1));
    else err(`Assertion failed${args.length ? ":" : ""}`, ...args);
  },
  group(...args: unknown[]) {
    if (args.length) out(...args);
    indentation += "  ";
  },
  groupCollapsed(...args: unknown[]) {
    console.group(...args);
  },
  groupEnd() {
    indentation = indentation.slice(2);
  },
  count(label = "default") {
    const n = (counts.get(label) ?? 0) + 1;
    counts.set(label, n);
    out(`${label}: ${n}`);
  },
  countReset(label = "default") {
    counts.delete(label);
  },
  time(label = "default") {
    began.set(label, now());
  },
  timeLog(label = "default", ...args: unknown[]) {
    const text = elapsed(label);
    if (text !== undefined) out(text, ...args);
  },
  timeEnd(label = "default") {
    const text = elapsed(label);
    if (text !== undefined) out(text);
    began.delete(label);
  },
};
