/** `roost donate`: this machine takes work until it is told to stop, and then sends it away first. */
import pc from "picocolors";
import prettyMs from "pretty-ms";
import type { Receipt } from "../kernel/kernel.ts";
import { joinRelay } from "./join.ts";
import { StatusLine } from "./terminal.ts";

export async function donate(relay: URL, workers: number): Promise<void> {
  const say = (sentence: string) => process.stderr.write(`${sentence}\n`);
  await using participant = await joinRelay(relay, { workers, log: say });
  const { fabric } = participant;
  const stopped = new Promise<void>((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve();
      });
  });
  await fabric.donate();
  say(
    `${pc.bold(fabric.name)} takes work from ${relay.origin} with ${workers} ${workers === 1 ? "worker" : "workers"}. Ctrl-C sends it away and ends.`,
  );
  const line = new StatusLine(() => {
    const { donor, relay } = fabric.view;
    const guests = donor.guests.map((guest) => `${guest.jobName} ${guest.pid} for ${guest.homeName}`);
    if (relay.state === "connecting") return pc.yellow(`the relay is gone (${relay.reason}); trying again`);
    return pc.dim(
      guests.length === 0
        ? "nothing here now"
        : `${guests.length} here: ${guests.slice(0, 3).join(", ")}${guests.length > 3 ? " …" : ""}`,
    );
  });
  await stopped;
  line.close();
  for (const sentence of describeReceipt(await fabric.reclaim("its owner stopped it"))) say(sentence);
}

function describeReceipt({ cpuBackMs, emptyMs, left }: Receipt): string[] {
  if (left.length === 0) return ["Nothing was here."];
  const ms = (n: number) => prettyMs(n, { millisecondsDecimalDigits: 0 });
  const processes = left.length === 1 ? "process" : "processes";
  return [
    `Stopped in ${ms(cpuBackMs)}. ${left.length} ${processes} left in ${ms(emptyMs)}:`,
    ...left.map(({ jobName, pid, to }) => `  ${jobName} ${pid} → ${to}`),
  ];
}
