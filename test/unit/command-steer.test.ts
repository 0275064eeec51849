/** Jobs looked at and steered from another terminal: ps, logs, inspect, why, kill, migrate, attach. */
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { JobReport } from "../../fabric/wire/control.ts";
import { workplace } from "./command.kit.ts";

const { json, program, remove, roost, start } = workplace("steer");
afterAll(remove);
afterEach(async () => {
  for (const job of await json(["ps"])) await roost(["kill", job.id, "--signal", "KILL"]);
});

/** Launches a detached job; answers with its id. */
async function launch(source: string, ...options: string[]): Promise<string> {
  const file = program(`job${Math.random().toString(36).slice(2)}.js`, source);
  const { job } = await json(["run", file, "--detach", ...(options.length > 0 ? options : ["--local=2"])]);
  return job;
}

const report = async (job: string): Promise<JobReport> => (await json(["ps", job]))[0];
const eventually = <T>(get: () => Promise<T>) => expect.poll(get, { timeout: 30_000, interval: 100 });

describe("a job in another terminal", () => {
  test("ps, inspect and hosts show its processes; a foreground job too, and it leaves no trace", async () => {
    program("asks.js", `import { readline } from "roost"; readline();`);
    const foreground = start(["run", "asks.js", "x", "--local=2"]);
    const jobs = () => json(["ps"]) as Promise<JobReport[]>;
    await eventually(async () => (await jobs()).map((j) => [j.name, j.args, j.processes.length])).toEqual([
      ["asks.js", ["x"], 1],
    ]);
    expect((await roost(["attach"])).stderr).toMatch(/EPERM: this job reads its input from the terminal/);
    foreground.child.stdin.end();
    expect(await foreground.outcome).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await json(["ps", "--all"])).toEqual([]);

    const id = await launch(
      `import { fork, wait } from "roost"; if (fork({ on: "remote" }) === 0) for (;;); wait();`,
    );
    await eventually(async () => (await report(id)).processes.map((p) => p.state)).toEqual([
      "blocked",
      "running",
    ]);
    const [job] = await jobs();
    expect(job).toMatchObject({
      id,
      processes: [
        { pid: 1, ppid: 0 },
        { pid: 2, ppid: 1, hostName: "host 2" },
      ],
    });
    const text = await roost(["ps"]);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toMatch(/PID +STATE +HOST[\s\S]*1 +blocked +host 1[\s\S]*2 +running +host 2/);
    expect((await roost(["hosts", id])).stdout).toMatch(/host 1 \(launcher\)[\s\S]*host 2/);
    const inspected = await roost(["inspect", "2"]);
    expect(inspected.stdout).toMatch(/may run on +remote/);
    expect(inspected.stdout).toMatch(/host 2 +forked/);
    expect((await json(["inspect"])).id).toBe(id);
  });

  test("why says what it waits for", async () => {
    const id = await launch(
      `import { fork, wait } from "roost"; if (fork({ on: "remote" }) === 0) for (;;); wait();`,
      "--local=1",
    );
    await eventually(async () => (await json(["why", id])).why.join(" ")).toMatch(
      /Process 1 waits for .* to end\. Process 2 has no host\..*No such host is linked/,
    );
    expect((await roost(["why", "2"])).stdout).toMatch(/`roost donate` adds one/);
    expect(await roost(["why", "9"])).toMatchObject({ code: 1, stdout: "" });
  });

  test("migrate moves a process that computes, and is done when it is there; kill ends one, or all", async () => {
    const id = await launch(
      `import { fork, readline, wait } from "roost"; if (fork() === 0) for (;;); console.log(JSON.stringify(wait())); readline();`,
      "--local=3",
    );
    await eventually(async () => (await report(id)).processes[1]?.state).toBe("running");
    const { hostName } = (await report(id)).processes[1] ?? {};
    const to = hostName === "host 3" ? "host 2" : "host 3";
    expect(await json(["migrate", "2", to])).toMatchObject({ pid: 2, hostName: to });
    const stays = (await report(id)).processes[1]?.stays ?? [];
    expect(stays.map((stay) => stay.why)).toEqual(["forked", "recalled"]); // and not lost, as one that does not answer
    expect(await roost(["migrate", "2", "nowhere"])).toMatchObject({ code: 1, stdout: "" });
    expect(await roost(["migrate", "7"])).toMatchObject({ code: 1, stdout: "" });

    expect(await roost(["kill", "2"])).toEqual({ code: 0, stdout: "", stderr: "" });
    await eventually(async () => (await roost(["logs", id])).stdout).toMatch(/"pid":2.*"signal":"SIGTERM"/);
    expect((await roost(["kill", "2"])).stderr).toMatch(/ESRCH: process 2 has ended/);
    expect((await roost(["kill", id, "--signal", "NONE"])).stderr).toMatch(/there is no signal NONE/);
    expect(await roost(["kill", id, "--signal", "kill"])).toMatchObject({ code: 0 });
    expect(await roost(["attach", id])).toMatchObject({ code: 137 });
  });
});

describe("a detached job", () => {
  test("attach brings all output since the launch, input from here, and the exit code", async () => {
    const id = await launch(
      `import { readline, exit } from "roost";
       console.log("before"); console.error("err");
       for (let line; (line = readline()) != null; ) console.log("> " + line);
       exit(3);`,
    );
    await eventually(async () => (await json(["why", id])).why.join()).toMatch(/waits for a line of input/);
    expect((await roost(["logs"])).stdout).toBe("before\n");
    const outcome = await roost(["attach"], { input: "one\ntwo\n" });
    expect(outcome).toEqual({ code: 3, stdout: "before\n> one\n> two\n", stderr: "err\n" });
    // And again, though it has ended.
    expect(await roost(["attach", id])).toEqual(outcome);
    expect((await roost(["logs", id])).stdout).toBe(outcome.stdout);
    expect(await json(["ps"])).toEqual([]);
    expect(await json(["ps", "--all"])).toContainEqual(expect.objectContaining({ id, status: 3 }));
  });

  test("Ctrl-C leaves it running; logs -f reads to its end", async () => {
    const id = await launch(
      `import { readline, sleep } from "roost"; console.log("first"); readline(); console.log("last");`,
    );
    expect(await roost(["attach", id], { interruptAt: /first/ })).toMatchObject({ code: 130 });
    const logs = start(["logs", id, "-f"]);
    await expect.poll(() => logs.said.stdout).toBe("first\n");
    const attached = roost(["attach", id], { input: "go\n" });
    expect(await logs.outcome).toEqual({ code: 0, stdout: "first\nlast\n", stderr: "" });
    expect(await attached).toMatchObject({ code: 0 });
  });

  test("what keeps it from being launched is said by the launcher", async () => {
    const wrong = await roost(["run", "nowhere.js", "--local", "--detach"]);
    expect(wrong).toMatchObject({ code: 1, stdout: "" });
    expect(wrong.stderr).toMatch(/cannot read nowhere\.js/);
    program("x.js", "1");
    const relay = await roost(["run", "x.js", "--detach", "--relay", "http://localhost:9"]);
    expect(relay.stderr).toMatch(/no relay answers at http:\/\/localhost:9.*roost relay/);
  });
});

describe("bad input", () => {
  test.each([
    [["ps", "nojob"], /no job nojob is known/],
    [["why"], /no job of yours runs/],
    [["logs", "nojob"], /no job nojob is known/],
    [["attach", "x.y"], /no job's address/],
    [["kill"], /missing required argument/],
    [["migrate", "x"], /whole number/],
    [["hosts", "--relay", "http://localhost:9"], /no relay answers/],
  ])("%j", async (args, sentence) => {
    const outcome = await roost(args, { env: { ROOST_RELAY: "http://localhost:9" } });
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(sentence);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });
});
