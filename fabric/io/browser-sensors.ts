/**
 * What a browser tells of its owner and its machine. Everything beyond input in the page and whether it is in front is
 * optional (Idle Detection, Compute Pressure, Battery Status and Network Information are Chromium's alone): what is
 * not there is said in a sentence.
 */
import type { Pressure, Sensors } from "../policy/readings.ts";

/** Idle Detection (WICG); TypeScript has no types of it. */
interface IdleDetector extends EventTarget {
  readonly userState: "active" | "idle" | null;
  readonly screenState: "locked" | "unlocked" | null;
  start(options: { threshold: number; signal?: AbortSignal }): Promise<void>;
}
interface IdleDetectorClass {
  new (): IdleDetector;
  requestPermission(): Promise<PermissionState>;
}
/** Compute Pressure (W3C). */
interface PressureObserver {
  observe(source: "cpu", options?: { sampleInterval: number }): Promise<void>;
  disconnect(): void;
}
type PressureObserverClass = new (
  onRecords: (records: readonly { state: Pressure }[]) => void,
) => PressureObserver;
/** Battery Status (W3C). */
interface BatteryManager extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}
/** Network Information (WICG). */
interface Connection extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}

interface Platform {
  readonly IdleDetector?: IdleDetectorClass;
  readonly PressureObserver?: PressureObserverClass;
}
interface PlatformNavigator {
  readonly connection?: Connection;
  getBattery?(): Promise<BatteryManager>;
}

/** The API allows no less. */
const IDLE_THRESHOLD_MS = 60_000;
const PRESSURE_INTERVAL_MS = 1_000;
const INPUT_EVENTS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;

const platform = () => globalThis as Platform;
const browser = () => navigator as unknown as PlatformNavigator;

/** Whether the browser has Idle Detection, and what the person said to it. */
async function idleDetectionState(): Promise<PermissionState | "missing"> {
  if (!platform().IdleDetector) return "missing";
  try {
    return (await navigator.permissions.query({ name: "idle-detection" as PermissionName })).state;
  } catch {
    return "missing";
  }
}

export class BrowserSensors implements Sensors {
  onChange: () => void = () => {};
  readonly #end = new AbortController();
  #lastInputMs = performance.now();
  #idle: { detector: IdleDetector; sinceMs: number | undefined } | undefined;
  #pressure: Pressure | undefined;
  #observer: PressureObserver | undefined;
  #battery: BatteryManager | undefined;
  #lacks = new Map<string, string>();

  constructor() {
    const { signal } = this.#end;
    for (const type of INPUT_EVENTS)
      addEventListener(type, () => this.#input(), { signal, passive: true, capture: true });
    document.addEventListener("visibilitychange", () => this.onChange(), { signal });
    browser().connection?.addEventListener("change", () => this.onChange(), { signal });
    this.#lacks.set(
      "idle",
      "This browser does not tell whether you use other programs: only input in this page counts as you being here.",
    );
    this.#watchPressure();
    this.#watchBattery();
    if (browser().connection?.saveData === undefined)
      this.#lacks.set("metered", "This browser does not tell whether data is to be saved.");
    void idleDetectionState().then((state) => (state === "granted" ? this.#watchIdle() : undefined));
  }

  get missing(): readonly string[] {
    return [...this.#lacks.values()];
  }

  read() {
    const now = new Date();
    return {
      idleMs: this.#idleMs(),
      locked: this.#idle ? this.#idle.detector.screenState === "locked" : undefined,
      hidden: document.visibilityState === "hidden",
      pressure: this.#pressure,
      othersCpu: undefined,
      battery: this.#battery && { charging: this.#battery.charging, charge: this.#battery.level },
      metered: this.#metered(),
      minuteOfDay: now.getHours() * 60 + now.getMinutes(),
    };
  }

  idleDetection(): Promise<PermissionState | "missing"> {
    return idleDetectionState();
  }

  /** Asks the person, who must have just pressed something, to let the browser tell when the computer is used. */
  async askForIdleDetection(): Promise<PermissionState> {
    const state = await platform().IdleDetector?.requestPermission();
    if (state === "granted") await this.#watchIdle();
    return state ?? "denied";
  }

  close(): void {
    this.#end.abort();
    this.#observer?.disconnect();
  }

  #input(): void {
    const now = performance.now();
    // Movements come by the hundred; one a moment is enough to know.
    const first = now - this.#lastInputMs > 500;
    this.#lastInputMs = now;
    if (first) this.onChange();
  }

  /** Input in this page counts in any case; the whole system's, where it is known. */
  #idleMs(): number {
    const now = performance.now();
    const here = now - this.#lastInputMs;
    if (!this.#idle) return here;
    const { detector, sinceMs } = this.#idle;
    if (detector.userState !== "idle" || sinceMs === undefined) return 0;
    return Math.min(here, now - sinceMs + IDLE_THRESHOLD_MS);
  }

  async #watchIdle(): Promise<void> {
    const Detector = platform().IdleDetector;
    if (!Detector || this.#idle) return;
    const detector = new Detector();
    const record: { detector: IdleDetector; sinceMs: number | undefined } = { detector, sinceMs: undefined };
    const take = () => {
      const idle = detector.userState === "idle";
      record.sinceMs = idle ? (record.sinceMs ?? performance.now()) : undefined;
      this.onChange();
    };
    detector.addEventListener("change", take);
    try {
      await detector.start({ threshold: IDLE_THRESHOLD_MS, signal: this.#end.signal });
    } catch {
      return; // withdrawn meanwhile: as if it were missing
    }
    this.#idle = record;
    this.#lacks.delete("idle");
    take();
  }

  #watchPressure(): void {
    const lack = () =>
      this.#lacks.set(
        "pressure",
        "This browser does not tell how busy the machine is: only your limits hold.",
      );
    const Observer = platform().PressureObserver;
    if (!Observer) return void lack();
    this.#observer = new Observer((records) => {
      this.#pressure = records.at(-1)?.state;
      this.onChange();
    });
    this.#observer.observe("cpu", { sampleInterval: PRESSURE_INTERVAL_MS }).catch(lack);
  }

  #watchBattery(): void {
    const lack = () => this.#lacks.set("battery", "This browser does not tell whether it runs on battery.");
    const found = browser().getBattery?.();
    if (!found) return void lack();
    found.then((battery) => {
      this.#battery = battery;
      const { signal } = this.#end;
      for (const type of ["chargingchange", "levelchange"])
        battery.addEventListener(type, () => this.onChange(), { signal });
      this.onChange();
    }, lack);
  }

  #metered(): boolean | undefined {
    const { connection } = browser();
    if (connection?.saveData === undefined) return undefined;
    return connection.saveData || connection.type === "cellular";
  }
}
