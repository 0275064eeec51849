/**
 * What Node can tell of its machine: how busy the processors are with other programs, the battery (Linux), and when
 * somebody last typed on a terminal (as Condor and Sprite looked: the access times of terminal devices).
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Sensors } from "../policy/readings.ts";

const POWER_DIRECTORY = "/sys/class/power_supply";
const TERMINAL_DIRECTORIES = ["/dev/pts", "/dev"];
/** Terminals of people: pseudo ones, and the machine's consoles. */
const TERMINAL = /^(\d+|tty\d+)$/;
/** Shorter spans say more of chance than of load. */
const LOAD_SPAN_MS = 2_000;

export class NodeSensors implements Sensors {
  onChange: () => void = () => {};
  #before = measure();
  #othersCpu: number | undefined;

  get missing(): readonly string[] {
    const lacks: string[] = [];
    if (terminalIdleMs() === undefined)
      lacks.push("This machine does not tell when somebody last typed: it counts as unattended.");
    if (battery() === undefined) lacks.push("No battery is known of.");
    return lacks;
  }

  read() {
    const now = new Date();
    this.#measureLoad();
    return {
      idleMs: terminalIdleMs(),
      locked: undefined,
      hidden: undefined,
      pressure: undefined,
      othersCpu: this.#othersCpu,
      battery: battery(),
      metered: undefined,
      minuteOfDay: now.getHours() * 60 + now.getMinutes(),
    };
  }

  close(): void {}

  #measureLoad(): void {
    const now = measure();
    if (now.atMs - this.#before.atMs < LOAD_SPAN_MS) return;
    const all = now.totalMs - this.#before.totalMs;
    const busy = now.busyMs - this.#before.busyMs - (now.ownMs - this.#before.ownMs);
    if (all > 0) this.#othersCpu = Math.min(1, Math.max(0, busy / all));
    this.#before = now;
  }
}

/** Milliseconds of all processors together since the machine started, and of this process with all its threads. */
function measure() {
  let totalMs = 0;
  let busyMs = 0;
  for (const { times } of cpus()) {
    const busy = times.user + times.nice + times.sys + times.irq;
    busyMs += busy;
    totalMs += busy + times.idle;
  }
  const own = process.cpuUsage();
  return { atMs: performance.now(), totalMs, busyMs, ownMs: (own.user + own.system) / 1000 };
}

/** Milliseconds since the last input on any terminal; undefined where there is none. */
function terminalIdleMs(): number | undefined {
  let latestMs: number | undefined;
  for (const directory of TERMINAL_DIRECTORIES)
    for (const name of entries(directory)) {
      if (!TERMINAL.test(name)) continue;
      const atMs = quietly(() => statSync(join(directory, name)).atimeMs);
      if (atMs !== undefined) latestMs = Math.max(latestMs ?? 0, atMs);
    }
  return latestMs === undefined ? undefined : Math.max(0, Date.now() - latestMs);
}

/** Linux: the first battery of the machine itself. */
function battery(): { charging: boolean; charge: number } | undefined {
  for (const name of entries(POWER_DIRECTORY)) {
    const read = (file: string) =>
      quietly(() => readFileSync(join(POWER_DIRECTORY, name, file), "utf8").trim());
    const capacity = Number(read("capacity"));
    if (read("type") !== "Battery" || read("scope") === "Device" || !Number.isFinite(capacity)) continue;
    return { charging: read("status") !== "Discharging", charge: capacity / 100 };
  }
  return undefined;
}

const entries = (directory: string): string[] => quietly(() => readdirSync(directory)) ?? [];

/** What the system refuses is not there. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
