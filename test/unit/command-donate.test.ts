/** The owner's policy in the real command: a machine that takes work while its owner allows it, and gives it back. */
import type { ChildProcess } from "node:child_process";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobReport } from "../../fabric/wire/control.ts";
import { type Relay, startRelay } from "../../relay/index.ts";
import { workplace } from "./command.kit.ts";

const { json, program, remove, roost, start } = workplace("donate");
let relay: Relay;
let at: string[];

beforeAll(async () => {
  relay = await startRelay({ port: 0, log: pino({ level: "silent" }) });
  at = ["--relay", relay.url];
});
const donors: ChildProcess[] = [];
afterAll(async () => {
  for (const job of await json(["ps"])) await roost(["kill", job.id, "--signal", "KILL"]);
  for (const child of donors) child.kill("SIGKILL");
  await relay.close();
  remove();
});

const MINUTE_MS = 60_000;
const PATIENTLY = { timeout: MINUTE_MS, interval: 500 };

/** From this minute on to one that begins soon, but leaves time to take work before. */
function hoursThatEndSoon(): string {
  const time = (ms: number) => {
    const date = new Date(ms);
    return `${date.getHours()}:${String(date.getMinutes()).padStart(2, "0")}`;
  };
  return `${time(Date.now())}-${time(Date.now() + 20_000 + MINUTE_MS)}`;
}

/** A donor, whatever else this machine does (other tests), and what it has told so far. */
function donor(...options: string[]) {
  const { child, said, outcome } = start([
    "donate",
    ...at,
    "--always",
    "--workers",
    "1",
    "--json",
    ...options,
  ]);
  donors.push(child);
  const told = () =>
    said.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  const hasHad = (pid: number) =>
    told().some(
      ({ type, guests }) => type === "guests" && guests.some((g: { pid: number }) => g.pid === pid),
    );
  return { child, outcome, told, hasHad, id: () => told().find(({ type }) => type === "joined")?.host };
}

test(
  "takes work in its hours and gives it back after them; SIGTERM sends it away before the end",
  async () => {
    program(
      "long.js",
      `import { fork, wait } from "roost"; if (fork({ on: "remote" }) === 0) for (;;); wait();`,
    );
    const first = donor("--hours", hoursThatEndSoon());
    await expect.poll(first.told).toContainEqual(expect.objectContaining({ type: "state", taking: true }));
    const { job } = await json(["run", "long.js", "--detach", ...at]);
    await expect.poll(() => first.hasHad(2)).toBe(true);

    const why = async () => (await roost(["why", job])).stdout;
    await expect
      .poll(why, { ...PATIENTLY, timeout: 2 * MINUTE_MS })
      .toMatch(/1 host takes nothing: outside your hours/);
    const child = async () => ((await json(["ps", job]))[0] as JobReport).processes.find((p) => p.pid === 2);
    expect(await child()).toMatchObject({ state: "unplaced", stays: [{ host: first.id() }] });
    expect(first.told()).toContainEqual(
      expect.objectContaining({
        type: "receipt",
        left: [expect.objectContaining({ jobName: "long.js", pid: 2 })],
      }),
    );

    const second = donor("--hours", "0:00-24:00");
    await expect.poll(() => second.hasHad(2)).toBe(true);
    second.child.kill("SIGTERM");
    expect(await second.outcome).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/left in .*:\n {2}long\.js 2 →/),
    });
    expect(await child()).toMatchObject({ state: "unplaced", stays: [{}, { host: second.id() }] });

    await roost(["kill", job, "--signal", "KILL"]);
    first.child.kill("SIGTERM");
    expect(await first.outcome).toMatchObject({ code: 0 });
  },
  4 * MINUTE_MS,
);

test(
  "a process goes only to who gives it the memory: `why` says what it needs and what there is",
  async () => {
    program(
      "large.js",
      `import { fork, wait } from "roost"; if (fork({ on: "remote" }) === 0) for (;;); wait();`,
    );
    program(
      "grows.js",
      `import { fork, wait } from "roost";
       if (fork({ on: "remote" }) === 0) for (const kept = [new Uint8Array(40 << 20).fill(1)]; ; ) kept.length;
       wait();`,
    );
    const small = donor("--memory", "16");
    await expect.poll(small.told).toContainEqual(expect.objectContaining({ type: "state", taking: true }));
    const { job: asks } = await json(["run", "large.js", "--detach", "--memory", "300", ...at]);
    const { job: has } = await json(["run", "grows.js", "--detach", ...at]);

    const why = async (job: string) => (await roost(["why", job])).stdout;
    const given = `no host that takes something gives so much: 16 MiB \\(.*\\); .roost donate --memory`;
    await expect
      .poll(() => why(asks), PATIENTLY)
      .toMatch(new RegExp(`Its job asks for 300 MiB of memory for each process, and ${given} 300.`));
    await expect
      .poll(() => why(has), PATIENTLY)
      .toMatch(new RegExp(`It has 4\\d MiB of memory, and ${given} 4`));

    const child = async (job: string) =>
      ((await json(["ps", job]))[0] as JobReport).processes.find((p) => p.pid === 2);
    expect(await child(asks)).toMatchObject({ stays: [] });
    expect(await child(has)).toMatchObject({ stays: [{ host: small.id() }] }); // never again
    const refused = await roost(["migrate", "2", small.id(), "--job", asks]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("less memory") });

    const large = donor("--memory", "400");
    await expect.poll(large.id, PATIENTLY).toBeDefined();
    for (const job of [asks, has])
      await expect.poll(async () => (await child(job))?.host ?? "nowhere", PATIENTLY).toBe(large.id());
  },
  4 * MINUTE_MS,
);

test("says when its relay is gone, and when it is back", async () => {
  const log = pino({ level: "silent" });
  const first = await startRelay({ port: 0, log });
  const { child, said, outcome } = start(["donate", "--always", "--workers", "1", "--relay", first.url]);
  donors.push(child);
  await expect.poll(() => said.stderr, PATIENTLY).toMatch(/takes work from/);
  await first.close();
  await expect.poll(() => said.stderr, PATIENTLY).toMatch(/^The relay is gone \(.*\); trying again\.$/m);
  const second = await startRelay({ port: first.port, log });
  await expect.poll(() => said.stderr, PATIENTLY).toMatch(/^The relay is back\.$/m);
  expect(said.stderr).not.toContain("PeerJS");
  child.kill("SIGTERM");
  expect(await outcome).toMatchObject({ code: 0 });
  await second.close();
}, 200_000);

test.each(["22:00", "7:60-8:00", "25:00-3:00", "8:00-8:00"])(
  "hours that are none are refused: %s",
  async (hours) => {
    const refused = await roost(["donate", ...at, "--hours", hours]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/two times of day, like 22:00-7:00/);
  },
);
