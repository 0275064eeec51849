/** Jobs that outlive their homes: checkpoints in files, and detached homes that are killed. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { isAlive } from "../../fabric/io/os-process.ts";
import type { JobReport } from "../../fabric/wire/control.ts";
import { workplace } from "./command.kit.ts";

/** Each test in a directory of its own: their jobs write into it. */
function place(name: string) {
  const { directory, json, program, remove, roost, start } = workplace(name);
  const file = (name: string) => join(directory, name);
  const report = async (job: string): Promise<JobReport> => (await json(["ps", job]))[0];
  const recordOf = (job: string) => file(`state/jobs/${job}.json`);
  const homeOf = (job: string): number => JSON.parse(readFileSync(recordOf(job), "utf8")).osPid;
  const keptOf = (job: string) =>
    readdirSync(file("state/jobs/kept")).filter((name) => name.includes(job) && !name.endsWith(".new"));
  onTestFinished(() => {
    const names = existsSync(file("state/jobs")) ? readdirSync(file("state/jobs")) : [];
    for (const name of names) if (name.endsWith(".json")) endProcess(homeOf(name.slice(0, -".json".length)));
    remove();
  });
  return { file, homeOf, json, keptOf, program, recordOf, report, roost, start };
}

/** The processes that go on with a job that was kept. */
const homesFor = (job: string) =>
  execFileSync("ps", ["-A", "-o", "args="], { encoding: "utf8" })
    .split("\n")
    .filter((words) => words.includes(`--kept ${job}`));

/** A home that a test has left. */
function endProcess(osPid: number): void {
  try {
    process.kill(osPid, "SIGKILL");
  } catch {} // it has ended
}

const eventually = <T>(get: () => Promise<T>) => expect.poll(get, { timeout: 30_000, interval: 100 });
/** Counts in a child, on lines and in a file; goes on at 3 when a file says so. */
const counting = `
  import { fork, fs, recv, send, sleep, wait } from "roost";
  const child = fork();
  if (child === 0) {
    for (;;) { const { from, value } = recv(); if (value === 6) process.exit(6); fs.appendFileSync("log", value + "\\n"); send(from, "next", value + 1); }
  }
  let n = 0;
  for (;;) {
    send(child, "n", n);
    if (n === 6) break;
    n = recv({ tag: "next" }).value;
    console.log(n);
    while (n === 3 && !fs.readdirSync(".").includes("go")) sleep(50);
  }
  console.log("child", wait().status);
`;

describe("a job that outlives its home", () => {
  test("a checkpoint goes on in another process, more than once, and the job itself runs on", async () => {
    const { file, json, program, report, roost } = place("kept-file");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=2"]);
    await eventually(async () => readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n");
    await eventually(async () => (await report(job)).processes.length).toBe(2);
    expect(await json(["checkpoint", job, "at3.roost"])).toMatchObject({ job, file: "at3.roost" });
    const refused = await roost(["checkpoint", job, "nowhere/at3.roost"]);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is no directory nowhere;/),
    });
    await roost(["kill", job, "--signal", "KILL"]);
    writeFileSync(file("go"), "");
    for (const hosts of [1, 3])
      expect(await roost(["run", "--restore", "at3.roost", `--local=${hosts}`])).toEqual({
        code: 0,
        stderr: "",
        stdout: "4\n5\n6\nchild 6\n",
      });
    // What happens to files after a checkpoint is not undone by going on from it.
    expect(readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n3\n4\n5\n3\n4\n5\n");
  });

  test("whoever is interrupted before he knew of his detached job leaves none", async () => {
    const { json, program, start } = place("kept-interrupted");
    const file = program(`for-ever.js`, `console.log("on"); for (;;);`);
    const homes = () =>
      execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
        .split("\n")
        .map((line) => line.trim().split(/ +/))
        .filter((words) => words.includes("--as-home") && words.includes(file));
    const { child, outcome } = start(["run", file, "--detach", "--local"]);
    await eventually(async () => homes().some(([, parent]) => Number(parent) === child.pid)).toBe(true);
    child.kill("SIGINT");
    expect(await outcome).toMatchObject({ stdout: "" });
    await eventually(async () => homes()).toEqual([]);
    expect(await json(["ps"])).toEqual([]);
  });

  test("of a job that cannot be looked at, `ps` says why; the others are shown", async () => {
    const { file, homeOf, json, program, roost } = place("kept-unreached");
    program("count.js", counting);
    const over = program("over.js", `console.log("over");`);
    const { job: damaged } = await json(["run", over, "--detach", "--local"]);
    await eventually(async () => existsSync(file(`state/jobs/${damaged}.ended`))).toBe(true);
    writeFileSync(file(`state/jobs/${damaged}.ended`), "");
    const { job: stuck } = await json(["run", "count.js", "--detach", "--local"]);
    const { job: well } = await json(["run", "count.js", "--detach", "--local"]);
    process.kill(homeOf(stuck), "SIGSTOP");
    onTestFinished(() => void process.kill(homeOf(stuck), "SIGCONT"));
    const listed: { id: string; unreached?: string }[] = await json(["ps", "--all"]);
    expect(new Map(listed.map(({ id, unreached }) => [id, unreached]))).toEqual(
      new Map([
        [damaged, "its recording is not whole"],
        [stuck, expect.stringMatching(/^its home \(process \d+\) does not answer$/)],
        [well, undefined],
      ]),
    );
    const { stdout } = await roost(["ps", "--all"]);
    expect(stdout).toMatch(/over\.js +its recording is not whole/);
    expect(stdout).toMatch(/count\.js +its home \(process \d+\) does not answer/);
  });

  test("what goes on from a checkpoint is a job of its own, beside the one that it was taken of", async () => {
    const { file, json, program, report, roost } = place("kept-beside");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=2"]);
    await eventually(async () => (await report(job)).processes.length).toBe(2);
    await json(["checkpoint", job, "at.roost"]);
    const { job: another } = await json(["run", "--restore", "at.roost", "--detach", "--local"]);
    expect(another).not.toBe(job);
    await roost(["kill", another, "--signal", "KILL"]);
    await eventually(async () => (await report(another)).endedMs).toBeDefined();
    expect((await report(job)).endedMs).toBeUndefined();
    writeFileSync(file("go"), "");
    expect(await roost(["attach", job])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/6\nchild 6\n$/),
    });
  });

  test("a detached home that is killed: the job goes on in another, and has done everything once", async () => {
    const { file, homeOf, json, program, roost } = place("kept-home");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=2"]);
    await eventually(async () => readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n");
    const home = homeOf(job);
    expect((await roost(["ps"])).stdout).toMatch(/count.js .* running/);
    process.kill(home, "SIGKILL");
    await eventually(async () => isAlive(home)).toBe(false);
    const id = job.slice(0, 8);
    const waits = `${id}  count.js  its home has died; \`roost attach ${id}\` goes on\n`;
    expect(await roost(["ps"])).toEqual({ code: 0, stderr: "", stdout: waits });
    writeFileSync(file("go"), "");
    // It is the only one.
    expect(await roost(["attach"])).toEqual({
      code: 0,
      stderr: "",
      stdout: "1\n2\n3\n4\n5\n6\nchild 6\n",
    });
    expect((await roost(["ps"])).stdout).toBe("");
    expect(readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n3\n4\n5\n");
  });

  test.each(["SIGTERM", "SIGHUP"] as const)(
    "%s tells a detached home to go, as the system does when it shuts down: the job goes on in another",
    async (signal) => {
      const { file, homeOf, json, program, roost } = place("kept-leaves");
      program("count.js", counting);
      const { job } = await json(["run", "count.js", "--detach", "--local=2", "--durable", "off"]);
      await eventually(async () => readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n");
      const home = homeOf(job);
      process.kill(home, signal);
      await eventually(async () => isAlive(home)).toBe(false);
      writeFileSync(file("go"), "");
      const whole = { code: 0, stderr: "", stdout: "1\n2\n3\n4\n5\n6\nchild 6\n" };
      expect(await roost(["attach", job])).toEqual(whole);
      expect(readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n3\n4\n5\n");
    },
  );

  test("a home that is killed just after the job's end: what the job has left is there", async () => {
    const { file, homeOf, json, keptOf, program, roost, start } = place("kept-ended");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=1"]);
    const reader = start(["attach", job]);
    await eventually(async () => reader.said.stdout).toBe("1\n2\n3\n");
    reader.child.kill("SIGSTOP"); // the home gives it time to take the rest
    writeFileSync(file("go"), "");
    await eventually(async () => keptOf(job)).toEqual([]);
    process.kill(homeOf(job), "SIGKILL");
    reader.child.kill("SIGKILL");
    const whole = { code: 0, stderr: "", stdout: "1\n2\n3\n4\n5\n6\nchild 6\n" };
    expect(await roost(["attach", job])).toEqual(whole);
  });

  test("a home that cannot be found, for what is in its way, leaves the job to one that can", async () => {
    const { file, homeOf, json, program, recordOf, roost } = place("kept-unfound");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=1"]);
    await eventually(async () => readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n");
    process.kill(homeOf(job), "SIGKILL");
    const { socket } = JSON.parse(readFileSync(recordOf(job), "utf8"));
    rmSync(socket);
    mkdirSync(socket);
    expect(await roost(["attach", job])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/EIO: other terminals cannot find this job/),
    });
    rmdirSync(socket);
    writeFileSync(file("go"), "");
    const whole = { code: 0, stderr: "", stdout: "1\n2\n3\n4\n5\n6\nchild 6\n" };
    expect(await roost(["attach", job])).toEqual(whole);
    expect(readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n3\n4\n5\n");
  });

  test("what a job leaves cannot be written: it ends once more, when somebody asks", async () => {
    const { file, homeOf, json, program, roost } = place("kept-unrecorded");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=1"]);
    const home = homeOf(job);
    mkdirSync(file(`state/jobs/${job}.ended`)); // where that should go
    writeFileSync(file("go"), "");
    await eventually(async () => isAlive(home)).toBe(false);
    const whole = { code: 0, stderr: "", stdout: "1\n2\n3\n4\n5\n6\nchild 6\n" };
    expect(await roost(["attach", job])).toEqual(whole);
    expect(readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n3\n4\n5\n");
  });

  test("two ask at once for a job whose home was killed: it goes on in one other, which both find", async () => {
    const { file, homeOf, json, program, roost, start } = place("kept-two");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=1"]);
    await eventually(async () => readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n");
    process.kill(homeOf(job), "SIGKILL");
    const attached = [start(["attach", job]), start(["attach", job])];
    for (const { said } of attached) await eventually(async () => said.stdout).toBe("1\n2\n3\n");
    await eventually(async () => homesFor(job)).toHaveLength(1); // one that came too late may just be ending
    expect(await roost(["run", "--as-home", "--kept", job, "--local=1"])).toMatchObject({ code: 1 }); // as attach starts it
    writeFileSync(file("go"), "");
    for (const { outcome } of attached)
      expect(await outcome).toEqual({ code: 0, stderr: "", stdout: "1\n2\n3\n4\n5\n6\nchild 6\n" });
    expect(readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n3\n4\n5\n");
  });

  test("what cannot be gone on from is said", async () => {
    const { file, program, roost } = place("kept-bad");
    program("count.js", counting);
    writeFileSync(file("text.roost"), "a text");
    const said = async (...words: string[]) => (await roost(["run", ...words, "--local"])).stderr;
    expect(await said("--restore", "text.roost")).toMatch(/EINVAL: this is no checkpoint of a Roost job/);
    expect(await said("--restore", "missing.roost")).toMatch(/ENOENT: the checkpoint cannot be read/);
    expect(await said("count.js", "--restore", "at3.roost")).toMatch(/brings its own program/);
    for (const option of [
      ["--memory", "32"],
      ["--durable", "off"],
      ["--preempt-every", "1"],
    ])
      expect(await said("--restore", "text.roost", ...option)).toMatch(
        new RegExp(`EINVAL: ${option[0]}: a checkpoint brings its own`),
      );
    expect(await said()).toMatch(/say which program to run/);
    expect((await roost(["checkpoint", "nothing", "x"])).stderr).toMatch(/ESRCH/);
  });
});

describe("what is left of a detached job", () => {
  const LONG_AGO = new Date(Date.now() - 8 * 24 * 3600 * 1000);
  const answers = `import { readline } from "roost"; console.log("asked"); readline(); console.log("answered");`;

  /** A job that waits for a line, and as far as its record says began long ago; and a launch of another, which forgets what is old. */
  async function waiting(name: string) {
    const { file, homeOf, json, keptOf, program, recordOf, roost } = place(name);
    program("answers.js", answers);
    program("nothing.js", "");
    const { job } = await json(["run", "answers.js", "--detach", "--local=1"]);
    const record = JSON.parse(readFileSync(recordOf(job), "utf8"));
    writeFileSync(recordOf(job), JSON.stringify({ ...record, startedMs: LONG_AGO.getTime() }));
    const launchAnother = async () => {
      const { job } = await json(["run", "nothing.js", "--detach", "--local=1"]);
      await roost(["attach", job]);
    };
    const kept = () => keptOf(job);
    return { file, homeOf, job, kept, launchAnother, roost };
  }

  test("is there while it runs, and for a week after its end", async () => {
    const { file, job, launchAnother, roost } = await waiting("left-ended");
    await launchAnother();
    const whole = { code: 0, stderr: "", stdout: "asked\nanswered\n" };
    expect(await roost(["attach", job], { input: "go\n" })).toEqual(whole);
    await launchAnother();
    expect(await roost(["attach", job])).toEqual(whole);
    utimesSync(file(`state/jobs/${job}.ended`), LONG_AGO, LONG_AGO);
    await launchAnother();
    expect((await roost(["attach", job])).stderr).toMatch(/no job .* is known on this machine/);
  });

  test("of one whose home has died: for a week after it was kept last, and then nothing", async () => {
    const { file, homeOf, job, kept, launchAnother, roost } = await waiting("left-kept");
    process.kill(homeOf(job), "SIGKILL");
    await launchAnother();
    expect(kept()).not.toEqual([]);
    for (const name of kept()) utimesSync(file(`state/jobs/kept/${name}`), LONG_AGO, LONG_AGO);
    await launchAnother();
    expect(kept()).toEqual([]);
    expect((await roost(["attach", job])).stderr).toMatch(/no job .* is known on this machine/);
  });
});
