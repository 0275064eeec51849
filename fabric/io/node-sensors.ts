/**
 * What Node can tell of its machine: how busy the processors are with other programs, the battery (Linux), and when
 * somebody last typed on a terminal (as Condor and Sprite looked: the access times of terminal devices).
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { Sensors } from "../policy/readings.ts";

const POWER_DIRECTORY = "sys/class/power_supply";
const TERMINAL_DIRECTORIES = ["dev/pts", "dev"];
const LOAD_FILE = "proc/stat";
/** In which Linux counts there, on every machine. */
const TICK_MS = 10;
/** Terminals of people: pseudo ones, and the machine's consoles. */
const TERMINAL = /^(\d+|tty\d+)$/;
/** Shorter spans say more of chance than of load. */
const LOAD_SPAN_MS = 2_000;

export class NodeSensors implements Sensors {
  onChange: () => void = () => {};
  readonly #root: string;
  #before: Measured;
  #othersCpu: number | undefined;

  /** `root`: where the machine's own `/proc`, `/sys` and `/dev` are, for a container that has them elsewhere. */
  constructor(root = "/") {
    this.#root = root;
    this.#before = measure(root);
  }

  get missing(): readonly string[] {
    const lacks: string[] = [];
    if (terminalIdleMs(this.#root) === undefined)
      lacks.push("This machine does not tell when somebody last typed: it counts as unattended.");
    if (battery(this.#root) === undefined) lacks.push("No battery is known of.");
    return lacks;
  }

  read() {
    const now = new Date();
    this.#measureLoad();
    return {
      idleMs: terminalIdleMs(this.#root),
      locked: undefined,
      hidden: undefined,
      pressure: undefined,
      othersCpu: this.#othersCpu,
      battery: battery(this.#root),
      metered: undefined,
      minuteOfDay: now.getHours() * 60 + now.getMinutes(),
    };
  }

  close(): void {}

  #measureLoad(): void {
    const now = measure(this.#root);
    if (now.atMs - this.#before.atMs < LOAD_SPAN_MS) return;
    const all = now.totalMs - this.#before.totalMs;
    const busy = now.busyMs - this.#before.busyMs - (now.ownMs - this.#before.ownMs);
    if (all > 0) this.#othersCpu = Math.min(1, Math.max(0, busy / all));
    this.#before = now;
  }
}

/** Milliseconds of all processors together since the machine started, and of this process with all its threads. */
function measure(root: string): Measured {
  const own = process.cpuUsage();
  const { totalMs, busyMs } = loadFromLinux(root) ?? loadFromNode();
  return { atMs: performance.now(), totalMs, busyMs, ownMs: (own.user + own.system) / 1000 };
}

interface Measured {
  readonly atMs: number;
  readonly totalMs: number;
  readonly busyMs: number;
  readonly ownMs: number;
}

function loadFromLinux(root: string): { totalMs: number; busyMs: number } | undefined {
  const text = quietly(() => readFileSync(join(root, LOAD_FILE), "utf8"));
  const [, numbers] = /^cpu +([\d ]+)$/m.exec(text ?? "") ?? [];
  if (!numbers) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softIrq = 0] = numbers
    .trim()
    .split(/ +/)
    .map((ticks) => TICK_MS * Number(ticks));
  const busyMs = user + nice + system + irq + softIrq;
  return { busyMs, totalMs: busyMs + idle + waiting };
}

function loadFromNode(): { totalMs: number; busyMs: number } {
  let totalMs = 0;
  let busyMs = 0;
  for (const { times } of cpus()) {
    const busy = times.user + times.nice + times.sys + times.irq;
    busyMs += busy;
    totalMs += busy + times.idle;
  }
  return { totalMs, busyMs };
}

/** Milliseconds since the last input on any terminal; undefined where there is none. */
function terminalIdleMs(root: string): number | undefined {
  let latestMs: number | undefined;
  for (const directory of TERMINAL_DIRECTORIES.map((name) => join(root, name)))
    for (const name of entries(directory)) {
      if (!TERMINAL.test(name)) continue;
      const atMs = quietly(() => statSync(join(directory, name)).atimeMs);
      if (atMs !== undefined) latestMs = Math.max(latestMs ?? 0, atMs);
    }
  return latestMs === undefined ? undefined : Math.max(0, Date.now() - latestMs);
}

/** Linux: the first battery of the machine itself. */
function battery(root: string): { charging: boolean; charge: number } | undefined {
  const directory = join(root, POWER_DIRECTORY);
  for (const name of entries(directory)) {
    const read = (file: string) => quietly(() => readFileSync(join(directory, name, file), "utf8").trim());
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
