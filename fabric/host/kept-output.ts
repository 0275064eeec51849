/**
 * Cuts what a job has written into parts that are kept once, since they do not change, and what comes after those, which is
 * kept with the job each time. Else a job that writes much would be written down whole, again and again.
 */
import { LIMITS } from "../base/limits.ts";
import type { Output } from "./output-log.ts";

/** Of what the job has written, from byte `begin` up to `end`. */
export interface OutputPart {
  readonly begin: number;
  readonly end: number;
}

/** What an entry takes beside its data, at most. */
const ENTRY_BYTES = 16;

export class KeptOutput {
  #parts: OutputPart[] = [];

  /** `output`: all that there is of it, the oldest first. */
  cut(output: readonly Output[]): {
    readonly parts: readonly OutputPart[];
    readonly last: readonly Output[];
  } {
    const oldest = output[0]?.position ?? Number.POSITIVE_INFINITY;
    this.#parts = this.#parts.filter(({ end }) => end > oldest);
    let begin = this.#parts.at(-1)?.end ?? 0;
    let bytes = 0;
    for (const { position, data } of within(output, { begin, end: Number.POSITIVE_INFINITY })) {
      bytes += data.length + ENTRY_BYTES;
      if (bytes < LIMITS.outputPartBytes) continue;
      const end = position + data.length;
      this.#parts.push({ begin, end });
      [begin, bytes] = [end, 0];
    }
    return { parts: this.#parts, last: within(output, { begin, end: Number.POSITIVE_INFINITY }) };
  }
}

/** The entries that begin in a part; looked for from the end, where what is new is. */
export function within(output: readonly Output[], { begin, end }: OutputPart): Output[] {
  const from = 1 + output.findLastIndex(({ position }) => position < begin);
  const to = 1 + output.findLastIndex(({ position }) => position < end);
  return output.slice(from, to);
}
