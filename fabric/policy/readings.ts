/** What a host can tell of its machine and its owner. Undefined: the platform does not say. */

export type Pressure = "nominal" | "fair" | "serious" | "critical";

export interface MachineReadings {
  /** Milliseconds since the owner's last input that is known of. */
  readonly idleMs: number | undefined;
  /** Whether the screen is locked. */
  readonly locked: boolean | undefined;
  /** Whether the page is in the background. */
  readonly hidden: boolean | undefined;
  /** How hard the processor is pressed, by everything together. */
  readonly pressure: Pressure | undefined;
  /** The share of all processors that other programs use, in [0, 1]. */
  readonly othersCpu: number | undefined;
  /** `charge` in [0, 1]. */
  readonly battery: { readonly charging: boolean; readonly charge: number } | undefined;
  readonly metered: boolean | undefined;
  /** Minutes after midnight, local time. */
  readonly minuteOfDay: number;
}

export interface Readings extends MachineReadings {
  /** Processes of others that are here. */
  readonly guests: number;
  /** Their linear memory, in bytes. */
  readonly memoryBytes: number;
  /** Since midnight, in and out together, in bytes. */
  readonly trafficBytes: number;
  /** Workers that other pages of the same browser leave of the common budget. */
  readonly budget: number;
}

/** Whatever can tell. Made by io, for a browser or for Node. */
export interface Sensors {
  read(): MachineReadings;
  /** What the platform does not tell, each a sentence. */
  readonly missing: readonly string[];
  /** Set once: something is different now, ask again. */
  onChange: () => void;
  close(): void;
}
