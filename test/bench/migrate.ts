/**
 * What a move costs: between two real Chromium processes over real WebRTC on loopback, through the built page and relay. Moved to
 * and fro over the address that the page shows for terminals. A freeze is from when the process stops until
 * it runs, by the home's clock as both hosts know it (kernel/home-clock.ts).
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Page } from "playwright";
import { join } from "../../fabric/edge/index.ts";
import type { HostId, Roost } from "../../fabric/index.ts";
import { percentile } from "./statistics.ts";
import { childOf, launched, type Steered } from "./steered.ts";
import { LARGE, stopAndCopy } from "./stop-and-copy.ts";
import { twoBrowsers } from "./two-browsers.ts";

const MOVES = 100;
/** Of the large one, each of which may take seconds: its 99th percentile is the worst. */
const LARGE_MOVES = 12;
/** Moves before it counts: they carry what both sides have from then on. */
const FIRST_MOVES = 10;
/** Moves of a process that neither side has seen, of 34 MiB: each of another one. */
const FIRST_COPIES = 3;
const FIRST_COPIED_OBJECTS = 300_000;
/** And of those that take milliseconds, until the browsers have compiled what each move runs once: in a tab that is open for a while, they have. */
const WARMING_MOVES = 200;

/** A child with a mebibyte of live heap, a part of which it keeps changing. Programs say when they are as large as they get. */
const BUSY = `
import { fork, wait } from "roost";
if (fork({ on: "remote" }) > 0) wait();
const live = Array.from({ length: 9000 }, (_, i) => ({ i, text: "item " + i }));
console.log("full");
for (let i = 0, x = 1; ; i++) { x = (x * 48271) % 2147483647; live[x % 200].i += i; }`;

/** Letters to and fro with a child that has so many objects, 9,000 of which are 1 MiB; a line for each ten: when, and how long each took. */
const letters = (objects: number) => `
import { fork, send, recv } from "roost";
const child = fork({ on: "remote" });
if (child === 0) {
  const live = Array.from({ length: ${objects} }, (_, i) => ({ i, text: "item " + i }));
  console.log("full");
  for (;;) { const { value } = recv(); live[value % live.length].i++; send(1, "pong"); }
}
for (let n = 0; ; ) {
  const ways = [];
  const from = Date.now();
  for (let i = 0; i < 10; i++) {
    const began = performance.now();
    send(child, "ping", n++);
    recv({ tag: "pong" });
    ways.push(performance.now() - began);
  }
  console.log(from, Date.now(), ...ways);
}`;

/** Letters to and fro with a child, while another of 34 MiB forks: onto its own host, and to its home. Parent and children say from when to when. */
const LETTERS_AND_A_FORK = `
import { fork, send, recv, sleep } from "roost";
const echo = fork({ on: "remote" });
if (echo === 0) for (;;) { recv(); send(1, "pong"); }
if (fork({ on: "remote" }) === 0) {
  const live = Array.from({ length: ${FIRST_COPIED_OBJECTS} }, (_, i) => ({ i, text: "item " + i }));
  console.log("full");
  sleep(${2_000});
  const from = Date.now();
  for (const on of ["remote", "local"]) if (fork({ on }) === 0) break;
  console.log("forked", from, Date.now());
  for (;;) recv();
}
for (let n = 0; ; ) {
  const ways = [];
  const from = Date.now();
  for (let i = 0; i < 10; i++) {
    const began = performance.now();
    send(echo, "ping", n++);
    recv({ tag: "pong" });
    ways.push(performance.now() - began);
  }
  console.log(from, Date.now(), ...ways);
}`;

export async function migrateSuite(): Promise<Record<string, number>> {
  await using scene = await twoBrowsers();
  const { launcher, relayUrl } = scene;
  await using roost = await join(relayUrl);
  const small = await moved(launcher, roost, BUSY, WARMING_MOVES, MOVES);
  const large = await moved(launcher, roost, LARGE, FIRST_MOVES, LARGE_MOVES);
  const stalls = await stalled(launcher, roost);
  const copies: number[] = [];
  for (let n = 0; n < FIRST_COPIES; n++) copies.push(await stalledByFirstCopy(launcher, roost));
  const forks: number[] = [];
  for (let n = 0; n < FIRST_COPIES; n++) forks.push(await stalledByFork(launcher, roost));
  return {
    "migrate.freeze_p50_ms": percentile(small.freezes, 50),
    "migrate.freeze_p99_ms": percentile(small.freezes, 99),
    "migrate.total_p50_ms": percentile(small.totals, 50),
    "migrate.wire_bytes_p50": percentile(small.bytes, 50),
    "migrate.freeze_64mib_p50_ms": percentile(large.freezes, 50),
    "migrate.freeze_64mib_p99_ms": percentile(large.freezes, 99),
    "migrate.total_64mib_p50_ms": percentile(large.totals, 50),
    "message.stall_during_move_p50_ms": percentile(stalls.moving, 50),
    "message.stall_during_move_p99_ms": percentile(stalls.moving, 99),
    "message.stall_unmoved_p50_ms": percentile(stalls.unmoved, 50),
    "message.stall_unmoved_p99_ms": percentile(stalls.unmoved, 99),
    "message.stall_during_first_copy_34mib_ms": percentile(copies, 50),
    "message.stall_during_fork_34mib_ms": percentile(forks, 50),
    ...(await stopAndCopy()),
  };
}

interface Moves {
  /** Milliseconds in which the process ran nowhere. */
  readonly freezes: readonly number[];
  /** From the wish until it ran elsewhere, and the news of that was here. */
  readonly totals: readonly number[];
  /** What travelled while it was frozen. */
  readonly bytes: readonly number[];
}

async function moved(
  launcher: Page,
  roost: Roost,
  source: string,
  before: number,
  times: number,
): Promise<Moves> {
  const job = await launched(launcher, roost, source);
  const totals = await toAndFro(job, before + times);
  const stays = (await childOf(job)).stays.filter(({ why }) => why === "recalled").slice(-times);
  await job.end();
  return {
    freezes: stays.map(({ freezeMs }) => freezeMs ?? Number.POSITIVE_INFINITY),
    totals: totals.slice(before).map(({ began, ended }) => ended - began),
    bytes: stays.map(({ imageBytes }) => imageBytes),
  };
}

/**
 * How much longer than usual the slowest letter took of those that were under way during each move; and of those under way
 * for as long after it, when nothing moved.
 */
async function stalled(launcher: Page, roost: Roost): Promise<{ moving: number[]; unmoved: number[] }> {
  const job = await launched(launcher, roost, letters(9000));
  const moves = (await toAndFro(job, FIRST_MOVES + MOVES, true)).slice(FIRST_MOVES);
  const slowest = await slowestOf(job);
  const after = ({ began, ended }: Time): Time => ({
    began: ended + REST_MS,
    ended: 2 * ended - began + REST_MS,
  });
  return { moving: moves.map(slowest), unmoved: moves.map((move) => slowest(after(move))) };
}

/** The same of the one move of a large process. */
async function stalledByFirstCopy(launcher: Page, roost: Roost): Promise<number> {
  const job = await launched(launcher, roost, letters(FIRST_COPIED_OBJECTS));
  await delay(FIRST_REST_MS);
  const moves = await toAndFro(job, 1, true);
  const slowest = await slowestOf(job);
  return Math.max(...moves.map(slowest));
}

/** The same of another's letters while a large process forks. */
async function stalledByFork(launcher: Page, roost: Roost): Promise<number> {
  const job = await launched(launcher, roost, LETTERS_AND_A_FORK);
  const forked = async () =>
    Array.from((await job.said()).matchAll(/^forked (\d+) (\d+)$/gm), ([, ...at]) => at.map(Number));
  while ((await forked()).length < 3) await delay(500);
  const [began, ended] = [Math.min(...(await forked()).flat()), Math.max(...(await forked()).flat())];
  await delay(2 * REST_MS);
  return (await slowestOf(job))({ began, ended });
}

/** Ends a job of letters; answers with how much longer than usual the slowest took of those of a time. */
async function slowestOf(job: Steered): Promise<(time: Time) => number> {
  const text = await job.said();
  await job.end();
  const letters = text.trim().split("\n").flatMap(lettersIn);
  const usual = percentile(
    letters.map((letter) => letter.ended - letter.began),
    50,
  );
  return ({ began, ended }) => {
    const meanwhile = letters.filter((letter) => letter.ended >= began && letter.began <= ended);
    return Math.max(...meanwhile.map((letter) => letter.ended - letter.began), usual) - usual;
  };
}

/** One is sent when the one before has come back: each is told of by how long it took. */
function lettersIn(line: string): Time[] {
  if (!/^\d/.test(line)) return [];
  const [from = 0, , ...ways] = line.split(" ").map(Number);
  let began = from;
  return ways.map((way) => {
    const letter = { began, ended: began + way };
    began = letter.ended;
    return letter;
  });
}

/** From when to when, by the time of day. */
interface Time {
  readonly began: number;
  readonly ended: number;
}

/** After a move, until the letters that met it are through. */
const REST_MS = 50;
/** After a large process has filled its memory. */
const FIRST_REST_MS = 2_000;

/**
 * Moves the child from one host to the other and back, `times` in all; `rests`: for as long as each took, too, and nobody looks at the
 * job from shortly before until then, because its page would be writing reports while letters want to pass.
 */
async function toAndFro(job: Steered, times: number, rests = false): Promise<Time[]> {
  const moves = [];
  for (let n = 0; n < times; n++) {
    const { hosts } = await job.by((remote) => remote.look());
    const { pid, host } = await childOf(job);
    const elsewhere = hosts.find(({ id }) => id !== host)?.id as HostId;
    if (rests) await delay(REST_MS);
    const began = Date.now();
    const isThere = await job
      .by((remote) => remote.migrate(pid, elsewhere))
      .then(
        () => true,
        (error) => {
          if (error.code !== "ETIMEDOUT") throw error; // the first copy of a large one, on a machine that does much else
          return false;
        },
      );
    let ended = Date.now();
    if (rests) await delay(ended - began + 2 * REST_MS);
    while ((await childOf(job)).host !== elsewhere) await delay(100);
    if (!isThere) ended = Date.now();
    moves.push({ began, ended });
  }
  return moves;
}
