/** What the command draws of a job: every line fits, what matters most stays, and no name can move the cursor. */
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { hostTable, jobLine, processTable } from "../../fabric/edge/pictures.ts";
import { describeJob } from "../../fabric/edge/terminal.ts";
import { mib } from "../../fabric/edge/words.ts";
import type { JobView } from "../../fabric/host/view.ts";
import type { JobReport } from "../../fabric/wire/control.ts";

const process = (pid: number, state: "running" | "blocked" | "ended", moves = 0) => ({
  pid,
  ppid: pid === 1 ? 0 : 1,
  state,
  detail: state === "blocked" ? "waits for a child to end" : "",
  on: "any",
  host: "1".padEnd(26, "x"),
  hostName: "host 1",
  epoch: 1,
  cpuMs: 1,
  memoryBytes: 3 << 20,
  bornMs: 0,
  endedMs: undefined,
  status: undefined,
  signal: undefined,
  stays: Array.from({ length: moves + 1 }, () => ({})),
});
const host = (n: number, name = `host ${n}`) => ({
  id: `${n}`.padEnd(26, "x"),
  name,
  platform: "Node 20.20.2 on linux x64",
  local: n === 1,
  slots: 1,
  memoryBytes: 2 ** 30,
  reason: "",
});
const job = (change: object = {}) =>
  ({
    id: "k3x9f2abcdefghijklmnopqrst",
    name: "/home/zoe/work/programs/queens.js",
    args: ["10"],
    nowMs: 4_200,
    startedMs: 0,
    endedMs: undefined,
    status: undefined,
    signal: undefined,
    memoryBytesMax: 2 ** 27,
    processes: [process(1, "blocked"), process(2, "running"), process(3, "running", 1), process(4, "ended")],
    hosts: [host(1), host(2), host(3)],
    ...change,
  }) as unknown as JobReport;
const drawn = (text: string) => stripVTControlCharacters(text);
const status = (columns: number, change?: object) =>
  drawn(describeJob(job(change) as unknown as JobView, 4_200, columns));

test("a job in one line: the path goes first, then what is least of what it does", () => {
  const line = (width: number, change?: object) => drawn(jobLine(job(change), width));
  const facts = "2 running, 3 alive, 3 hosts, 4.2s";
  expect(line(200)).toBe(`k3x9f2ab  /home/zoe/work/programs/queens.js 10  ${facts}`);
  expect(line(80)).toBe(`k3x9f2ab  queens.js 10  ${facts}`);
  expect(line(40)).toBe("k3x9f2ab  queens.js 10  2 running, 4.2s");
  expect(line(40, { name: "a-program-with-a-long-name.js" })).toBe(
    "k3x9f2ab  a-program-wi…  2 running, 4.2s",
  );
  expect(line(30, { endedMs: 9_000, status: 0 })).toHaveLength(30);
});

test("the line below a job that runs", () => {
  expect(status(100)).toBe("4.2s  ██░░░░░░  2 running  1/4 ended  1 move  host 1: 3 · host 2: 0 · host 3: 0");
  expect(status(72)).toBe("4.2s  2 running  1/4 ended  1 move  host 1: 3 · host 2: 0 · host 3: 0");
  expect(status(50)).toBe("4.2s  2 running  1/4 ended  1 move  3 hosts");
  expect(status(40)).toBe("4.2s  2 running  1/4 ended  1 move");
  for (let columns = 10; columns < 100; columns++) expect(status(columns).length).toBeLessThan(columns);
});

test("a host's name is a name, whatever it says", () => {
  const hosts = [host(1, "\u001b[2J\u202ehost\r\n")];
  const raw = [describeJob(job({ hosts }) as unknown as JobView, 0, 100), hostTable(job({ hosts }), 100)];
  for (const text of raw)
    for (const nonsense of ["\u001b[2J", "\u202e", "\r"]) expect(text).not.toContain(nonsense);
});

test("hosts at 80 columns: names and ids whole, so that they can be named", () => {
  const text = drawn(hostTable(job(), 80));
  expect(text).toContain("host 1 (launcher)");
  expect(text).toContain(host(3).id);
});

test.each([40, 60, 80])("tables fit %i columns", (width) => {
  for (const text of [hostTable(job(), width), processTable(job(), { all: true, width })])
    for (const line of drawn(text).split("\n")) expect(line.length).toBeLessThanOrEqual(width);
});

test.each([
  [0, ""],
  [1, "1K"],
  [3_000, "3K"],
  [1.5 * 2 ** 20, "1.5M"],
  [128 * 2 ** 20, "128M"],
])("%i bytes of memory are said as %j", (bytes, said) => {
  expect(mib(bytes)).toBe(said);
});
