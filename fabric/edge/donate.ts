/** `roost donate`: this machine takes work under its owner's policy until it is told to stop, and then sends it away first. */
import { availableParallelism } from "node:os";
import prettyMs from "pretty-ms";
import type { Fabric, FabricView } from "../host/fabric.ts";
import { Steward, type StewardView } from "../host/steward.ts";
import { systemClock } from "../io/clock.ts";
import { NodeSensors } from "../io/node-sensors.ts";
import type { Receipt } from "../kernel/state.ts";
import type { Sensors } from "../policy/readings.ts";
import { defaultOwnerSettings, type Hours, type OwnerSettings, type Person } from "../policy/settings.ts";
import { isHostId } from "../wire/directory.ts";
import { err } from "./colors.ts";
import { join } from "./index.ts";
import { StatusLine } from "./terminal.ts";
import { plain, SIGNAL_NUMBERS } from "./words.ts";

export interface DonateCommand {
  readonly relay: URL;
  readonly workers?: number;
  readonly memory?: number;
  readonly hours?: Hours;
  readonly battery?: OwnerSettings["onBattery"];
  readonly traffic?: number;
  readonly only?: readonly string[];
  readonly block?: readonly string[];
  /** Whatever else this machine does. */
  readonly always?: boolean;
  /** Where this machine's `/proc`, `/sys` and `/dev` are. */
  readonly root: string;
  readonly json?: boolean;
}

export async function donate(options: DonateCommand): Promise<void> {
  const { relay, json = false } = options;
  const settings = settingsFrom(options);
  const workers = settings.here.workers;
  const say = (sentence: string) => process.stderr.write(`${sentence}\n`);
  const tell = (event: object) => json && process.stdout.write(`${JSON.stringify(event)}\n`);
  const sensors = options.always ? NO_SENSORS : new NodeSensors(options.root);
  await using participant = await join(relay, { workers, log: say });
  const { fabric } = participant;
  const stopped = stopSignal();
  let last: { readonly taking: boolean; readonly guests: string; readonly workers: number } | undefined;
  const steward = new Steward({
    fabric,
    sensors,
    settings,
    clock: systemClock,
    onChange: () => {
      const { decision, wish } = steward.view;
      if (wish.kind === "off") return; // as it was asked
      if (!decision) return;
      const { taking, guests, reason, workers } = decision;
      const before = last;
      if (before?.taking === taking && before.guests === guests && (!taking || before.workers === workers))
        return; // only what is left of a wait is different
      last = { taking, guests, workers };
      tell({ type: "state", taking, workers, reason });
      if (!taking) say(`Takes nothing: ${reason}.`);
      else if (before?.taking) say(`${reason[0]?.toUpperCase()}${reason.slice(1)}.`);
      else say(takesWork(fabric.name, relay, workers));
    },
    onReceipt: (receipt, reason) => {
      tell({ type: "receipt", reason, ...receipt });
      for (const sentence of describeReceipt(receipt)) say(sentence);
    },
    onTrouble: (error) => say(`${err.red("roost:")} ${error instanceof Error ? error.message : error}`),
  });
  for (const sentence of sensors.missing) say(err.dim(sentence));
  tell({ type: "joined", name: fabric.name, host: fabric.id, relay: relay.origin });
  steward.donate();
  const line = new StatusLine(() => statusOf(fabric.view, steward.view));
  const lookAtRelay = relayTeller(fabric, (state, sentence) => {
    tell({ type: "relay", ...state });
    say(sentence);
  });
  const unsubscribe = fabric.onChange(() => {
    lookAtRelay();
    steward.noticed();
  });
  const untell = json ? tellChanges(fabric, tell) : () => {};
  await stopped;
  line.close();
  untell();
  unsubscribe();
  await steward.reclaim();
  steward.close();
}

/** Says when the relay is gone, and when it is back. */
function relayTeller(
  fabric: Fabric,
  say: (state: { readonly state: string; readonly reason: string }, sentence: string) => void,
): () => void {
  let gone = false;
  return () => {
    const { relay } = fabric.view;
    if (gone === (relay.state === "connecting")) return;
    gone = !gone;
    if (relay.state === "connecting")
      say({ state: "gone", reason: relay.reason }, `The relay is gone (${relay.reason}); trying again.`);
    else say({ state: relay.state, reason: "" }, "The relay is back.");
  };
}

const takesWork = (name: string, relay: URL, workers: number) =>
  `${err.bold(name)} takes work from ${relay.origin} with ${workers} ${workers === 1 ? "worker" : "workers"}. Ctrl-C sends it away and ends.`;

function settingsFrom(options: DonateCommand): OwnerSettings {
  const usual = defaultOwnerSettings(availableParallelism());
  const { workers, memory, hours, battery, traffic, only, block } = options;
  const given = workers === undefined ? {} : { here: { workers, share: 1 }, away: { workers, share: 1 } };
  return {
    ...usual,
    ...given,
    ...(memory === undefined ? {} : { memoryBytes: memory * 2 ** 20 }),
    ...(hours ? { hours } : {}),
    ...(battery ? { onBattery: battery } : {}),
    ...(traffic === undefined ? {} : { trafficBytesPerDay: traffic * 2 ** 20 }),
    ...(only ? { servedOnly: only.map(personFrom) } : {}),
    ...(block ? { blocked: block.map(personFrom) } : {}),
  };
}

/** As typed: an id, or else a name, which anybody can take. */
const personFrom = (word: string): Person => ({ id: isHostId(word) ? word : undefined, name: word });

/** Tells nothing of the machine, so that nothing speaks against work. */
const NO_SENSORS: Sensors = {
  missing: [],
  onChange: () => {},
  close: () => {},
  read() {
    const now = new Date();
    return {
      idleMs: undefined,
      locked: undefined,
      hidden: undefined,
      pressure: undefined,
      othersCpu: undefined,
      battery: undefined,
      metered: undefined,
      minuteOfDay: now.getHours() * 60 + now.getMinutes(),
    };
  },
};

/** The second one does not wait for anything. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => {
        if (asked) process.exit(128 + (SIGNAL_NUMBERS[signal] ?? 0));
        asked = true;
        resolve();
      });
  });
}

function statusOf({ donor, relay }: FabricView, { decision }: StewardView): string {
  const guests = donor.guests.map((guest) => plain(`${guest.jobName} ${guest.pid} for ${guest.homeName}`));
  if (relay.state === "connecting") return err.yellow(`the relay is gone (${relay.reason}); trying again`);
  if (decision && !decision.taking && guests.length === 0) return err.dim(decision.reason);
  return err.dim(
    guests.length === 0
      ? "nothing here now"
      : `${guests.length} here: ${guests.slice(0, 3).join(", ")}${guests.length > 3 ? " …" : ""}`,
  );
}

/** A line whenever other processes are here than before. */
function tellChanges(fabric: Fabric, tell: (event: object) => void): () => void {
  let before = "[]";
  return fabric.onChange(() => {
    const guests = fabric.view.donor.guests.map(({ job, jobName, homeName, pid }) => ({
      job,
      jobName,
      homeName,
      pid,
    }));
    const now = JSON.stringify(guests);
    if (now === before) return;
    before = now;
    tell({ type: "guests", guests });
  });
}

function describeReceipt({ cpuBackMs, emptyMs, left }: Receipt): string[] {
  if (left.length === 0) return ["Nothing was here."];
  const ms = (n: number) => prettyMs(n, { millisecondsDecimalDigits: 0 });
  const processes = left.length === 1 ? "process" : "processes";
  return [
    `Stopped in ${ms(cpuBackMs)}. ${left.length} ${processes} left in ${ms(emptyMs)}:`,
    ...left.map(({ jobName, pid, to }) => plain(`  ${jobName} ${pid} → ${to}`)),
  ];
}
