/** `roost donate`: this machine takes work until it is told to stop, and then sends it away first. */
import prettyMs from "pretty-ms";
import type { Fabric, FabricView } from "../host/fabric.ts";
import type { Receipt } from "../kernel/kernel.ts";
import { err } from "./colors.ts";
import { joinRelay } from "./join.ts";
import { StatusLine } from "./terminal.ts";
import { plain, SIGNAL_NUMBERS } from "./words.ts";

export interface DonateCommand {
  readonly relay: URL;
  readonly workers: number;
  readonly json?: boolean;
}

export async function donate({ relay, workers, json = false }: DonateCommand): Promise<void> {
  const say = (sentence: string) => process.stderr.write(`${sentence}\n`);
  const tell = (event: object) => json && process.stdout.write(`${JSON.stringify(event)}\n`);
  await using participant = await joinRelay(relay, { workers, log: say });
  const { fabric } = participant;
  const stopped = stopSignal();
  await fabric.donate();
  tell({ type: "donating", name: fabric.name, host: fabric.id, relay: relay.origin, workers });
  say(
    `${err.bold(fabric.name)} takes work from ${relay.origin} with ${workers} ${workers === 1 ? "worker" : "workers"}. Ctrl-C sends it away and ends.`,
  );
  const line = new StatusLine(() => statusOf(fabric.view));
  const unsubscribe = json ? tellChanges(fabric, tell) : () => {};
  await stopped;
  line.close();
  unsubscribe();
  const receipt = await fabric.reclaim("its owner stopped it");
  tell({ type: "receipt", ...receipt });
  for (const sentence of describeReceipt(receipt)) say(sentence);
}

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

function statusOf({ donor, relay }: FabricView): string {
  const guests = donor.guests.map((guest) => plain(`${guest.jobName} ${guest.pid} for ${guest.homeName}`));
  if (relay.state === "connecting") return err.yellow(`the relay is gone (${relay.reason}); trying again`);
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
