/**
 * Whether a host works for others now, on how many workers, and why: a pure function of what its owner wants, what
 * can be told of the machine, and what was decided before.
 *
 * Promises: less is decided at once, more only after it has been possible for DWELL_MS, so that nothing flaps; what
 * starts work and what stops it have thresholds apart; there is always a reason, in words.
 */
import type { Readings } from "./readings.ts";
import type { Allowance, Hours, OwnerSettings } from "./settings.ts";

/** What the owner pressed last. Times are the clock's that is given to `decide`. */
export type Wish =
  | { readonly kind: "off"; readonly reason: string }
  | { readonly kind: "on" }
  | { readonly kind: "paused"; readonly sinceMs: number }
  | { readonly kind: "snoozed"; readonly untilMs: number }
  /** What is here goes on to its end, then off. */
  | { readonly kind: "finishing" };

export const OFF: Wish = { kind: "off", reason: "not donating" };

export interface Owner {
  readonly wish: Wish;
  readonly settings: OwnerSettings;
}

/** How much a host works for others now, and why. */
export interface Decision {
  /** Whether more work is taken. */
  readonly taking: boolean;
  /** On how many workers, at what share of their time. */
  readonly workers: number;
  readonly share: number;
  /** What becomes of the work that is here: it goes on, stands still, or leaves. */
  readonly guests: "run" | "hold" | "leave";
  readonly reason: string;
  /** Workers that would be put to use if the budget had them and no dwell were left. */
  readonly wants: number;
  /** For the next decision. */
  readonly memory: Memory;
}

interface Memory {
  readonly wish: Wish["kind"];
  readonly present: boolean;
  /** Since when more has been possible than is taken. */
  readonly moreSinceMs: number | undefined;
  readonly batteryLow: boolean;
  /** Workers that a busy machine leaves, since when, and whether at half speed. */
  readonly cap: number;
  readonly halved: boolean;
  readonly capSinceMs: number;
  readonly busySinceMs: number | undefined;
}

/** More must have been possible for this long before it is taken. Sprite waited 30 s too. */
export const DWELL_MS = 30_000;
/** Input this recent: somebody is there. */
const INPUT_MS = 2_000;
/** Paused work stands still here for this long, then it moves on: somebody waits for it. */
export const HOLD_MS = 60_000;
const BATTERY_STOP = 0.3;
const BATTERY_START = 0.5;
/** Of all processors, used by other programs: above the one the machine is busy, below the other it is free. */
const OTHERS_BUSY = 0.5;
const OTHERS_FREE = 0.25;
/** A machine that stays busy loses a worker each time this has passed. */
const BUSY_STEP_MS = 10_000;
/** After the last worker was given up. */
const BUSY_REST_MS = 300_000;

export function decide(
  owner: Owner,
  readings: Readings,
  previous: Decision | undefined,
  nowMs: number,
): Decision {
  const { wish, settings } = owner;
  const before = previous?.memory;
  const present = isPresent(settings, readings, before?.present ?? true);
  const batteryLow = isBatteryLow(readings, before?.batteryLow ?? false);
  const busy = busyness(readings, present, before, previous?.workers ?? 0, nowMs);
  // A snooze that is over is as if it had always been wished: what follows waits like any other work.
  const over = wish.kind === "snoozed" && wish.untilMs <= nowMs;
  const memory: Memory = {
    wish: over ? "on" : wish.kind,
    present,
    batteryLow,
    moreSinceMs: undefined,
    ...busy,
  };
  const nothing = (guests: Decision["guests"], reason: string): Decision => ({
    taking: false,
    workers: guests === "run" ? (previous?.workers ?? 0) : 0,
    share: previous?.share ?? 1,
    guests,
    reason,
    wants: 0,
    memory,
  });

  switch (wish.kind) {
    case "off":
      return nothing("leave", wish.reason);
    case "paused": {
      const leftMs = wish.sinceMs + HOLD_MS - nowMs;
      if (leftMs > 0 && readings.guests > 0)
        return nothing("hold", `paused by its owner; what is here moves on in ${inWords(leftMs)}`);
      return nothing("leave", "paused by its owner");
    }
    case "snoozed":
      if (over) break;
      return nothing("leave", `snoozed by its owner for ${inWords(wish.untilMs - nowMs)} more`);
    case "finishing":
      return nothing("run", "finishing what is here, then it stops");
    case "on":
      break;
  }

  const obstacle = obstacleTo(settings, readings, memory);
  if (obstacle?.guests === "leave") return nothing("leave", obstacle.reason);

  const mode: Allowance = present ? settings.here : settings.away;
  const wants = Math.min(mode.workers, memory.cap);
  const possible = Math.min(wants, readings.budget);
  const had = previous && previous.guests === "run" ? previous.workers : 0;
  // An owner who has just asked for it need not wait.
  const fresh = wish.kind === "on" && before?.wish !== "on";
  const moreSinceMs = possible > had ? (before?.moreSinceMs ?? nowMs) : undefined;
  const waitsMs = moreSinceMs === undefined || fresh ? 0 : moreSinceMs + DWELL_MS - nowMs;
  const workers = waitsMs > 0 ? had : possible;
  const next = { ...memory, moreSinceMs: waitsMs > 0 ? moreSinceMs : undefined };
  const share = memory.halved ? mode.share / 2 : mode.share;
  const then = { workers, share, wants, memory: next };
  if (possible === 0)
    return { ...nothing("leave", "other tabs of this browser use all the workers you allow"), ...then };
  if (workers === 0)
    return {
      ...nothing("leave", `all is quiet; work starts in ${inWords(waitsMs)} if it stays so`),
      ...then,
    };
  if (obstacle) return { ...nothing("run", obstacle.reason), ...then };
  const reason = reasonToTake(settings, readings, memory, workers, waitsMs);
  return { taking: true, guests: "run", reason, ...then };
}

interface Obstacle {
  readonly reason: string;
  /** `run`: what is here may go on. */
  readonly guests: "leave" | "run";
}

/** What speaks against taking work: the first that does, the most lasting first. */
function obstacleTo(settings: OwnerSettings, r: Readings, memory: Memory): Obstacle | undefined {
  const leave = (reason: string): Obstacle => ({ reason, guests: "leave" });
  const { hours, trafficBytesPerDay } = settings;
  if (hours && !within(hours, r.minuteOfDay))
    return leave(`outside your hours (${clock(hours.fromMinute)}–${clock(hours.toMinute)})`);
  if (r.battery && !r.battery.charging) {
    if (settings.onBattery === "never") return leave("on battery");
    if (settings.onBattery === "charged" && memory.batteryLow)
      return leave(
        `the battery is at ${percent(r.battery.charge)}; work starts again at ${percent(BATTERY_START)} or on the mains`,
      );
  }
  if (r.metered && !settings.onMetered) return leave("data is being saved on this connection");
  if (settings.onlyHidden && r.hidden === false) return leave("this page is in front");
  if (memory.present && settings.here.workers === 0)
    return leave(`you are here; work starts after ${inWords(settings.awayAfterMs)} without input`);
  if (!memory.present && settings.away.workers === 0) return leave("nobody is here, and then it is to rest");
  if (memory.cap === 0) return leave("this machine is busy with other things");
  if (trafficBytesPerDay !== undefined && r.trafficBytes >= trafficBytesPerDay)
    return { reason: `today’s traffic of ${mebibytes(trafficBytesPerDay)} is used up`, guests: "run" };
  if (r.memoryBytes >= settings.memoryBytes)
    return { reason: `guests use all the ${mebibytes(settings.memoryBytes)} you give`, guests: "run" };
  return undefined;
}

function reasonToTake(
  settings: OwnerSettings,
  r: Readings,
  memory: Memory,
  workers: number,
  waitsMs: number,
): string {
  const of = workers === 1 ? "1 worker" : `${workers} workers`;
  if (waitsMs > 0) return `${of} now, more in ${inWords(waitsMs)} if all stays quiet`;
  if (memory.halved) return `this machine is busy: ${of} at half speed`;
  if (memory.cap <= workers) return `this machine is busy: only ${of}`;
  const mode = memory.present ? settings.here : settings.away;
  if (r.budget < mode.workers) return `${of}; other tabs of this browser use the rest`;
  if (r.idleMs === undefined && !r.locked) return of;
  return memory.present ? `you are here: ${of}` : `you are away: ${of}`;
}

/** Gone after a while without input, back with the first. Who is nowhere to be seen is away. */
function isPresent({ awayAfterMs }: OwnerSettings, { idleMs, locked }: Readings, before: boolean): boolean {
  if (locked || idleMs === undefined) return false;
  return idleMs < (before ? awayAfterMs : INPUT_MS);
}

function isBatteryLow({ battery }: Readings, before: boolean): boolean {
  if (!battery || battery.charging) return false;
  return battery.charge < (before ? BATTERY_START : BATTERY_STOP);
}

/**
 * One worker less for every BUSY_STEP_MS that the machine is busy; all back once it is free. Where the load of other
 * programs is known, down to none. Pressure alone does not tell whose it is, and may be these very guests': it takes
 * something only while somebody is there to mind, and leaves one worker at half speed.
 */
function busyness(
  { pressure, othersCpu }: Readings,
  present: boolean,
  before: Memory | undefined,
  workers: number,
  nowMs: number,
): Pick<Memory, "cap" | "halved" | "capSinceMs" | "busySinceMs"> {
  const { cap, halved, capSinceMs, busySinceMs } = before ?? UNBUSY;
  const known = othersCpu !== undefined;
  const busy = known ? othersCpu > OTHERS_BUSY : present && pressure === "critical";
  const free = known
    ? othersCpu < OTHERS_FREE
    : !present || (pressure !== "critical" && pressure !== "serious");
  if (busy) {
    const since = busySinceMs ?? nowMs;
    const wait = workers === 0 || nowMs - since < BUSY_STEP_MS;
    if (wait) return { cap, halved, capSinceMs, busySinceMs: since };
    const less = Math.min(cap, workers) - 1;
    const last = !known && less === 0;
    return { cap: last ? 1 : less, halved: last, capSinceMs: nowMs, busySinceMs: nowMs };
  }
  const restMs = cap === 0 ? BUSY_REST_MS : cap === UNBUSY.cap ? 0 : DWELL_MS;
  if (free && nowMs - capSinceMs >= restMs) return UNBUSY;
  return { cap, halved, capSinceMs, busySinceMs: undefined };
}

const UNBUSY = { cap: Number.POSITIVE_INFINITY, halved: false, capSinceMs: 0, busySinceMs: undefined };

const within = ({ fromMinute, toMinute }: Hours, minute: number): boolean =>
  fromMinute <= toMinute
    ? minute >= fromMinute && minute < toMinute
    : minute >= fromMinute || minute < toMinute;

const clock = (minute: number) =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
const percent = (share: number) => `${Math.round(share * 100)}%`;
const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

function inWords(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  return `${Math.ceil(seconds / 60)} min`;
}
