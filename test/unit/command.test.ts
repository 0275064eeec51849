/** The real command, in a process of its own: what it prints, and the exit code. */
import { chmodSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { encodeFromRelay } from "../../fabric/wire/directory.ts";
import { ROOT, workplace } from "./command.kit.ts";

const { directory, program, remove, roost } = workplace("command");
afterAll(remove);

describe("queens", () => {
  const queens = join(ROOT, "examples/queens.js");

  test("is the same on one host, on three, and moved at every poll and every call", async () => {
    const one = await roost(["run", queens, "7", "--local=1"]);
    expect(one).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("7 queens: 40 solutions"),
    });
    expect(await roost(["run", queens, "7", "--local=3"])).toEqual(one);
    expect(await roost(["run", queens, "7", "--local=3", "--preempt-every", "1"])).toEqual(one);
  });
});

describe("run", () => {
  test("forks on two hosts; exit values come back; the job's status is the exit code", async () => {
    const file = program(
      "family.js",
      `import { fork, wait, getpid, getppid, hostname, exit } from "roost";
       const pid = fork({ on: "remote" });
       if (pid === 0) exit(7, { me: getpid(), parent: getppid(), where: hostname(), list: new Map([[1n, new Date(0)]]) });
       const end = wait();
       console.log(JSON.stringify([end.pid === pid, end.status, end.value.me, end.value.parent, end.value.where, hostname()]));
       console.log(end.value.list.get(1n).toISOString());
       process.exit(5);`,
    );
    expect(await roost(["run", file, "--local=2"])).toEqual({
      code: 5,
      stdout: '[true,7,2,1,"host 2","host 1"]\n1970-01-01T00:00:00.000Z\n',
      stderr: "",
    });
  });

  test("stdin is the job's, line by line; arguments are too", async () => {
    const file = program(
      "echo.js",
      `import { readline } from "roost";
       for (let line; (line = readline()) != null; ) console.log(process.argv[2] + line);`,
    );
    const outcome = await roost(["run", file, "> ", "--local=1"], { input: "one\ntwo\n" });
    expect(outcome).toMatchObject({ code: 0, stdout: "> one\n> two\n" });
  });

  test("time goes on while a process sleeps, and in the instant after", async () => {
    const file = program(
      "clock.js",
      `import { sleep } from "roost";
       const began = Date.now();
       const p = performance.now();
       sleep(60);
       console.log(Date.now() - began >= 60, performance.now() - p >= 60);`,
    );
    expect(await roost(["run", file, "--local=2"])).toMatchObject({ code: 0, stdout: "true true\n" });
    expect(await roost(["run", file, "--local=2", "--preempt-every", "1"])).toMatchObject({
      code: 0,
      stdout: "true true\n",
    });
  });

  test("the directory is all a job sees of the disk", async () => {
    const file = program(
      "files.js",
      `import { fs } from "roost";
       fs.writeFileSync("made.txt", "hello");
       console.log(fs.readFileSync("/made.txt", "utf8"));
       try { fs.readFileSync("../" + "x") } catch (error) { console.log(error.code) }`,
    );
    expect(await roost(["run", file, "--local=1"])).toMatchObject({ code: 0, stdout: "hello\nEACCES\n" });
  });

  test("TypeScript and imports are bundled; Node's modules are refused with a sentence", async () => {
    program("part.ts", "export const twice = (n: number): number => 2 * n;");
    const good = program("typed.ts", `import { twice } from "./part.ts"; console.log(twice(21) as number);`);
    expect(await roost(["run", good, "--local=1"])).toMatchObject({ code: 0, stdout: "42\n" });
    const bad = program("net.js", `import net from "node:net"; net.connect(1);`);
    const refused = await roost(["run", bad, "--local=1"]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/net\.js:1: node:net is not there for a job: there is no network/);
  });

  test("who writes `require` gets the guest's module too; a name that is not known yet is told of with the author's line", async () => {
    const old = program("old.cjs", `const { getpid } = require("roost"); console.log(getpid());`);
    expect(await roost(["run", old, "--local=1"])).toMatchObject({ code: 0, stdout: "1\n", stderr: "" });
    const late = program("late.js", `import "roost";\nconst name = "x" + process.pid;\nrequire(name);`);
    const { code, stderr } = await roost(["run", late, "--local=1"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/late\.js:3/);
    expect(stderr).not.toContain("NaN");
  });

  test("what a job has not is named with file and line, all of it at once", async () => {
    program("worker.js", '\nimport { Worker } from "worker_threads";\nexport default Worker;');
    const file = program(
      "asks.js",
      'import W from "./worker.js";\nimport nil from "nil";\nconst fs = require("fs");\nW(nil, fs);',
    );
    const { code, stdout, stderr } = await roost(["run", file, "--local"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/worker\.js:2: worker_threads is not there .*fork/);
    expect(stderr).toMatch(/asks\.js:2: nil cannot be found/);
    expect(stderr).toMatch(/asks\.js:3: fs is not there .*import \{ fs \} from "roost"/);
  });

  test("an error's stack names the author's files and lines, not the bundle's", async () => {
    program(
      "helper.ts",
      "// one\n// two\nexport function helper(n: number): void {\n  if (n) throw new RangeError('far');\n}",
    );
    const file = program(
      "main.ts",
      'import { helper } from "./helper.ts";\ninterface A { a: 1 }\nconst a: A = { a: 1 };\nhelper(a.a);',
    );
    const { code, stderr } = await roost(["run", file, "--local=1"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/RangeError: far\n +at helper \(helper\.ts:4:\d+\)\n +at .*\(?main\.ts:4:\d+/);
  });

  test("Ctrl-C ends the whole job", async () => {
    const file = program("forever.js", `import { fork } from "roost"; fork(); console.log("on"); for (;;);`);
    expect(await roost(["run", file, "--local=2"], { interruptAt: /on\n/ })).toMatchObject({ code: 130 });
  });
});

describe("bad input", () => {
  test("a program that does not parse: its file and line, status 1", async () => {
    const file = program("wrong.js", "const a = 1;\nconst b = ;\n");
    const outcome = await roost(["run", file, "--local=1"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/SyntaxError[\s\S]*wrong\.js:2/);
  });

  test("an uncaught error: the guest's own stack, status 1", async () => {
    const file = program(
      "throws.js",
      "function inner() { throw new TypeError('no') }\nfunction outer() { inner() }\nouter();",
    );
    const outcome = await roost(["run", file, "--local=1"]);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(
      /TypeError: no[\s\S]*inner[\s\S]*throws\.js:1[\s\S]*outer[\s\S]*throws\.js:2/,
    );
  });

  test("a fork bomb meets EAGAIN, and the hosts go on", async () => {
    const file = program(
      "bomb.js",
      `import { fork, wait, exit } from "roost";
       let children = 0;
       for (;;) {
         let pid;
         try { pid = fork() } catch (error) { console.log(error.code); break }
         if (pid === 0) { for (;;) try { if (fork() === 0) continue } catch { exit(0) } }
         children++;
       }
       for (; children > 0; children--) wait();
       console.log("survived");`,
    );
    const outcome = await roost(["run", file, "--local=2"]);
    expect(outcome).toMatchObject({ code: 0, stdout: "EAGAIN\nsurvived\n" });
  });

  test("memory without end is ENOMEM for that process alone", async () => {
    const file = program(
      "hungry.js",
      `import { fork, wait } from "roost";
       if (fork() === 0) for (const hoard = []; ; ) hoard.push(new Uint8Array(1e6).fill(1));
       console.log(wait().status);`,
    );
    const outcome = await roost(["run", file, "--local=2", "--memory", "32"]);
    expect(outcome).toMatchObject({ code: 0, stdout: "1\n" });
    expect(outcome.stderr).toMatch(/ENOMEM/);
  });

  test("a relay of another version: refused at once, both versions named", async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) => {
      const reason = "the relay speaks version 99, this host 1: reload the page";
      socket.send(encodeFromRelay({ type: "refused", code: "EVERSION", reason }));
      socket.close();
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    program("fine.js", "1");
    const outcome = await roost(["run", "fine.js", "--relay", `http://localhost:${port}`]);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/EVERSION: the relay at .* turns this participant away: .*version 99/);
    sockets.close();
    server.close();
  });

  test("a relay that turns everybody away for now is not taken for none", async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) => {
      const reason = "this relay is full; try another, or later";
      socket.send(encodeFromRelay({ type: "refused", code: "EAGAIN", reason }));
      socket.close();
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    program("fine.js", "1");
    const outcome = await roost(["run", "fine.js", "--relay", `http://localhost:${port}`]);
    expect(outcome).toMatchObject({ code: 1, stdout: "" });
    expect(outcome.stderr).toMatch(/EAGAIN: the relay at .* this relay is full; try another, or later/);
    sockets.close();
    server.close();
  });

  test("a state directory that cannot be used: the job runs all the same, but cannot be detached", async () => {
    program("fine.js", 'console.log("ran")');
    const env = { ROOST_STATE: join(directory, "fine.js") };
    expect(await roost(["run", "fine.js", "--local"], { env })).toEqual({
      code: 0,
      stdout: "ran\n",
      stderr: "",
    });
    const detached = await roost(["run", "fine.js", "--local", "--detach"], { env });
    expect(detached).toMatchObject({ code: 1, stdout: "" });
    expect(detached.stderr).toMatch(/EIO: other terminals cannot find this job .*set ROOST_STATE/);
    program("endless.js", "for (;;);");
    const home = await roost(["run", "--as-home", "--local=1", "endless.js"], { env }); // as --detach starts it
    expect(home).toEqual({ code: 1, stdout: "", stderr: "" });
  });

  test.skipIf(process.getuid?.() === 0)("a file that may not be read", async () => {
    const file = program("secret.js", "1");
    chmodSync(join(directory, file), 0);
    expect((await roost(["run", file, "--local"])).stderr).toMatch(
      /EACCES: secret\.js may not be read by you/,
    );
  });

  test("what the bundler says is plain text", async () => {
    program("lost.js", 'import x from "./missing.js"; x();');
    const { code, stderr } = await roost(["run", "lost.js", "--local"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Could not resolve '\.\/missing\.js' in lost\.js/);
    expect(stderr).not.toContain("\u001b");
  });

  test.each([
    [["run", "nowhere.js"], /cannot read nowhere\.js/],
    [["run", "."], /is a directory/],
    [["run", "family.js", "--local=0"], /a number of hosts, 1 to 64/],
    [
      ["run", "family.js", "--local", "--memory", "5000"],
      /5000 MiB of memory, where a process can have 1024/,
    ],
    [["run", "family.js", "--local", "--verbose"], /unknown option '--verbose'[\s\S]*comes after --/],
    [["run", "family.js", "--relay", "nonsense"], /the address of its page/],
    [["run", "family.js", "--preempt-every", "1"], /goes with --local/],
    [["donate", "--hours", "25-3"], /two times of day/],
    [["donate", "--relay", "http://localhost:9"], /no relay answers at http:\/\/localhost:9; start one with/],
    [["run", "family.js", "--local", "--dir", "nowhere"], /nowhere/],
    [["fly"], /unknown command/],
  ])("%j", async (args, sentence) => {
    program("family.js", "1");
    const outcome = await roost(args);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(sentence);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
  });
});
