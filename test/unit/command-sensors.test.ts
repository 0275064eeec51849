/** What a machine tells of itself, in the real command: how it is loaded, whether somebody types, its battery. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Relay, startRelay } from "../../relay/index.ts";
import { workplace } from "./command.kit.ts";

const { directory, json, program, remove, roost, start } = workplace("sensors");
let relay: Relay;
const donors: ChildProcess[] = [];
const timers: NodeJS.Timeout[] = [];

beforeAll(async () => {
  relay = await startRelay({ port: 0, log: pino({ level: "silent" }) });
});
afterEach(async () => {
  for (const timer of timers.splice(0)) clearInterval(timer);
  for (const job of await json(["ps"])) await roost(["kill", job.id, "--signal", "KILL"]);
  for (const child of donors.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await relay.close();
  remove();
});

/** Of all times in which something is to come about: what a machine waits for by itself is at most a minute. */
const PATIENTLY = { timeout: 180_000, interval: 100 };

/** A machine as files, as Linux has them, that goes on as it was told last. */
class Machine {
  /** Of all its processors, what other programs use. */
  load = 0.1;
  /** Minutes ago that somebody typed; undefined: it has no terminal. */
  typedMinutesAgo: number | undefined;
  readonly root: string;
  #busy = 0;
  #idle = 0;

  constructor(name: string) {
    this.root = join(directory, name);
    for (const folder of ["proc", "dev/pts", "sys/class/power_supply/BAT0"])
      mkdirSync(join(this.root, folder), { recursive: true });
    this.battery("Charging", 80);
    timers.push(setInterval(() => this.#goOn(), 200));
    this.#goOn();
  }

  battery(status: string, percent: number): void {
    const of = { type: "Battery", status, capacity: String(percent) };
    for (const [file, text] of Object.entries(of))
      this.#write(`sys/class/power_supply/BAT0/${file}`, `${text}\n`);
  }

  #goOn(): void {
    // So much that what the command itself uses, which is subtracted, is nothing beside it.
    this.#busy += Math.round(1e7 * this.load);
    this.#idle += Math.round(1e7 * (1 - this.load));
    this.#write("proc/stat", `cpu  ${this.#busy} 0 0 ${this.#idle} 0 0 0 0 0 0\ncpu0 1 2 3 4\n`);
    if (this.typedMinutesAgo === undefined) return;
    this.#write("dev/pts/0", "");
    const seconds = Date.now() / 1000 - 60 * this.typedMinutesAgo;
    utimesSync(join(this.root, "dev/pts/0"), seconds, seconds);
  }

  /** Never half of it. */
  #write(path: string, text: string): void {
    const file = join(this.root, path);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}

interface Told {
  readonly type: string;
  readonly taking: boolean;
  readonly workers: number;
  readonly reason: string;
}

function donor(machine: Machine, ...options: string[]) {
  const { child, said } = start([
    "donate",
    ...["--relay", relay.url],
    ...["--root", machine.root],
    "--json",
    ...options,
  ]);
  donors.push(child);
  const told = (): Told[] =>
    said.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { said, told, now: () => told().findLast(({ type }) => type === "state") };
}

test("a busy machine gives less, and no more than that until it is free: in between, nothing changes", async () => {
  const [one, other] = [new Machine("one"), new Machine("other")];
  const [first, second] = [donor(one, "--workers", "4"), donor(other, "--workers", "4")];
  const four = { taking: true, workers: 4 };
  for (const { now } of [first, second]) await expect.poll(now, PATIENTLY).toMatchObject(four);

  one.load = other.load = 0.9;
  for (const { now } of [first, second])
    await expect.poll(() => now()?.reason, PATIENTLY).toMatch(/^this machine is busy: only [123] workers?$/);

  one.load = 0.4; // above what starts work, below what stops it
  other.load = 0.1;
  await expect.poll(second.now, PATIENTLY).toMatchObject(four);
  expect(first.now()).toMatchObject({ reason: expect.stringMatching(/busy/) });
  expect(first.said.stderr).toMatch(/^This machine is busy: only \d workers?\.$/m);
}, 600_000);

test("who types has half of the machine for himself; on a low battery all of it, and what was here has left", async () => {
  const machine = new Machine("desktop");
  machine.typedMinutesAgo = 10;
  const { now, told } = donor(machine);
  const processors = availableParallelism();
  const of = (n: number) => (n === 1 ? "1 worker" : `${n} workers`);
  await expect.poll(now, PATIENTLY).toMatchObject({
    taking: true,
    workers: processors,
    reason: `you are away: ${of(processors)}`,
  });

  program(
    "long.js",
    `import { fork, wait } from "roost"; if (fork({ on: "remote" }) === 0) for (;;); wait();`,
  );
  const { job } = await json(["run", "long.js", "--detach", "--relay", relay.url]);
  await expect
    .poll(told, PATIENTLY)
    .toContainEqual(
      expect.objectContaining({ type: "guests", guests: [expect.objectContaining({ pid: 2 })] }),
    );

  machine.typedMinutesAgo = 0;
  if (processors > 1) {
    const half = Math.floor(processors / 2);
    await expect.poll(now, PATIENTLY).toMatchObject({ workers: half, reason: `you are here: ${of(half)}` });
  }
  machine.battery("Discharging", 20);
  await expect.poll(now, PATIENTLY).toMatchObject({
    taking: false,
    reason: "the battery is at 20%; work starts again at 50% or on the mains",
  });
  await expect.poll(told, PATIENTLY).toContainEqual(
    expect.objectContaining({
      type: "receipt",
      left: [expect.objectContaining({ jobName: "long.js", pid: 2 })],
    }),
  );
  const why = async () => (await roost(["why", job])).stdout;
  await expect.poll(why, PATIENTLY).toMatch(/1 host takes nothing: the battery is at 20%/);
}, 600_000);
