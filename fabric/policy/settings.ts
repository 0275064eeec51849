/** What an owner allows, as kept and shown: plain data. */
import type { HostId } from "../base/ids.ts";

/** How much of the machine is given. `share`: of each worker's time, in (0, 1]; no workers: nothing. */
export interface Allowance {
  readonly workers: number;
  readonly share: number;
}

/** Minutes after midnight, local time; from after to runs over midnight. */
export interface Hours {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/**
 * Whom a rule is about: one participant by its id, whatever it calls itself, and nobody who calls himself the same. Without
 * an id, whoever is called so: anybody can take any name.
 */
export interface Person {
  readonly id: HostId | undefined;
  /** For people, as last heard; what counts only without an id. */
  readonly name: string;
}

/** What an owner allows, and when. */
export interface OwnerSettings {
  /** While somebody uses the machine, as far as it can be told. */
  readonly here: Allowance;
  readonly away: Allowance;
  /** Without input for this long, the owner counts as away. */
  readonly awayAfterMs: number;
  /** Only while the page is in the background. */
  readonly onlyHidden: boolean;
  /** `charged`: from BATTERY_START on, until it falls below BATTERY_STOP. */
  readonly onBattery: "never" | "charged" | "always";
  /** Whether to work over connections that the owner pays by the byte. */
  readonly onMetered: boolean;
  /** Undefined: at any time of day. */
  readonly hours: Hours | undefined;
  /** Of all guests together, in bytes. */
  readonly memoryBytes: number;
  /** In and out together, in bytes; undefined: any. */
  readonly trafficBytesPerDay: number | undefined;
  /** Only these are served; none: everyone. */
  readonly servedOnly: readonly Person[];
  readonly blocked: readonly Person[];
}

/** `processors` as the platform reports them: half of them while the owner is here, all otherwise. */
export const defaultOwnerSettings = (processors: number): OwnerSettings => ({
  here: { workers: Math.max(1, Math.floor(processors / 2)), share: 1 },
  away: { workers: Math.max(1, processors), share: 1 },
  awayAfterMs: 60_000,
  onlyHidden: false,
  onBattery: "charged",
  onMetered: false,
  hours: undefined,
  memoryBytes: 1024 * 2 ** 20,
  trafficBytesPerDay: undefined,
  servedOnly: [],
  blocked: [],
});

/** Why a home is not served; undefined: it is. */
export function refusalOf(
  { servedOnly, blocked }: OwnerSettings,
  home: { readonly id: HostId; readonly name: string },
): string | undefined {
  const isHome = ({ id, name }: Person) => (id === undefined ? name === home.name : id === home.id);
  if (blocked.some(isHome)) return "its owner does not serve you";
  if (servedOnly.length > 0 && !servedOnly.some(isHome))
    return "its owner serves only people on a list, and you are not on it";
  return undefined;
}
