/** Jobs that outlive their homes: checkpoints in files, and detached homes that are killed. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { JobReport } from "../../fabric/wire/control.ts";
import { workplace } from "./command.kit.ts";

/** Each test in a directory of its own: their jobs write into it. */
function place(name: string) {
  const { directory, json, program, remove, roost } = workplace(name);
  onTestFinished(remove);
  const report = async (job: string): Promise<JobReport> => (await json(["ps", job]))[0];
  return { file: (name: string) => join(directory, name), json, program, report, roost };
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
    const { file, json, program, roost } = place("kept-home");
    program("count.js", counting);
    const { job } = await json(["run", "count.js", "--detach", "--local=2"]);
    await eventually(async () => readFileSync(file("log"), "utf8")).toBe("0\n1\n2\n");
    const state = JSON.parse(readFileSync(file(`state/jobs/${job}.json`), "utf8"));
    process.kill(state.osPid, "SIGKILL");
    writeFileSync(file("go"), "");
    expect(await roost(["attach", job])).toEqual({
      code: 0,
      stderr: "",
      stdout: "1\n2\n3\n4\n5\n6\nchild 6\n",
    });
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
    expect(await said()).toMatch(/say which program to run/);
    expect((await roost(["checkpoint", "nothing", "x"])).stderr).toMatch(/ESRCH/);
  });
});
