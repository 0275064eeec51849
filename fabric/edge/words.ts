/** Numbers and names as people read them. */
import prettyMs from "pretty-ms";
import type { JobReport } from "../wire/control.ts";
import { SHOWN } from "./state.ts";

/** Text from elsewhere, made fit for a terminal: one line, nothing that moves the cursor or turns the direction. */
export const plain = (text: string) => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");

export const counted = (n: number, one: string, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

export const shortId = (id: string) => id.slice(0, SHOWN);

/** `340ms`, `2.3s`, `4m 10s`. */
export const span = (ms: number) =>
  ms < 60_000
    ? prettyMs(Math.max(0, ms), { secondsDecimalDigits: 1, millisecondsDecimalDigits: 0 })
    : prettyMs(ms, { unitCount: 2, secondsDecimalDigits: 0 });

/** `12M`, `1.5M`, `3K`: MiB, or KiB. */
export function mib(bytes: number): string {
  if (bytes === 0) return "";
  if (bytes < 0.1 * 2 ** 20) return `${Math.ceil(bytes / 2 ** 10)}K`;
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)}M`;
}

/** As a shell says it: the status, or 128 and the signal's number. */
export function exitCodeOf({ status, signal }: Pick<JobReport, "status" | "signal">): number {
  return signal ? 128 + (SIGNAL_NUMBERS[signal] ?? 0) : (status ?? 0) & 255;
}

export const SIGNAL_NUMBERS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
};
