/** The owner's settings as this browser keeps them, for all its tabs, which tell each other of every change. */
import {
  defaultOwnerSettings,
  isHostId,
  type OwnerSettings,
  type Person,
  type Store,
} from "../fabric/index.ts";

const KEY = "owner";
const CHANNEL = "roost-owner";

export const loadOwnerSettings = async (store: Store, processors: number): Promise<OwnerSettings> =>
  ownerSettingsFrom(await store.get<unknown>(KEY), processors);

export const saveOwnerSettings = (store: Store, settings: OwnerSettings): Promise<void> =>
  store.set(KEY, settings);

/**
 * Calls back with settings that another tab of this browser has changed. Returns what tells the others of a change
 * here. Where tabs cannot talk to each other, each takes over what was kept when it is opened.
 */
export function shareOwnerSettings(
  processors: number,
  onChange: (settings: OwnerSettings) => void,
): (settings: OwnerSettings) => void {
  try {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }) => onChange(ownerSettingsFrom(data, processors));
    return (settings) => channel.postMessage(settings);
  } catch {
    return () => {};
  }
}

/** Each is there once, under the name that was heard last. */
export const withPerson = (people: readonly Person[], { id, name }: Person): Person[] => [
  ...people.filter((one) => one.id !== id || (id === undefined && one.name !== name)),
  { id, name },
];

/** Another version of the page may have written it, so every field is looked at; what makes no sense is the default. */
export function ownerSettingsFrom(found: unknown, processors: number): OwnerSettings {
  const otherwise = defaultOwnerSettings(processors);
  const kept = bag(found);
  const allowance = (value: unknown, { workers, share }: OwnerSettings["here"]) => ({
    workers: Math.round(number(bag(value).workers, 0, processors, workers)),
    share: number(bag(value).share, 0.1, 1, share),
  });
  const { onBattery, trafficBytesPerDay } = kept;
  return {
    here: allowance(kept.here, otherwise.here),
    away: allowance(kept.away, otherwise.away),
    awayAfterMs: number(kept.awayAfterMs, 10_000, 24 * 3_600_000, otherwise.awayAfterMs),
    onlyHidden: kept.onlyHidden === true,
    onBattery:
      onBattery === "never" || onBattery === "charged" || onBattery === "always"
        ? onBattery
        : otherwise.onBattery,
    onMetered: kept.onMetered === true,
    hours: hoursFrom(kept.hours),
    memoryBytes: number(kept.memoryBytes, 2 ** 20, 2 ** 40, otherwise.memoryBytes),
    trafficBytesPerDay:
      typeof trafficBytesPerDay === "number" && trafficBytesPerDay > 0 ? trafficBytesPerDay : undefined,
    servedOnly: peopleFrom(kept.servedOnly),
    blocked: peopleFrom(kept.blocked),
  };
}

function peopleFrom(value: unknown): Person[] {
  return (Array.isArray(value) ? value : []).flatMap((one): Person[] => {
    if (typeof one === "string") return [{ id: undefined, name: one }]; // as lists were kept before people had ids
    const { id, name } = bag(one);
    if (typeof name !== "string") return [];
    if (id === undefined) return [{ id, name }];
    return typeof id === "string" && isHostId(id) ? [{ id, name }] : [];
  });
}

function hoursFrom(value: unknown): OwnerSettings["hours"] {
  const { fromMinute, toMinute } = bag(value);
  const minute = (n: unknown): n is number => Number.isInteger(n) && Number(n) >= 0 && Number(n) < 24 * 60;
  return minute(fromMinute) && minute(toMinute) && fromMinute !== toMinute
    ? { fromMinute, toMinute }
    : undefined;
}

const bag = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? { ...value } : {};

const number = (value: unknown, min: number, max: number, otherwise: number): number =>
  typeof value === "number" && Number.isFinite(value) ? Math.min(max, Math.max(min, value)) : otherwise;
