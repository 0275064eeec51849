/** The parts of the page that need no browser: lines of a terminal, places, words. */
import { expect, test } from "vitest";
import { hostId, jobId, pid } from "../../fabric/base/ids.ts";
import { type FabricView, type JobView, treeOf } from "../../fabric/index.ts";
import { invitationTo } from "../../web/address.ts";
import { platformOf } from "../../web/names.ts";
import { placesOf } from "../../web/places.ts";
import { TerminalLines } from "../../web/terminal.ts";
import { speedUpOf, totalsOf } from "../../web/totals.ts";
import { age, bytes, duration, splitArguments } from "../../web/words.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const texts = (terminal: TerminalLines) => terminal.snapshot().map((line) => `${line.stream}:${line.text}`);

test("characters and lines may arrive in any pieces", () => {
  const whole = utf8("größer\n€5\n");
  for (let cut = 0; cut <= whole.length; cut++) {
    const terminal = new TerminalLines();
    terminal.print(1, whole.subarray(0, cut));
    terminal.print(1, whole.subarray(cut));
    expect(texts(terminal)).toEqual(["out:größer", "out:€5"]);
  }
});

test("stdout and stderr do not mix within a line", () => {
  const terminal = new TerminalLines();
  terminal.print(1, utf8("half "));
  terminal.print(2, utf8("warning\n"));
  terminal.print(1, utf8("and half\n"));
  expect(texts(terminal)).toEqual(["err:warning", "out:half and half"]);
});

test("colours, titles and cursor movements do not show; a carriage return starts the line again", () => {
  const terminal = new TerminalLines();
  terminal.print(1, utf8("\u001b[1;32mok\u001b[0m \u001b]0;title\u0007done\r\n10%\r20%\r\u001b[K30%"));
  expect(texts(terminal)).toEqual(["out:ok done", "out:30%"]);
});

test("a program that prints for ever does not fill the page", () => {
  const terminal = new TerminalLines();
  for (let n = 0; n < 12_000; n++) terminal.print(1, utf8(`${n}\n`));
  const lines = terminal.snapshot();
  expect(lines.length).toBeLessThanOrEqual(5_000);
  expect(lines.length + terminal.dropped).toBe(12_000);
  expect(lines.at(-1)?.text).toBe("11999");
});

test("arguments are split as a shell would", () => {
  expect(splitArguments(`  8 "two words" --name='O"Brien' a"b c"d ""`)).toEqual([
    "8",
    "two words",
    `--name=O"Brien`,
    "ab cd",
    "",
  ]);
  expect(splitArguments("")).toEqual([]);
});

test("numbers read as people say them", () => {
  expect([0.4, 4, 999, 1_340, 125_000, 7_260_000].map(duration)).toEqual([
    "under 1 ms",
    "4 ms",
    "999 ms",
    "1.3 s",
    "2 min 5 s",
    "2 h 1 min",
  ]);
  expect([300, 12_900].map(age)).toEqual(["under a second", "12 s"]);
  expect([17, 2_355, 150_000, 5_500_000].map(bytes)).toEqual(["17 B", "2.3 KiB", "146 KiB", "5.2 MiB"]);
});

test("a line that is too long is cut, with a mark", () => {
  const terminal = new TerminalLines();
  terminal.print(1, utf8(`${"a".repeat(20_000)}\n`));
  terminal.print(1, utf8("b".repeat(9_000)));
  terminal.print(1, utf8(`${"b".repeat(9_000)}c\n`));
  const [first, second] = terminal.snapshot();
  expect(first?.text).toBe(`${"a".repeat(10_000)}…`);
  expect(second?.text).toMatch(/^b+…$/);
  const open = new TerminalLines();
  open.print(1, utf8("b".repeat(20_000)));
  open.print(1, utf8("c"));
  expect(open.snapshot()[0]?.text).toMatch(/^…b+c$/);
});

test("processes come as a tree, children after their parent", () => {
  const process = (pid: number, ppid: number) => ({ pid, ppid });
  const tree = treeOf([process(1, 0), process(2, 1), process(3, 1), process(4, 2), process(5, 4)]);
  expect(tree.map((row) => [row.process.pid, row.depth])).toEqual([
    [1, 0],
    [2, 1],
    [4, 2],
    [5, 3],
    [3, 1],
  ]);
});

test("a home that lies about its processes makes no tree go round", () => {
  const process = (pid: number, ppid: number) => ({ pid, ppid });
  const pids = (...all: ReturnType<typeof process>[]) => treeOf(all).map((row) => row.process.pid);
  expect(pids(process(0, 0))).toEqual([0]);
  expect(pids(process(1, 0), process(2, 1), process(1, 2))).toEqual([1, 2, 1]);
  expect(pids(process(1, 0), process(3, 9))).toEqual([1, 3]); // nobody knows its parent
});

test("an invitation names the relay and the group, and never a job that could be steered with it", () => {
  const at = (hash: string) => invitationTo({ origin: "https://relay.example", pathname: "/", hash });
  expect(at("")).toBe("https://relay.example/");
  expect(at("#job=host.secret")).toBe("https://relay.example/");
  expect(at("#group=a%26b&job=host.secret")).toBe("https://relay.example/#group=a%26b");
});

test("browsers that pretend to be each other are told apart", () => {
  const chromium =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  expect(platformOf(chromium)).toBe("Chromium on Linux");
  expect(platformOf(`${chromium} Edg/140.0`)).toBe("Edge on Linux");
  expect(
    platformOf("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0"),
  ).toBe("Firefox on macOS");
});

test("a job in numbers: hosts once each, moves beyond the stays that are kept, and no speed-up where there is none", () => {
  const stay = (host: string, imageBytes: number) => ({ host, imageBytes });
  const process = { state: "running", cpuMs: 900, epoch: 1, stays: [stay("a", 0)] };
  const moved = { state: "ended", cpuMs: 1_500, epoch: 203, stays: [stay("a", 10), stay("b", 5)] };
  const totals = totalsOf({ processes: [process, moved] } as unknown as JobView);
  expect(totals).toEqual({ ended: 1, cpuMs: 2_400, moves: 202, flown: 15, hosts: 2 });
  expect(speedUpOf(totals, 1_000)).toBe(2.4);
  expect(speedUpOf(totals, 2_400)).toBeUndefined();
  expect(speedUpOf({ cpuMs: 0 }, 0)).toBeUndefined();
});

test("a job whose home is elsewhere, and that has a process in this tab too, is shown there once", () => {
  const [tab, home, job] = [hostId("tab"), hostId("home"), jobId("shown")];
  const guest = (job: string, n: number) =>
    ({
      job,
      jobName: "",
      homeName: "",
      pid: n,
      own: false,
    }) as unknown as FabricView["donor"]["guests"][number];
  const view = {
    self: { id: tab, name: "tab" },
    donor: { workers: 1, guests: [guest("shown", 2), guest("other", 9)] },
    directory: [],
  } as unknown as FabricView;
  const process = (n: number, host: string) => ({ pid: pid(n), host, state: "running", stays: [{ host }] });
  const shown = {
    id: job,
    endedMs: undefined,
    processes: [process(1, home), process(2, tab)],
    hosts: [tab, home].map((id) => ({ id, name: id, slots: 1 })),
  } as unknown as JobView;
  const seen = (job: JobView | undefined) =>
    placesOf(view, job).places.map(({ id, processes, guests }) => [
      id,
      ...[...processes, ...guests].map(({ pid }) => pid as number),
    ]);
  expect(seen(shown)).toEqual([
    ["tab", 2, 9],
    ["home", 1],
  ]);
  expect(seen(undefined)).toEqual([["tab", 2, 9]]);
});
