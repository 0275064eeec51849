/** console.table: rows and columns of what an array, a Map, a Set or an object holds, as Node draws them. */
import { inspect } from "./inspect.ts";

const INDEX = "(index)";
const VALUES = "Values";

type Row = ReadonlyMap<string, string>;

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const cell = (value: unknown) => inspect(value, { depth: 0 }).replaceAll("\n", " ");

/** Undefined: it holds nothing that could be laid out. `columns`: those that are wanted; all unless given. */
export function tableOf(data: unknown, columns?: readonly string[]): string | undefined {
  if (!isObject(data)) return undefined;
  const rows = Array.from(entriesOf(data), ([index, value]) => rowOf(index, value, columns));
  const present = new Set(rows.flatMap((row) => [...row.keys()]));
  present.delete(VALUES);
  const wanted = columns ?? [...present].filter((name) => name !== INDEX);
  const hasValues = rows.some((row) => row.has(VALUES));
  return draw([INDEX, ...wanted, ...(hasValues ? [VALUES] : [])], rows);
}

function* entriesOf(data: object): Generator<[index: string, value: unknown]> {
  if (data instanceof Map) for (const [key, value] of data) yield [cell(key), value];
  else if (data instanceof Set) yield* Array.from(data, (value, n): [string, unknown] => [String(n), value]);
  else yield* Object.entries(data);
}

function rowOf(index: string, value: unknown, columns: readonly string[] | undefined): Row {
  const row = new Map([[INDEX, index]]);
  if (!isObject(value)) row.set(VALUES, cell(value));
  else
    for (const [name, one] of Object.entries(value))
      if (!columns || columns.includes(name)) row.set(name, cell(one));
  return row;
}

function draw(names: readonly string[], rows: readonly Row[]): string {
  const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => row.get(name)?.length ?? 0)));
  const line = (left: string, middle: string, right: string) =>
    left + widths.map((width) => "─".repeat(width + 2)).join(middle) + right;
  const cells = (texts: readonly string[]) =>
    `│${texts.map((text, n) => ` ${text.padEnd(widths[n] ?? 0)} `).join("│")}│`;
  return [
    line("┌", "┬", "┐"),
    cells(names),
    line("├", "┼", "┤"),
    ...rows.map((row) => cells(names.map((name) => row.get(name) ?? ""))),
    line("└", "┴", "┘"),
  ].join("\n");
}
