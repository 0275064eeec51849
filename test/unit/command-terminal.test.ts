/** The command on a real terminal, and over pipes: what a person sees, and what a program gets. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { type IPty, spawn as spawnPty } from "@lydell/node-pty";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { COMMAND, workplace } from "./command.kit.ts";

const { directory, env, json, program, remove, roost } = workplace("terminal");
const terminals: IPty[] = [];
afterEach(async () => {
  for (const terminal of terminals.splice(0)) terminal.kill("SIGKILL");
  for (const job of await json(["ps"])) await roost(["kill", job.id, "--signal", "KILL"]);
});
afterAll(remove);

/** The command on a terminal of that many columns. `raw` is all that it wrote. */
function terminal(columns: number, args: readonly string[], more: Record<string, string | undefined> = {}) {
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...rest } = env as Record<string, string>;
  const given = Object.fromEntries(
    Object.entries({ ...rest, TERM: "xterm-256color", ...more }).filter(([, v]) => v !== undefined),
  );
  const pty = spawnPty(process.execPath, [COMMAND, ...args], {
    cols: columns,
    rows: 16,
    cwd: directory,
    env: given as Record<string, string>,
  });
  terminals.push(pty);
  const said = { raw: "" };
  pty.onData((data) => {
    said.raw += data;
  });
  const code = new Promise<number>((done) => pty.onExit(({ exitCode }) => done(exitCode)));
  return { pty, said, code, text: () => stripVTControlCharacters(said.raw).replaceAll("\r", "") };
}

const FAMILY = `import { fork, wait } from "roost"; for (let i = 0; i < 3; i++) if (fork() === 0) for (;;); console.log("forked"); wait();`;
const ESCAPE = String.fromCharCode(27);
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

describe("run on a terminal", () => {
  test("output, and below it one line that fits; Ctrl-C ends every process", async () => {
    program("family.js", FAMILY);
    const run = terminal(40, ["run", "family.js", "--local=2"]);
    await expect.poll(run.text, { timeout: 30_000 }).toMatch(/forked\n[\s\S]*3 running {2}0\/4 ended/);
    expect(widest(run.text())).toBeLessThanOrEqual(40);
    run.pty.write("\u0003");
    expect(await run.code).toBe(130);
    expect(await json(["ps", "--all"])).toEqual([]);
    expect(run.text()).toMatch(/4 processes on 2 hosts/);
  });

  test("a program that handles Ctrl-C goes on; the second one ends it at once", async () => {
    program(
      "stubborn.js",
      `import { on, sleep } from "roost"; on("SIGINT", () => console.log("no")); console.log("ready"); for (;;) sleep(50);`,
    );
    const run = terminal(80, ["run", "stubborn.js", "--local=1"]);
    await expect.poll(run.text, { timeout: 30_000 }).toContain("ready");
    run.pty.write("\u0003");
    await expect.poll(run.text).toContain("no");
    run.pty.write("\u0003");
    expect(await run.code).toBeGreaterThan(128);
  });

  test("a question and its answer", async () => {
    program(
      "ask.js",
      `import { readline } from "roost"; process.stdout.write("name? "); console.log("hello " + readline());`,
    );
    const run = terminal(80, ["run", "ask.js", "--local=1"]);
    await expect.poll(run.text, { timeout: 30_000 }).toContain("name? ");
    run.pty.write("Zoë\r");
    expect(await run.code).toBe(0);
    expect(run.text()).toContain("hello Zoë");
  });
});

describe("pipes", () => {
  const shell = (line: string) =>
    new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
      const child = spawn("bash", ["-c", line], {
        cwd: directory,
        env: { ...env, ROOST: `${process.execPath} ${COMMAND}` },
      });
      const said = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const)
        child[name].on("data", (data) => {
          said[name] += data;
        });
      child.on("close", (code) => done({ code, ...said }));
    });

  test.skipIf(!existsSync("/dev/full"))(
    "a disk that is full is said, however little was written",
    async () => {
      program("little.js", 'console.log("little")');
      const { stdout, stderr } = await shell("$ROOST run little.js --local=1 > /dev/full; echo $?");
      expect(stdout).toBe("1\n");
      expect(stderr).toMatch(/EIO: what the job writes cannot be written: ENOSPC/);
    },
  );

  test("head takes what it wants, and the job ends", async () => {
    program("yes.js", `for (let n = 0; ; n++) console.log(n);`);
    expect(await shell("$ROOST run yes.js --local=1 | head -n 2; echo $" + "{PIPESTATUS[0]}")).toEqual({
      code: 0,
      stdout: "0\n1\n141\n",
      stderr: "",
    });
  });

  test("much output through a slow pipe arrives whole and in order", async () => {
    program("much.js", `for (let n = 0; n < 200; n++) console.log(String(n).padEnd(9_999));`);
    const { stdout } = await shell(
      "$ROOST run much.js --local=1 | (sleep 2; cut -c1-5) | tr -d ' ' | sha256sum; seq 0 199 | sha256sum",
    );
    const [got, wanted] = stdout.trim().split("\n");
    expect(got).toBe(wanted);
  });

  test("stdin that is closed is at its end", async () => {
    program("stdin.js", `import { readline } from "roost"; console.log(readline());`);
    expect(await shell("$ROOST run stdin.js --local=1 <&-")).toMatchObject({ code: 0, stdout: "null\n" });
  });
});

describe("tables", () => {
  test("fit 40 and 80 columns, and are whole in a pipe", async () => {
    program("family.js", FAMILY);
    await json(["run", "family.js", "--local=2", "--detach"]);
    for (const columns of [40, 80])
      for (const command of ["ps", "inspect", "why"]) {
        const shown = terminal(columns, [command]);
        expect(await shown.code).toBe(0);
        if (command !== "why") expect(widest(shown.text())).toBeLessThanOrEqual(columns);
        expect(shown.text()).toContain("2");
      }
    const { stdout } = await roost(["ps"]);
    expect(stdout).toMatch(/PID +STATE +HOST +CPU/);
  });

  test("colours: on a terminal, not in a pipe, and as NO_COLOR and FORCE_COLOR say", async () => {
    program("family.js", FAMILY);
    await json(["run", "family.js", "--local=2", "--detach"]);
    const coloured = terminal(80, ["ps"]);
    await coloured.code;
    expect(coloured.said.raw).toContain(`${ESCAPE}[32mrunning`);
    const plain = terminal(80, ["ps"], { NO_COLOR: "1" });
    await plain.code;
    expect(plain.said.raw).not.toContain(`${ESCAPE}[32m`);
    expect((await roost(["ps"], { env: { NO_COLOR: undefined } })).stdout).not.toContain(ESCAPE);
    expect((await roost(["ps"], { env: { NO_COLOR: undefined, FORCE_COLOR: "1" } })).stdout).toContain(
      `${ESCAPE}[32mrunning`,
    );
  });

  test("top shows hosts and processes, and q ends it", async () => {
    program("family.js", FAMILY);
    await json(["run", "family.js", "--local=2", "--detach"]);
    const top = terminal(40, ["top"]);
    await expect.poll(top.text, { timeout: 30_000 }).toMatch(/HOST +RUNNING[\s\S]*PID +STATE/);
    expect(widest(top.text())).toBeLessThanOrEqual(40);
    top.pty.write("q");
    expect(await top.code).toBe(0);
  });
});

describe("completion", () => {
  test("scripts for every shell; words, options and the ids of jobs", async () => {
    for (const shell of ["bash", "zsh", "fish", "powershell"])
      expect(await roost(["complete", shell])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("roost"),
      });
    expect((await roost(["complete", "--", ""])).stdout).toMatch(/^run\t.*\n[\s\S]*^migrate\t/m);
    expect((await roost(["complete", "--", "ps", "--"])).stdout).toMatch(/^--json\t/m);
    program("family.js", FAMILY);
    const { job } = await json(["run", "family.js", "--local=1", "--detach"]);
    for (const command of ["attach", "why", "kill"])
      expect((await roost(["complete", "--", command, ""])).stdout).toContain(
        `${job.slice(0, 8)}\tfamily.js`,
      );
  });
});

test("help fits a narrow terminal", async () => {
  for (const command of [[], ["run"], ["donate"], ["relay"]]) {
    const help = terminal(40, [...command, "--help"]);
    expect(await help.code).toBe(0);
    const lines = help
      .text()
      .split("\n")
      .filter((line) => !/^Usage:|^ {2}roost/.test(line));
    expect(widest(lines.join("\n"))).toBeLessThanOrEqual(40);
  }
});

test("every command has help with an example", async () => {
  const { stdout } = await roost(["--help"]);
  const named = [...stdout.matchAll(/^ {2}(\w+) .*/gm)].flatMap(([, name]) => name ?? []);
  expect(named).toEqual(
    expect.arrayContaining(["run", "donate", "relay", "top", "why", "bench", "complete"]),
  );
  const helped = named.filter((name) => !["roost", "help"].includes(name)); // the example; the same as --help
  for (const help of await Promise.all(helped.map((name) => roost([name, "--help"]))))
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/Example:\n {2}\S/) });
}, 60_000);
