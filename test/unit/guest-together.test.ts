/** Processes together: signals, messages, groups, supersteps and tuples, by the real engine and home. */
import { describe, expect, test } from "vitest";
import { type Options, runJob } from "./guest-process.ts";

/** The same undisturbed, and when everything moves between three hosts at every call. */
async function output(source: string, options: Options = {}): Promise<string[]> {
  const still = await runJob(source, options);
  expect(still.stderr).toBe("");
  const moved = await runJob(source, { ...options, hosts: 3, preemptEvery: 1 });
  expect(moved).toMatchObject({ stdout: still.stdout, stderr: "", status: still.status });
  return still.stdout.trimEnd().split("\n");
}

describe("signals", () => {
  test("a handler runs while a call blocks, which then goes on", async () => {
    const lines = await output(`
      import { fork, getppid, kill, on, sleep, wait } from "roost";
      on("SIGUSR1", (signal) => console.log("got", signal, Date.now() - began));
      const began = Date.now();
      if (fork() === 0) { for (let n = 0; n < 2; n++) { sleep(10); kill(getppid(), "SIGUSR1"); } sleep(30); process.exit(7); }
      sleep(15);
      console.log("slept", Date.now() - began);
      console.log(wait().status, Date.now() - began);
    `);
    expect(lines).toEqual(["got SIGUSR1 10", "slept 15", "got SIGUSR1 20", "7 50"]);
  });

  test("one that only writes and computes gets it too, and signals of a kind count once", async () => {
    const source = `
      import { exit, fork, getppid, kill, on, wait } from "roost";
      let ready = false;
      on("SIGCONT", () => { ready = true; });
      const child = fork();
      if (child === 0) {
        let seen = 0;
        on("SIGUSR1", () => { seen++; });
        for (const _ of [1, 2, 3]) kill(process.pid, "SIGUSR1");
        on("SIGTERM", () => exit(seen));
        kill(getppid(), "SIGCONT");
        for (;;) process.stdout.write(".");
      }
      while (!ready) process.stdout.write(".");
      kill(child);
      console.log(wait().status);
    `;
    for (const how of [{}, { hosts: 3, preemptEvery: 1 }]) {
      const { stdout, stderr } = await runJob(source, how);
      expect({ stdout: stdout.replaceAll(".", ""), stderr }).toEqual({
        stdout: expect.stringMatching(/^[123]\n$/),
        stderr: "",
      });
    }
  });

  test("one that makes only calls that its host answers gets it too", async () => {
    const lines = await output(`
      import { exit, fork, fs, getppid, hostname, kill, on, recv, send, wait } from "roost";
      fs.writeFileSync("words", "same");
      const calls = [hostname, () => crypto.getRandomValues(new Uint8Array(8)), () => fs.readFileSync("words")];
      for (const call of calls) {
        const child = fork();
        if (child === 0) {
          on("SIGTERM", () => exit(3));
          send(getppid(), "ready");
          for (;;) call();
        }
        recv({ tag: "ready" });
        kill(child);
        console.log(wait().status);
      }
    `);
    expect(lines).toEqual(["3", "3", "3"]);
  });

  test("what they do by themselves, and what cannot be handled", async () => {
    const lines = await output(`
      import { fork, kill, on, sleep, wait } from "roost";
      for (const signal of ["SIGTERM", "SIGINT", "SIGKILL", "SIGUSR1", "SIGUSR2"]) {
        const child = fork();
        if (child === 0) sleep(1e6);
        kill(child, signal);
        console.log(wait().signal);
      }
      for (const name of ["SIGKILL", "SIGSTOP"]) try { on(name, () => {}); } catch (error) { console.log(error.code); }
      const first = () => {};
      console.log(on("SIGINT", first), on("SIGINT", null) === first, on("SIGINT", null));
    `);
    expect(lines).toEqual([
      ..."SIGTERM SIGINT SIGKILL SIGUSR1 SIGUSR2".split(" "),
      "EINVAL",
      "EINVAL",
      "null true null",
    ]);
  });

  test("a stopped process learns of signals when it goes on", async () => {
    const lines = await output(`
      import { fork, kill, on, sleep, wait } from "roost";
      const began = Date.now();
      const make = (run) => { const pid = fork(); if (pid === 0) { run(); process.exit(3); } return pid; };
      const handles = make(() => { on("SIGUSR1", () => console.log("handled", Date.now() - began)); sleep(20); sleep(1); });
      const dies = make(() => sleep(1e6));
      sleep(10);
      for (const pid of [handles, dies]) kill(pid, "SIGSTOP");
      kill(handles, "SIGUSR1");
      kill(dies, "SIGTERM");
      console.log(wait({ timeout: 90 }));
      kill(dies, "SIGCONT");
      console.log(wait().signal, Date.now() - began);
      kill(handles, "SIGCONT");
      console.log(wait().status, Date.now() - began);
    `);
    expect(lines).toEqual(["null", "SIGTERM 100", "handled 100", "3 101"]);
  });

  test("SIGCHLD tells the parent; a child has its parent's handlers; kill(-1) is for all others", async () => {
    const lines = await output(`
      import { exit, fork, getpid, kill, on, sleep, wait } from "roost";
      on("SIGUSR2", () => exit(10 + getpid()));
      on("SIGCHLD", () => console.log("a child ended"));
      for (let n = 0; n < 2; n++) if (fork() === 0) sleep(1e6);
      sleep(5);
      kill(-1, "SIGUSR2");
      console.log([wait().status, wait().status].sort().join());
    `);
    expect(lines.at(-1)).toBe("12,13");
    expect(lines.filter((line) => line === "a child ended").length).toBeGreaterThan(0);
  });

  test("a full mailbox does not keep a signal from who waits for room in it", async () => {
    const { stdout, stderr } = await runJob(`
      import { exit, fork, getppid, kill, on, recv, send, sleep, wait } from "roost";
      const COUNT = 40;
      let go = false;
      on("SIGUSR2", () => { go = true; });
      const receiver = fork();
      if (receiver === 0) {
        while (!go) sleep(10);
        for (let n = 0; n < COUNT; n++) if (recv().value[0] !== n) console.log("out of order");
        exit(7);
      }
      if (fork() === 0) { sleep(100); kill(getppid(), "SIGUSR1"); exit(); }
      on("SIGUSR1", () => { console.log("handled"); kill(receiver, "SIGUSR2"); });
      for (let n = 0; n < COUNT; n++) send(receiver, "n", new Uint8Array(2 ** 20).fill(n));
      console.log([wait().status, wait().status].sort().join());
    `);
    expect({ stdout, stderr }).toEqual({ stdout: "handled\n0,7\n", stderr: "" });
  });

  test("an error in a handler is thrown by the call it interrupted", async () => {
    const lines = await output(`
      import { fork, getppid, kill, on, sleep } from "roost";
      on("SIGINT", () => { throw new Error("enough"); });
      if (fork() === 0) { sleep(5); kill(getppid(), "SIGINT"); process.exit(); }
      try { sleep(1e6); } catch (error) { console.log(error.message, error.stack.includes("job.js:5")); }
    `);
    expect(lines).toEqual(["enough true"]);
  });

  test("a line of input is not lost to a signal", async () => {
    const { stdout } = await runJob(
      `
      import { fork, getppid, kill, on, readline } from "roost";
      let n = 0;
      on("SIGUSR1", () => { n++; });
      if (fork() === 0) { for (let i = 0; i < 50; i++) kill(getppid(), "SIGUSR1"); process.exit(); }
      for (let line; (line = readline()) !== null; ) console.log(line);
      console.log(n > 0);
    `,
      { lines: ["one", "two", "three"] },
    );
    expect(stdout).toBe("one\ntwo\nthree\ntrue\n");
  });

  test("a line of input is not lost with a process that waited for it: who asks next, or has asked, gets it", async () => {
    const typed = { lines: ["one", "two", "three"], typingMs: 100 };
    const read = async (how: string, options = {}) =>
      (
        await runJob(`import { fork, kill, on, readline, sleep } from "roost";${how}`, {
          ...typed,
          ...options,
        })
      ).stdout;
    const all = "one\ntwo\nthree\n";
    const rest = `for (let line; (line = readline()) !== null; ) console.log(line);`;
    const child = `const child = fork(); if (child === 0) readline();`;
    expect(await read(`${child} sleep(50); kill(child, "SIGKILL"); ${rest}`)).toBe(all);
    expect(await read(`${child} sleep(50); kill(child, "SIGKILL"); sleep(100); ${rest}`)).toBe(all);
    const reader = `const reader = fork(); if (reader === 0) { sleep(20); ${rest} process.exit(); }`;
    expect(await read(`${child} ${reader} sleep(50); kill(child, "SIGKILL"); sleep(1000);`)).toBe(all);
    const handler = `on("SIGUSR1", () => sleep(1000)); ${child} sleep(50); kill(child, "SIGUSR1");`;
    expect(await read(`${handler} sleep(100); kill(child, "SIGKILL"); ${rest}`)).toBe(all);
    const longer = `for (let n = 0; n < 20; n++) sleep(10);`;
    expect(
      await read(`${child} sleep(50); kill(child, "SIGKILL"); ${longer} ${rest}`, { homeEndsAt: [14] }),
    ).toBe(all);
  });
});

describe("messages", () => {
  test("arrive in order, are chosen by sender and tag, and block or not", async () => {
    const lines = await output(`
      import { fork, getpid, getppid, probe, recv, send, sleep } from "roost";
      const child = fork();
      if (child === 0) {
        const parent = getppid();
        for (let n = 0; n < 5; n++) send(parent, n % 2 ? "odd" : 0, { n, map: new Map([[n, [n]]]) });
        sleep(10);
        send(parent, "late");
        process.exit();
      }
      console.log(recv({ tag: "odd" }).value.map.get(1), recv({ tag: 0 }).value.n, recv().value.n);
      console.log(probe({ tag: "0" }), probe({ from: child, tag: 0 }).tag, probe({ from: 1 }));
      console.log(recv({ from: child }).value.n, recv().value.n, recv({ timeout: 1 }));
      const { from, tag, value } = recv({ tag: "late" });
      console.log(from === child, tag, value);
      send(getpid(), 1, "to myself");
      console.log(recv().value);
    `);
    expect(lines).toEqual(["[ 1 ] 0 2", "null 0 null", "3 4 null", "true late undefined", "to myself"]);
  });

  test("to several at once; to nobody is an error", async () => {
    const lines = await output(`
      import { fork, recv, send, wait } from "roost";
      const pids = [1, 2, 3].map((n) => { const pid = fork(); if (pid === 0) process.exit(n * recv().value); return pid; });
      send(pids, "factor", 10);
      console.log(pids.map(() => wait().status).sort().join());
      for (const to of [99, pids]) try { send(to, "x"); console.log("lost"); } catch (error) { console.log(error.code); }
      for (const bad of [() => send(1, {}), () => send(0, "t"), () => send(1, "t", () => {}), () => recv({ from: "x" })])
        try { bad(); } catch (error) { console.log(error.code); }
    `);
    expect(lines).toEqual(["10,20,30", "ESRCH", "lost", "EINVAL", "EINVAL", "EINVAL", "EINVAL"]);
  });

  test("what a process sent before its end arrives, and then the notice of its end", async () => {
    const lines = await output(`
      import { exit, fork, getppid, kill, notify, recv, send, sleep, wait } from "roost";
      const talks = fork();
      if (talks === 0) { sleep(5); for (let n = 0; n < 3; n++) send(getppid(), "n", n); exit(4, "for wait only"); }
      notify(talks);
      const dies = fork();
      if (dies === 0) sleep(1e6);
      notify(dies, 7);
      for (let n = 0; n < 4; n++) { const { from, tag, value } = recv(); console.log(from === talks, tag, value); }
      kill(dies, "SIGKILL");
      console.log(recv({ tag: 7 }).value);
      console.log(wait().value, wait().signal);
      notify(talks, "again");
      console.log(recv().tag);
      try { notify(99); } catch (error) { console.log(error.code); }
    `);
    expect(lines).toEqual([
      "true n 0",
      "true n 1",
      "true n 2",
      "true exit { pid: 2, status: 4, signal: null }",
      "{ pid: 3, status: 1, signal: 'SIGKILL' }",
      "for wait only SIGKILL",
      "again",
      "ESRCH",
    ]);
  });

  test("a full mailbox makes its senders wait, and loses nothing", async () => {
    const { stdout, stderr } = await runJob(`
      import { fork, getppid, recv, send, sleep, wait } from "roost";
      const MIB = 2 ** 20, COUNT = 80;
      for (let who = 0; who < 2; who++)
        if (fork() === 0) { for (let n = 0; n < COUNT; n++) send(getppid(), who, new Uint8Array(MIB).fill(n)); process.exit(); }
      sleep(1000);
      console.log(wait({ timeout: 0 }));
      const next = [0, 0];
      for (let n = 0; n < 2 * COUNT; n++) { const { tag, value } = recv(); if (value[MIB - 1] !== next[tag]++) console.log("out of order"); }
      console.log(next.join(), wait().status, wait().status);
    `);
    expect({ stdout, stderr }).toEqual({ stdout: "null\n80,80 0 0\n", stderr: "" });
  });
});

describe("groups", () => {
  const members = (count: number, body: string) => `
    import { exit, fork, getpid, group, kill, sleep, wait } from "roost";
    const g = group("team");
    for (let n = 1; n < ${count}; n++) if (fork() === 0) { part(); exit(); }
    part();
    for (let n = 1; n < ${count}; n++) wait();
    function part() { const rank = g.join(); g.barrier(${count}); ${body} }
  `;

  test("all calls, for every root", async () => {
    const lines = await output(
      members(
        4,
        `
        const said = [];
        for (let root = 0; root < 4; root++) {
          said.push(g.bcast(rank === root ? "from " + rank : undefined, root));
          said.push(g.scatter(rank === root ? [0, 1, 2, 3].map((to) => root * 10 + to) : null, root) === root * 10 + rank);
          said.push(g.gather(rank * rank, root)?.join(" ") ?? (rank === root));
          said.push(g.reduce([rank], (a, b) => [...a, ...b], root)?.join("") ?? (rank === root));
        }
        said.push(g.allreduce(rank + 1, (a, b) => a * b), g.size(), g.rank() === rank, g.members().length);
        g.barrier();
        const all = g.gather(said);
        if (all) for (const part of all) console.log(part.join());
      `,
      ),
    );
    const expected = (rank: number) =>
      [0, 1, 2, 3].flatMap((root) => [
        `from ${root}`,
        true,
        rank === root ? "0 1 4 9" : false,
        rank === root ? "0123" : false,
      ]);
    expect(lines).toEqual([0, 1, 2, 3].map((rank) => [...expected(rank), 24, 4, true, 4].join()));
  });

  test("a rank that is given up is given again; who ends has left; mistakes are named", async () => {
    const lines = await output(`
      import { exit, fork, group, sleep, wait } from "roost";
      const g = group("g");
      for (const bad of [() => g.barrier(), () => g.rank(), () => group(""), () => g.gather(1)]) try { bad(); } catch (error) { console.log(error.code); }
      console.log(g.join(), g.join());
      const ranks = () => { if (fork() === 0) exit(g.join()); return wait().status; };
      console.log(ranks(), ranks());
      if (fork() === 0) { g.join(); sleep(10); exit(); }
      sleep(1);
      const before = Date.now();
      g.barrier(); // the other never comes, and ends
      console.log(Date.now() - before, g.size(), g.scatter(["mine", "nobody's"]));
      try { g.bcast(1, 3); } catch (error) { console.log(error.message); }
      if (fork() === 0) { g.join(); sleep(5); try { g.bcast(2, 0); } catch (error) { console.log(error.code, error.message); } exit(); }
      sleep(1);
      g.barrier(2 - 1);
      g.leave();
      console.log(g.size());
    `);
    expect(lines).toEqual([
      ...["EINVAL", "EINVAL", "EINVAL", "EINVAL"],
      "0 0",
      "1 1",
      "9 1 mine",
      "EINVAL: the group g has no member of rank 3",
      "1",
    ]);
  });

  test("members that do different things are told", async () => {
    const lines = await output(`
      import { exit, fork, group, kill, sleep, wait } from "roost";
      const g = group("g");
      g.join();
      const child = fork();
      if (child === 0) { g.join(); g.barrier(2); sleep(5); try { g.bcast(1); } catch (error) { console.log(error.message); } exit(); }
      g.barrier(2);
      g.gather(1);
    `);
    expect(lines).toEqual([
      "EINVAL: the group g is in gather 0 (process 1), where this process calls bcast 0; all members must make the same calls",
    ]);
  });
});

describe("supersteps", () => {
  test("what is put or got is there in the next one, gets before puts", async () => {
    const lines = await output(`
      import { bsp } from "roost";
      const results = bsp.run(3, (rank, size) => {
        const right = (rank + 1) % size;
        bsp.put(right, "x", rank);
        const early = bsp.get("x");
        bsp.sync();
        const x = bsp.get("x");
        const got = bsp.get(right, "x");
        bsp.put(right, "x", 10 + rank);
        let unread; try { got.value; } catch (error) { unread = error.code; }
        bsp.sync();
        return [early, x, got.value, bsp.get("x"), unread, bsp.rank() === rank, bsp.size()];
      });
      for (const result of results) console.log(result.join());
      try { bsp.sync(); } catch (error) { console.log(error.code); }
      try { bsp.run(2, () => bsp.put(2, "x", 1)); } catch (error) { console.log(error.code); }
      console.log(bsp.run(2, (rank) => rank).join());
    `);
    expect(lines).toEqual([
      ",2,0,12,EINVAL,true,3",
      ",0,1,10,EINVAL,true,3",
      ",1,2,11,EINVAL,true,3",
      "EINVAL",
      "EINVAL",
      "0,1",
    ]);
  });
});

describe("the tuple space", () => {
  test("tuples are found by value, class or anything, and taken once", async () => {
    const lines = await output(`
      import { space } from "roost";
      const { out, rd, rdp, inp, any } = space;
      out("point", 1, 2); out("point", "a", new Date(0)); out("list", [1, 2], new Map([[1, { a: 1n }]]));
      console.log(rd("point", Number, any), rd("point", String, Date)[2].getTime());
      console.log(rdp("point", Number), rdp("point", 1, 3), rdp("list", [1, 2], Map) !== null, rdp("list", [2, 1], Map));
      console.log(space.in(any, Number, 2), inp(any, Number, 2), inp("list", Array, any)[2].get(1).a);
      for (const bad of [() => out(), () => space.in(), () => out(() => 1)]) try { bad(); } catch (error) { console.log(error.code); }
    `);
    expect(lines).toEqual([
      "[ 'point', 1, 2 ] 0",
      "null null true null",
      "[ 'point', 1, 2 ] null 1n",
      ...["EINVAL", "EINVAL", "EINVAL"],
    ]);
  });

  test("who waits gets it, the longest first; eval computes elsewhere", async () => {
    const lines = await output(`
      import { exit, fork, on, kill, sleep, space, wait } from "roost";
      on("SIGUSR1", () => {});
      const waiting = [1, 2, 3].map((n) => {
        const pid = fork();
        if (pid === 0) { sleep(n); const [, x] = n === 2 ? space.rd("job", Number) : space.in("job", Number); exit(10 * n + x); }
        return pid;
      });
      sleep(5);
      space.out("job", 1);
      console.log([wait().status, wait().status].sort().join());
      space.out("job", 2);
      console.log(wait().status, space.rdp("job", Number));
      for (let n = 0; n < 4; n++) space.eval("square", n, () => n * n);
      console.log([0, 1, 2, 3].map((n) => space.in("square", n, Number)[2]).join());
      while (true) try { wait(); } catch (error) { console.log(error.code); break; }
    `);
    expect(lines).toEqual(["11,21", "32 null", "0,1,4,9", "ECHILD"]);
  });
});

describe("files that do not change", () => {
  const reads = (calls: readonly { name: string }[]) =>
    calls.filter(({ name }) => ["readFile", "stat", "readDirectory"].includes(name)).length;

  test("are read from the home once, by all processes of a host together", async () => {
    const { stdout, calls } = await runJob(
      `
      import { fork, fs, wait } from "roost";
      let n = 0;
      const look = () => { for (let i = 0; i < 20; i++) n += fs.readFileSync("a.txt", "utf8").length + fs.statSync("a.txt").size + fs.readdirSync(".").length; };
      look();
      if (fork() === 0) { look(); console.log(n); process.exit(); }
      wait();
      console.log(n);
    `,
      { files: { "a.txt": "four" } },
    );
    expect(stdout).toBe("360\n180\n");
    expect(reads(calls)).toBe(3);
  });

  test("are seen as they are now, by whoever has heard of a change", async () => {
    const lines = await output(
      `
      import { fork, fs, getppid, recv, send, sleep, wait } from "roost";
      const see = () => { const names = fs.readdirSync("d").join(); let text = ""; try { text = fs.readFileSync("d/x", "utf8") + fs.statSync("d/x").size; } catch (error) { text = error.code; } return names + " " + text; };
      fs.mkdirSync("d");
      const child = fork();
      if (child === 0) for (;;) { const { value } = recv(); if (value === "end") process.exit(); send(getppid(), "seen", see()); }
      const said = [];
      const step = (change) => { see(); send(child, "look"); recv(); change(); send(child, "look"); const theirs = recv().value; console.log(theirs, theirs === see()); };
      step(() => fs.writeFileSync("d/x", "1"));
      step(() => fs.appendFileSync("d/x", "2"));
      const fd = fs.openSync("d/x", "r+");
      step(() => fs.writeSync(fd, "9"));
      step(() => fs.renameSync("d/x", "d/y"));
      step(() => fs.renameSync("d", "e") || fs.mkdirSync("d"));
      step(() => { fs.renameSync("e/y", "d/x"); });
      step(() => fs.writeSync(fd, "0"));
      step(() => fs.unlinkSync("d/x"));
      step(() => fs.closeSync(fs.openSync("d/x", "w")));
      send(child, "", "end");
      wait();
    `,
      { hosts: 2 },
    );
    expect(lines).toEqual([
      "x 11 true",
      "x 122 true",
      "x 922 true",
      "y ENOENT true",
      " ENOENT true",
      "x 922 true",
      "x 902 true",
      " ENOENT true",
      "x 0 true",
    ]);
  });

  test("what a stranger to the job changes is seen after two seconds", async () => {
    const { stdout, calls } = await runJob(
      `
      import { fs, sleep } from "roost";
      for (let n = 0; n < 10; n++) { fs.statSync("a.txt"); sleep(500); }
    `,
      { files: { "a.txt": "four" } },
    );
    expect(stdout).toBe("");
    expect(reads(calls)).toBe(3);
  });
});
