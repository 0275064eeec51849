/** Tables for terminals: columns that matter less leave when there is no room, and the last one is cut. */
import Table from "cli-table3";
import stringWidth from "string-width";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  readonly right?: boolean;
  /** The lower, the sooner it leaves; those without one stay. */
  readonly rank?: number;
  /** May be cut down to this many characters; others are shown whole or not at all. */
  readonly least?: number;
}

const GAP = 2;

/** Of the terminal that stdout is, or of no end: a program reads whole lines. */
export function widthOfOutput(stream: { readonly columns?: number } = process.stdout): number {
  return stream.columns || Number.POSITIVE_INFINITY;
}

/** Without an end of line. */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { readonly width?: number; readonly title?: (text: string) => string } = {},
): string {
  const { width = widthOfOutput(), title = (text) => text } = options;
  const shown = columns
    .map((column) => {
      const cells = rows.map(column.cell);
      const natural = Math.max(stringWidth(column.title), ...cells.map((cell) => stringWidth(cell)));
      return { column, cells, width: natural };
    })
    // A column that says nothing is none.
    .filter(({ cells, column }) => column.rank === undefined || cells.some((cell) => cell !== ""));
  const total = () => shown.reduce((sum, c) => sum + c.width, GAP * (shown.length - 1));
  const shrink = () => {
    for (const c of shown)
      if (c.column.least !== undefined)
        c.width = Math.max(Math.min(c.width, c.column.least), c.width - Math.max(0, total() - width));
  };
  for (;;) {
    const before = shown.map((c) => c.width);
    shrink();
    if (total() <= width) break;
    const leaving = shown
      .filter((c) => c.column.rank !== undefined)
      .toSorted((a, b) => (a.column.rank ?? 0) - (b.column.rank ?? 0))[0];
    if (!leaving) break;
    for (const [n, c] of shown.entries()) c.width = before[n] ?? c.width;
    shown.splice(shown.indexOf(leaving), 1);
  }
  const drawn = new Table({
    head: shown.map(({ column }) => title(column.title)),
    chars: NO_BORDERS,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    colAligns: shown.map(({ column }) => (column.right ? "right" : "left")),
    colWidths: shown.map((c) => c.width),
    wordWrap: false,
  });
  for (const n of rows.keys()) drawn.push(shown.map(({ cells }) => cells[n] ?? ""));
  return drawn
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

const NO_BORDERS = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: " ".repeat(GAP),
};
