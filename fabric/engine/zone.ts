/**
 * How far local time is from UTC, for a zone by its IANA name, from the platform's own tables.
 * Cached by quarter hours, because programs ask for the same moments again and again and Intl is slow.
 */
import { RoostError } from "../base/errors.ts";

const QUARTER_HOUR_SECONDS = 900;
/** Before our era Intl counts years backwards. Local mean time applies there, as it does in the first years of it. */
const EARLIEST_SECONDS = new Date(0).setUTCFullYear(2) / 1000;
const LATEST_SECONDS = 8.64e12;
const CACHED_MAX = 4096;

export class Zone {
  readonly #format: Intl.DateTimeFormat;
  readonly #cache = new Map<number, number>();

  /** Throws RoostError EINVAL for a zone this host does not know. */
  constructor(name: string) {
    try {
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        calendar: "gregory",
        numberingSystem: "latn",
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch (cause) {
      throw new RoostError(
        "EINVAL",
        `"${name}" is no time zone this host knows; give an IANA name such as Europe/Madrid`,
        {
          cause,
        },
      );
    }
  }

  /** Seconds to add to UTC, at a moment in seconds since 1970. */
  offsetSeconds(utcSeconds: number): number {
    const clamped = Math.min(Math.max(utcSeconds, EARLIEST_SECONDS), LATEST_SECONDS);
    const quarter = Math.floor(clamped / QUARTER_HOUR_SECONDS);
    let offset = this.#cache.get(quarter);
    if (offset === undefined) {
      if (this.#cache.size >= CACHED_MAX) this.#cache.clear();
      offset = this.#look(quarter * QUARTER_HOUR_SECONDS);
      this.#cache.set(quarter, offset);
    }
    return offset;
  }

  #look(utcSeconds: number): number {
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(utcSeconds * 1000)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    // setUTCFullYear, because Date.UTC takes a year under 100 for one of the twentieth century.
    const local = new Date(Date.UTC(2000, month - 1, day, hour, minute, second)).setUTCFullYear(
      year,
      month - 1,
      day,
    );
    return local / 1000 - utcSeconds;
  }
}

const zones = new Map<string, Zone>();

export function zoneNamed(name: string): Zone {
  let zone = zones.get(name);
  if (!zone) {
    zone = new Zone(name);
    if (zones.size >= 64) zones.clear();
    zones.set(name, zone);
  }
  return zone;
}
