/** Colours, for each of the two streams as it is: a terminal or not. NO_COLOR and FORCE_COLOR have the last word. */
import type { WriteStream } from "node:tty";
import pc from "picocolors";

type Stream = Pick<WriteStream, "isTTY">;

function hasColors(stream: Stream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR !== undefined) return !["0", "false"].includes(FORCE_COLOR);
  return stream.isTTY === true && TERM !== "dumb";
}

/** For what goes to stdout. */
export const out = pc.createColors(hasColors(process.stdout));
/** For what goes to stderr. */
export const err = pc.createColors(hasColors(process.stderr));
