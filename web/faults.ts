/** Finds, in what a program printed on stderr, the line of it that the error comes from. */
import type { Line } from "./terminal.ts";

export interface Fault {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** The last error that names a place in `fileName`: its message, and the innermost such place. */
export function faultIn(lines: readonly Line[], fileName: string): Fault | undefined {
  const escaped = fileName.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const place = new RegExp(`(?:^|[\\s(])${escaped}:(\\d+)`);
  const errors = lines.filter((line) => line.stream === "err").map((line) => line.text);
  for (let n = errors.length - 1; n >= 0; n--) {
    if (!/^(?:Uncaught (?:\(in a promise\) )?)?[\w$]*(?:Error|Exception)\b/.test(errors[n] ?? "")) continue;
    for (const text of errors.slice(n, n + 50)) {
      const found = place.exec(text);
      if (found)
        return {
          line: Number(found[1]),
          message: errors[n] ?? "",
        };
    }
  }
  return undefined;
}
