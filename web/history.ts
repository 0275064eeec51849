/** What this browser has given, day by day: kept for a month, counted for all its tabs together. */
import type { FabricView, Receipt, Store } from "../fabric/index.ts";

export interface Day {
  /** Local date, "2026-11-21". */
  readonly date: string;
  /** While work was taken, all tabs together. */
  readonly givenMs: number;
  readonly cpuMs: number;
  /** Processes of others that ran here. */
  readonly hosted: number;
  /** Of those, how many were sent away before their end. */
  readonly sentAway: number;
  /** In and out together. */
  readonly trafficBytes: number;
}
export type Given = Omit<Day, "date">;

export const NOTHING_GIVEN: Given = { givenMs: 0, cpuMs: 0, hosted: 0, sentAway: 0, trafficBytes: 0 };
const DAYS_KEPT = 31;
const KEY = "history";

export function add<T extends Given>(to: T, more: Given): T {
  const sums = (Object.keys(NOTHING_GIVEN) as (keyof Given)[]).map((key) => [key, to[key] + more[key]]);
  return { ...to, ...Object.fromEntries(sums) };
}

export const dateOf = (ms: number): string => {
  const at = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
};

/** Oldest first. What was written by another version, or by nobody, counts as nothing. */
export function daysFrom(found: unknown): readonly Day[] {
  if (!Array.isArray(found)) return [];
  return found.filter(
    (day): day is Day =>
      typeof day?.date === "string" && Object.keys(NOTHING_GIVEN).every((key) => Number.isFinite(day[key])),
  );
}

export function withMore(days: readonly Day[], date: string, more: Given): readonly Day[] {
  const today = days.find((day) => day.date === date) ?? { date, ...NOTHING_GIVEN };
  return [...days.filter((day) => day.date !== date), add(today, more)].slice(-DAYS_KEPT);
}

/** Reads, adds and writes as one, though other tabs do the same. */
export async function addToHistory(store: Store, date: string, more: Given): Promise<readonly Day[]> {
  const change = async () => {
    const days = withMore(daysFrom(await store.get<unknown>(KEY)), date, more);
    await store.set(KEY, days);
    return days;
  };
  return "locks" in navigator ? navigator.locks.request("roost-history", change) : change();
}

/** Turns one look at the fabric after the other into what was given in between. */
export class Meter {
  /** As at the look before. */
  #hosted = 0;
  #cpuMs = 0;
  #trafficBytes = 0;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** What was given since the look before. */
  look({ donor, traffic }: FabricView, nowMs: number): Given {
    const { hosted, cpuMs } = donor.given;
    const trafficBytes = traffic.inBytes + traffic.outBytes;
    const given = {
      ...NOTHING_GIVEN,
      givenMs: donor.state === "donating" ? nowMs - this.#atMs : 0,
      cpuMs: Math.max(0, cpuMs - this.#cpuMs),
      hosted: Math.max(0, hosted - this.#hosted),
      trafficBytes: Math.max(0, trafficBytes - this.#trafficBytes),
    };
    this.#hosted = hosted;
    this.#cpuMs = cpuMs;
    this.#trafficBytes = trafficBytes;
    this.#atMs = nowMs;
    return given;
  }

  /** The participant is another one. */
  restart(): void {
    this.#hosted = this.#cpuMs = this.#trafficBytes = 0;
  }
}

export const sentAwayBy = (receipt: Receipt): Given => ({ ...NOTHING_GIVEN, sentAway: receipt.left.length });
