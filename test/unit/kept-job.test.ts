/** A job goes on after its home's end: from a checkpoint taken at any moment, with every effect once. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { decodeCheckpoint, decodeSavedJob } from "../../fabric/host/saved-job.ts";
import { nodeStore } from "../../fabric/io/node-store.ts";
import { type Options, runJob } from "./guest-process.ts";

const everything = `
  import { bsp, exit, fork, fs, getpid, getppid, group, kill, notify, on, recv, send, sleep, space, wait } from "roost";
  const log = (line) => { fs.appendFileSync("log.txt", line + "\\n"); console.log(line); };
  const shared = fs.openSync("shared.txt", "w");
  const g = group("pair");
  let signals = 0;
  on("SIGUSR1", () => { signals++; });
  const talker = fork();
  if (talker === 0) {
    g.join();
    for (let n = 0; n < 4; n++) { send(getppid(), "n", { n, squares: new Map([[n, n * n]]) }); fs.writeSync(shared, "c" + n + " "); }
    kill(getppid(), "SIGUSR1");
    g.barrier(2);
    const [, x] = space.in("work", Number);
    exit(g.reduce(x, (a, b) => a + b, 1) ?? 0, { done: true });
  }
  g.join();
  notify(talker);
  fs.writeSync(shared, "p ");
  for (let n = 0; n < 4; n++) log("got " + recv({ tag: "n" }).value.squares.get(n));
  g.barrier(2);
  space.out("work", 30);
  const rank = g.rank();
  const sum = g.reduce(12, (a, b) => a + b, 1);
  const end = wait();
  log("sum " + (sum ?? end.status) + " " + end.value.done + " " + recv({ tag: "exit" }).value.status % 1);
  sleep(20);
  log("signals " + signals);
  fs.closeSync(shared);
  log(fs.readFileSync("shared.txt", "utf8").trim().split(" ").toSorted().join());
`;

const outcome = async (options: Options) => {
  const { stdout, stderr, status, disk } = await runJob(everything, options);
  const log = [...disk.files()].find(([path]) => path === "log.txt")?.[1];
  return { stdout, stderr, status, log: Buffer.from(log ?? []).toString() };
};

describe("a home that ends", () => {
  test("at any moment, once or often: the job ends as if it had not", { timeout: 120_000 }, async () => {
    const whole = await outcome({});
    expect(whole).toMatchObject({ stderr: "", status: 0 });
    expect(whole.log).toBe(whole.stdout);
    expect(whole.stdout).toBe("got 0\ngot 1\ngot 4\ngot 9\nsum 42 true 0\nsignals 1\nc0,c1,c2,c3,p\n");
    for (let at = 1; at < 50; at += 2)
      expect(await outcome({ homeEndsAt: [at] }), `ended at call ${at}`).toEqual(whole);
    expect(await outcome({ hosts: 3, homeEndsAt: [5, 20, 31, 44, 60, 75] })).toEqual(whole);
    expect(await outcome({ hosts: 3, preemptEvery: 1, homeEndsAt: [9, 30, 51, 72] })).toEqual(whole);
  });

  test("a process that was about to move has moved", async () => {
    const { stdout } = await runJob(
      `import { migrate } from "roost"; for (let n = 0; n < 5; n++) { migrate(); console.log(n); }`,
      { hosts: 2, homeEndsAt: [1, 3, 7] },
    );
    expect(stdout).toBe("0\n1\n2\n3\n4\n");
  });
});

describe("changes of files that wait together until the job is kept", () => {
  const together = (...children: readonly string[]) =>
    runJob(
      `import { exit, fork, fs, kill, wait } from "roost";
      const [log, read] = [fs.openSync("log", "a"), (name) => { try { return fs.readFileSync(name, "utf8"); } catch (error) { return error.code; } }];
      fs.writeSync(log, "old ");
      const pids = [];
      ${children.map((child) => `pids.push(fork()); if (pids.at(-1) === 0) { ${child}; exit(0); }`).join("\n")}
      for (const _ of pids) wait();
      console.log(read("log"), read("log.1"));`,
      { keepMs: 5_000 },
    );

  test.each<[string, string[], string]>([
    [
      "appended after it was renamed",
      ['fs.renameSync("log", "log.1")', 'fs.appendFileSync("log", "new ")'],
      "new  old \n",
    ],
    [
      "appended after it was emptied",
      ['fs.writeFileSync("log", "")', 'fs.appendFileSync("log", "new ")'],
      "new  ENOENT\n",
    ],
    [
      "appended twice",
      ['fs.appendFileSync("log", "one ")', 'fs.writeSync(log, "two ")'],
      "old one two  ENOENT\n",
    ],
    [
      "made by two, where only one may",
      [
        'fs.writeFileSync("log.1", "one", { flag: "wx" })',
        'try { fs.writeFileSync("log.1", "two", { flag: "wx" }); } catch (error) { fs.appendFileSync("log", error.code + " "); }',
      ],
      "old EEXIST  one\n",
    ],
  ])("are what they are one after the other: %s", async (_, children, expected) => {
    const { stdout, stderr } = await together(...children);
    expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: "" });
  });

  test("a process that is killed while it waits leaves no hole where it would have written", async () => {
    const { stdout } = await together(
      'fs.writeSync(log, "one ")',
      'fs.writeSync(log, "two ")',
      'kill(pids[0], "SIGKILL")',
    );
    expect(stdout).toMatch(/^old (one )?two {2}ENOENT\n$/);
  });
});

test("what is no checkpoint, of another form or damaged, is refused in words", () => {
  const read = (bytes: number[]) => () => decodeCheckpoint(Uint8Array.from(bytes));
  const magic = [...Buffer.from("\troost job")];
  expect(read([])).toThrow(/EINVAL: this is no checkpoint/);
  expect(read([1, 2, 3])).toThrow(/EINVAL: this is no checkpoint/);
  expect(read([...magic, 99])).toThrow(/EVERSION: .*form 99/);
  expect(read([...magic, 2, 7])).toThrow(/EVERSION: .*form 2/);
  expect(read([...magic, 6, 7])).toThrow(/EINVAL: the checkpoint is damaged/);
  expect(() => decodeSavedJob(Uint8Array.from([...magic, 6]))).toThrow(/EINVAL: the checkpoint is damaged/);
});

/** A new directory, for the length of a test. */
function place(): string {
  const directory = mkdtempSync(join(tmpdir(), "roost-store-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

describe("a store in a directory", () => {
  test("gives back what was set, under any key", async () => {
    const store = nodeStore(join(place(), "new"));
    expect(await store.keys("")).toEqual([]);
    expect(await store.get("a")).toBeUndefined();
    await store.set("job/a/../b%", Uint8Array.of(1, 2));
    await store.set("other", Uint8Array.of(3));
    await store.set("other", Uint8Array.of(4));
    expect(await store.get("job/a/../b%")).toEqual(Uint8Array.of(1, 2));
    expect(await store.get("other")).toEqual(Uint8Array.of(4));
    expect(await store.keys("job/")).toEqual(["job/a/../b%"]);
    await store.deleteAll(["job/a/../b%"]);
    await store.deleteAll(["nothing"]);
    expect(await store.keys("")).toEqual(["other"]);
  });

  test("has nothing more in it after a write that failed", async () => {
    const directory = place();
    mkdirSync(join(directory, "a")); // where the value should go
    const store = nodeStore(directory);
    await expect(store.set("a", Uint8Array.of(1))).rejects.toThrow(/EISDIR/);
    expect(readdirSync(directory)).toEqual(["a"]);
  });

  test("loses what writes have left that somebody did not live to end", async () => {
    const directory = place();
    const { pid: dead } = spawnSync(process.execPath, ["--version"]);
    for (const pid of [dead, process.ppid]) writeFileSync(join(directory, `a.${pid}.0.new`), "half");
    const store = nodeStore(directory);
    await store.set("b", Uint8Array.of(1));
    expect(readdirSync(directory).toSorted()).toEqual([`a.${process.ppid}.0.new`, "b"]);
  });
});
