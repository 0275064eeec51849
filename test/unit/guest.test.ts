/** The guest library as programs see it: in the real engine, against the real file service. */
import { describe, expect, test } from "vitest";
import { runJob, STARTED_MS } from "./guest-process.ts";

const lines = (text: string) => text.trimEnd().split("\n");

describe("the life of a program", () => {
  test("ends with status 0 when nothing is left to do", async () => {
    expect(await runJob(`console.log("hello")`)).toMatchObject({ stdout: "hello\n", stderr: "", status: 0 });
    expect(await runJob(`process.exitCode = 4`)).toMatchObject({ status: 4 });
  });

  test("exit ends it there, with a status and a value", async () => {
    const job = await runJob(`
      import { exit } from "roost";
      try { exit(300, { list: [1n, new Map([[1, new Date(0)]])] }); } finally { console.log("never"); }
    `);
    expect(job).toMatchObject({ stdout: "", status: 300 & 255 });
    expect(job.value).toEqual({ list: [1n, new Map([[1, new Date(0)]])] });
    expect(await runJob(`process.exit(3)`)).toMatchObject({ status: 3, value: undefined });
  });

  test("of a deep stack, the ends are shown", async () => {
    const { status, stderr } = await runJob(
      `function down(n) {\n  if (n === 0) throw new RangeError("deep");\n  down(n - 1);\n}\ndown(5000);`,
    );
    expect(status).toBe(1);
    const shown = lines(stderr);
    expect(shown.slice(0, 2)).toEqual(["Uncaught RangeError: deep", "    at down (job.js:2:36)"]);
    expect(shown.at(31)).toMatch(/^ {4}… \d+ more$/);
    expect(shown.at(-1)).toBe("    at <anonymous> (job.js:5:5)");
    expect(shown.length).toBe(42);
  });

  test("an uncaught error is shown with its stack, wherever it is thrown", async () => {
    const thrown = await runJob(`function inner() {\n  null.x;\n}\ninner();`);
    expect(thrown.status).toBe(1);
    expect(lines(thrown.stderr)).toEqual([
      "Uncaught TypeError: cannot read property 'x' of null",
      "    at inner (job.js:2:7)",
      "    at <anonymous> (job.js:4:6)",
    ]);
    for (const source of [
      `await null; throw new RangeError("late")`,
      `setTimeout(() => { throw new RangeError("late") }, 5)`,
      `queueMicrotask(() => { throw new RangeError("late") }); await 0; await 0;`,
    ]) {
      const late = await runJob(source);
      expect(late.status).toBe(1);
      expect(late.stderr).toMatch(/^Uncaught RangeError: late\n {4}at /);
      expect(late.stderr).not.toContain("roost:");
    }
    expect((await runJob(`throw { code: 7 }`)).stderr).toBe("Uncaught { code: 7 }\n");
  });

  test("a promise that is rejected and that nobody handles is an uncaught error", async () => {
    for (const [source, stack] of [
      [
        `async function main() {\n  await null;\n  throw new RangeError("late");\n}\nmain();`,
        "at main (job.js:3:",
      ],
      [`function no() { throw new RangeError("late"); }\nPromise.resolve().then(no);`, "at no (job.js:1:"],
      [`setTimeout(() => Promise.reject(new RangeError("late")), 5);`, "at <anonymous> (job.js:1:"],
      [
        `new Promise((_, reject) => reject(new RangeError("late"))).finally(() => {});`,
        "at <anonymous> (job.js:1:",
      ],
      [
        `const many = Array.from({ length: 3_000 }, (_, i) => Promise.reject(new RangeError("late")));
        for (const one of many.slice(1)) one.catch(() => {});`,
        "at <anonymous> (job.js:1:",
      ],
    ] as const) {
      const { stdout, stderr, status } = await runJob(
        `${source}\nsetTimeout(() => console.log("no further"), 50);`,
      );
      expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
      expect(stderr).toMatch(/^Uncaught \(in a promise\) RangeError: late\n {4}at /);
      expect(stderr).toContain(stack);
    }
    expect((await runJob(`Promise.reject()`)).stderr).toBe("Uncaught (in a promise) undefined\n");
  });

  test("a promise that is rejected and handled before nothing else is left to do is none", async () => {
    const job = await runJob(`
      import { fork, wait } from "roost";
      const fail = async () => { throw new Error("handled"); };
      const first = fail();
      await null;
      first.catch(() => {});
      for (let n = 0; n < 3_000; n++) try { await fail(); } catch {}
      const many = Array.from({ length: 3_000 }, fail);
      console.log((await Promise.allSettled(many)).length, await Promise.any([fail(), 7]));
      const waiting = fail();
      if (fork() > 0) wait(); // a call is not the end of what is left to do
      waiting.catch(() => console.log("handled"));
    `);
    expect(job).toMatchObject({ stdout: "3000 7\nhandled\nhandled\n", stderr: "", status: 0 });
  });

  test("a program that does not parse is shown its file and line", async () => {
    const { stderr, status, stdout } = await runJob(`console.log("no");\nlet x = +*;`);
    expect({ stdout, status }).toEqual({ stdout: "", status: 1 });
    expect(stderr).toMatch(/^Uncaught SyntaxError: .*\n {4}at job\.js:2:/);
  });

  test("running out of memory is said in words, even when nothing of it comes back", async () => {
    for (const source of [
      `let a = []; for (;;) a.push({})`,
      `const a = []; for (;;) a.push(new Uint8Array(1e6))`,
    ]) {
      const { stderr, status } = await runJob(source);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^ENOMEM: .* 128 MiB/);
    }
  });

  test("a promise that nothing can settle ends it with 13", async () => {
    const { stderr, status } = await runJob(`await new Promise(() => {})`);
    expect(status).toBe(13);
    expect(stderr).toContain("top-level await never settled");
  });

  test("errors of calls carry a code, a sentence, and only the program's frames", async () => {
    const { stdout } = await runJob(`
      import { fs, wait, kill, RoostError } from "roost";
      function report(run) {
        try { run(); } catch (e) { console.log(e instanceof RoostError, e.code, e.stack.includes("roost:"), e.stack.includes("report")); }
      }
      report(() => fs.readFileSync("none"));
      report(() => wait());
      report(() => kill(99));
      report(() => kill(1, "SIGNOT"));
      report(() => fs.readFileSync("../above"));
      report(() => fs.writeFileSync("big", new Uint8Array(1), { flag: "r" }));
      report(() => fs.readFileSync("a\\0b"));
    `);
    const codes = ["ENOENT", "ECHILD", "ESRCH", "EINVAL", "EACCES", "EINVAL", "EINVAL"];
    expect(lines(stdout)).toEqual(codes.map((code) => `true ${code} false true`));
  });
});

describe("timers and promises", () => {
  test("run in due order, microtasks before timers", async () => {
    const { stdout, tookMs } = await runJob(`
      const say = (text) => console.log(text, Date.now() - ${STARTED_MS});
      setTimeout(say, 20, "twenty");
      setTimeout(say, 10, "ten");
      setTimeout(say, 10, "ten again");
      setTimeout(say, 0, "zero is one");
      const gone = setTimeout(say, 5, "cleared");
      clearTimeout(gone);
      setImmediate(say, "immediate");
      queueMicrotask(() => say("microtask"));
      Promise.resolve().then(() => say("promise"));
      let n = 0;
      const every = setInterval(() => { say("interval"); if (++n === 3) clearInterval(every); }, 4);
      say("module");
      await new Promise((done) => setTimeout(done, 15));
      say("awaited");
    `);
    expect(lines(stdout)).toEqual([
      "module 0",
      "microtask 0",
      "promise 0",
      "immediate 0",
      "zero is one 1",
      "interval 4",
      "interval 8",
      "ten 10",
      "ten again 10",
      "interval 12",
      "awaited 15",
      "twenty 20",
    ]);
    expect(tookMs).toBe(20);
  });

  test("sleep blocks everything, and late timers keep their order", async () => {
    const { stdout } = await runJob(`
      import { sleep } from "roost";
      setTimeout(() => console.log("b"), 20);
      setTimeout(() => console.log("a"), 10);
      const before = performance.now();
      sleep(100);
      console.log(performance.now() - before);
    `);
    expect(lines(stdout)).toEqual(["100", "a", "b"]);
  });

  test("AbortController: reason, event, timeout, any", async () => {
    const { stdout } = await runJob(`
      const one = new AbortController();
      one.signal.addEventListener("abort", (event) => console.log(event.type, one.signal.reason.name));
      one.abort();
      one.abort("again");
      console.log(one.signal.aborted, AbortSignal.abort(5).reason);
      const late = AbortSignal.timeout(30);
      const any = AbortSignal.any([new AbortController().signal, late]);
      any.onabort = () => console.log(any.reason.name, Date.now() - ${STARTED_MS});
    `);
    expect(lines(stdout)).toEqual(["abort AbortError", "true 5", "TimeoutError 30"]);
  });
});

describe("files", () => {
  test("whole files, as text and as bytes", async () => {
    const { stdout, disk } = await runJob(
      `
      import { fs } from "roost";
      console.log(fs.readFileSync("in/a.txt", "utf8"), fs.readFileSync("in/a.txt"), fs.readFileSync("in/a.txt", { encoding: "utf8" }).length);
      fs.writeFileSync("b", "one\\n");
      fs.appendFileSync("b", new Uint8Array([50, 10]));
      fs.mkdirSync("x/y/z", { recursive: true });
      fs.writeFileSync("x/y/z/c", new DataView(new ArrayBuffer(2)));
      fs.renameSync("x/y/z/c", "x/d");
      fs.writeFileSync("gone", "");
      fs.unlinkSync("gone");
      console.log(fs.existsSync("b"), fs.existsSync("gone"), fs.existsSync("../b"));
      console.log(fs.readdirSync("/"), fs.readdirSync("x", { withFileTypes: true }).map((e) => [e.name, e.isDirectory(), e.isFile()]));
      const stat = fs.statSync("x/d");
      console.log(stat.size, stat.isFile(), stat.isDirectory(), stat.mtimeMs, fs.statSync("none", { throwIfNoEntry: false }));
      try { fs.writeFileSync("b", "", { flag: "wx" }); } catch (error) { console.log(error.code); }
      fs.writeFileSync("large", new Uint8Array(9e6).fill(7));
      console.log(fs.readFileSync("large").length);
    `,
      { files: { "in/a.txt": "grüße" } },
    );
    expect(lines(stdout)).toEqual([
      "grüße Uint8Array(7) [",
      "  103, 114, 195,",
      "  188, 195, 159,",
      "  101",
      "] 5",
      "true false false",
      "[ 'b', 'in', 'x' ] [ [ 'd', false, true ], [ 'y', true, false ] ]",
      `2 true false ${STARTED_MS} undefined`,
      "EEXIST",
      "9000000",
    ]);
    const files = new Map(disk.files());
    expect(Buffer.from(files.get("b") ?? []).toString()).toBe("one\n2\n");
    expect(files.get("large")?.every((byte) => byte === 7)).toBe(true);
  });

  test("descriptors: offsets, positions, both forms of arguments, sharing with a child", async () => {
    const { stdout } = await runJob(
      `
      import { fs, fork, wait, exit } from "roost";
      const fd = fs.openSync("f", "r+");
      const buffer = new Uint8Array(4);
      const read = (...args) => [fs.readSync(fd, buffer, ...args), String.fromCharCode(...buffer)];
      console.log(...read(), ...read(0, 2, 0), ...read({ position: 8, length: 1, offset: 3 }), ...read());
      if (fork() === 0) { fs.readSync(fd, buffer, 0, 1); exit(); }
      wait();
      console.log(...read());
      console.log(fs.writeSync(fd, "XY", 0), fs.writeSync(fd, new Uint8Array([48, 49, 50]), 1, 2, 2));
      fs.closeSync(fd);
      console.log(fs.readFileSync("f", "utf8"));
      try { fs.closeSync(fd); } catch (error) { console.log(error.code); }
      try { fs.readSync(fd, buffer, 2, 3); } catch (error) { console.log(error.code); }
      fs.writeSync(1, "to the terminal\\n");
    `,
      { files: { f: "abcdefghijklmnop" } },
    );
    expect(lines(stdout)).toEqual([
      "4 abcd 2 abcd 1 abci 4 efgh",
      "4 jklm",
      "2 2",
      "XY12efghijklmnop",
      "EBADF",
      "EINVAL",
      "to the terminal",
    ]);
  });
});

describe("the terminal and the process", () => {
  test("output goes to the right place, lines come in until the end", async () => {
    const { stdout, stderr } = await runJob(
      `
      import { readline } from "roost";
      console.info("out"); console.warn("err"); console.error("%s!", "formatted");
      console.group("group"); console.log("a\\nb"); console.groupEnd();
      console.count(); console.count(); console.assert(1 === 2, "not %d", 1);
      process.stdout.write("no end"); process.stdout.write(new Uint8Array([33, 10]));
      for (let line; (line = readline()) !== null; ) console.log([line]);
    `,
      { lines: ["first", ""] },
    );
    expect(lines(stdout)).toEqual([
      "out",
      "group",
      "  a",
      "  b",
      "default: 1",
      "default: 2",
      "no end!",
      "[ 'first' ]",
      "[ '' ]",
    ]);
    expect(lines(stderr)).toEqual(["err", "formatted!", "Assertion failed: not 1"]);
  });

  test("long output is printed in pieces, whole", async () => {
    const { stdout, calls } = await runJob(`console.log("ü".repeat(100_000))`);
    expect(stdout).toBe(`${"ü".repeat(100_000)}\n`);
    expect(calls.filter((call) => call.name === "print").length).toBe(4);
  });

  test("process and performance", async () => {
    const { stdout } = await runJob(
      `
      import { hostname, hosts, getpid, getppid, sleep, migrate } from "roost";
      console.log(process.argv.slice(2), process.env, process.pid, process.platform, process.cwd());
      console.log(getpid(), getppid(), hostname(), hosts());
      const began = process.hrtime(); const big = process.hrtime.bigint();
      performance.now(); sleep(1500); migrate("host2");
      console.log(process.hrtime(began), process.hrtime.bigint() - big, performance.now(), performance.timeOrigin);
    `,
      { argv: ["a", "-b"], env: { HOME: "/" }, hosts: 2 },
    );
    expect(lines(stdout)).toEqual([
      "[ 'a', '-b' ] { HOME: '/' } 1 roost /",
      "1 0 here [",
      "  { id: 'here', name: 'here', free: false, here: true },",
      "  { id: 'host2', name: 'host2', free: true, here: false }",
      "]",
      `[ 1, 500000000 ] 1500000000n 1500 ${STARTED_MS}`,
    ]);
  });

  test("text, bytes, chance, clones, URLs", async () => {
    const { stdout } = await runJob(`
      const text = "a ü 🦜 \\u0000";
      console.log(new TextDecoder().decode(new TextEncoder().encode(text)) === text, new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 65])));
      const stream = new TextDecoder();
      const bytes = new TextEncoder().encode("x🦜y");
      console.log([...bytes].map((byte) => stream.decode(new Uint8Array([byte]), { stream: true })).join("|") + stream.decode());
      for (const wrong of [[0xff], [0xc3], [0x41, 0xe2, 0x82]])
        try { new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(wrong)); console.log("accepted"); } catch (e) { console.log(e.name); }
      console.log(new TextDecoder("utf8", { fatal: true }).decode(new TextEncoder().encode("\\ufffd")) === "\\ufffd");
      console.log(btoa("\\x00\\xffab"), atob("AP9h Yg=="), atob(btoa("roost")));
      for (const run of [() => atob("a"), () => btoa("ü".repeat(2) + "€"), () => structuredClone({ f() {} })])
        try { run(); } catch (error) { console.log(error.name); }
      const random = crypto.getRandomValues(new Uint32Array(4));
      console.log(random.some((n) => n > 0), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()));
      const clone = structuredClone(new Map([[1, new Set([new Date(5)])]]));
      console.log(clone);
      const url = new URL("../x?q=ü#h", "https://user@bücher.example:8080/a/b/c");
      console.log(url.href, new URLSearchParams({ a: "1 2" }).toString(), URL.canParse("nope"));
      const target = new EventTarget();
      target.addEventListener("ping", (event) => console.log(event.type, event.target === target), { once: true });
      target.dispatchEvent(new Event("ping")); target.dispatchEvent(new Event("ping"));
    `);
    expect(lines(stdout)).toEqual([
      "true A",
      "x||||🦜|y",
      "TypeError",
      "TypeError",
      "TypeError",
      "true",
      "AP9hYg== \x00\xffab roost",
      "InvalidCharacterError",
      "InvalidCharacterError",
      "DataCloneError",
      "true true",
      "Map(1) { 1 => Set(1) { 1970-01-01T00:00:00.005Z } }",
      "https://user@xn--bcher-kva.example:8080/a/x?q=%C3%BC#h a=1+2 false",
      "ping true",
    ]);
  });

  test("a program may replace globals without breaking the library", async () => {
    const { stdout, status } = await runJob(`
      Promise.prototype.then = () => { throw new Error("stolen") };
      Date.now = () => 0;
      Array.prototype.extra = 1;
      setTimeout(() => console.log("still here"), 5);
    `);
    expect({ stdout, status }).toEqual({ stdout: "still here\n", status: 0 });
  });

  test("nothing of the machinery is left in reach", async () => {
    const { stdout } = await runJob(`console.log(typeof __sys, typeof __hooks, Object.keys(globalThis))`);
    expect(stdout).toBe("undefined undefined []\n");
  });
});

describe("processes", () => {
  test("fork copies everything, wait gets status and value", async () => {
    const job = await runJob(`
      import { fork, wait, waitpid, exit, getpid, getppid } from "roost";
      const before = getpid();
      const state = { n: 1 };
      const child = fork();
      if (child === 0) {
        state.n++;
        setTimeout(() => exit(7, { pid: getpid(), parent: getppid(), before, n: state.n }), 10);
        await new Promise(() => {});
      }
      console.log(wait({ timeout: 5 }), wait(), state.n);
      try { wait(); } catch (error) { console.log(error.code); }
      const other = fork();
      if (other === 0) throw new Error("in the child");
      console.log(waitpid(other));
    `);
    expect(lines(job.stdout)).toEqual([
      "null {",
      "  pid: 2,",
      "  status: 7,",
      "  signal: null,",
      "  value: { pid: 2, parent: 1, before: 1, n: 2 }",
      "} 1",
      "ECHILD",
      "{ pid: 3, status: 1, signal: null, value: undefined }",
    ]);
    expect(job.stderr).toMatch(/^Uncaught Error: in the child\n/);
  });

  test("map: in order, in parallel, whatever the number of chunks", async () => {
    for (const chunks of [1, 3, 7, 50]) {
      const { stdout, forks } = await runJob(`
        import { map, sleep } from "roost";
        const factor = 10;
        console.log(map([5, 4, 3, 2, 1, 0, 6], (n, i) => { sleep(n * 10); return n * factor + i; }, { chunks: ${chunks} }).join());
        console.log(Date.now() - ${STARTED_MS});
      `);
      const [results, took] = lines(stdout);
      expect(results).toBe("50,41,32,23,14,5,66");
      expect(forks).toBe(Math.min(chunks, 7));
      expect(Number(took)).toBe({ 1: 210, 3: 90, 7: 60, 50: 60 }[chunks]);
    }
    expect(
      (
        await runJob(
          `import { map } from "roost"; console.log(map([], String), map(new Set([1, 2]), String))`,
        )
      ).stdout,
    ).toBe("[] [ '1', '2' ]\n");
  });

  test("map: an error in a child is thrown in the parent, and no child is left", async () => {
    const { stdout, stderr } = await runJob(`
      import { map, wait, sleep, exit, kill, getpid } from "roost";
      function work(n) { if (n === 2) throw Object.assign(new RangeError("two is wrong"), { n }); sleep(n * 1000); return n; }
      try { map([1, 2, 3, 4], work, { chunks: 4 }); } catch (error) {
        console.log(error instanceof RangeError, error.message, error.n, error.stack.includes("at work (job.js:3"));
      }
      const after = (run) => { try { console.log(run()); } catch (error) { console.log(error.code, error.message); } };
      after(() => wait());
      after(() => map([1], () => () => 1));
      after(() => map([1], async () => 1));
      after(() => map([1], () => { throw Object.assign(new Error("odd"), { run() {} }) }));
      after(() => map([1], () => exit(5)));
      after(() => map([1], () => kill(getpid(), "SIGKILL")));
      after(() => wait());
    `);
    expect(stderr).toBe("");
    const [first, ...rest] = lines(stdout);
    expect(first).toBe("true two is wrong 2 true");
    expect(rest[0]).toMatch(/^ECHILD/);
    expect(rest[1]).toMatch(/^EINVAL .*value\.results\[0\] is a function/);
    expect(rest[2]).toMatch(/^EINVAL .*value\.results\[0\] is a Promise/);
    expect(rest[3]).toBe("undefined odd");
    expect(rest[4]).toMatch(/^EIO .*ended with status 5/);
    expect(rest[5]).toMatch(/^EIO .*ended by SIGKILL/);
    expect(rest[6]).toMatch(/^ECHILD/);
  });

  test("map: a fork that fails leaves no child either", async () => {
    const { stdout } = await runJob(
      `
      import { map, sleep, wait } from "roost";
      for (const run of [() => map([1, 2, 3, 4], () => sleep(1000), { chunks: 4 }), wait])
        try { run(); } catch (error) { console.log(error.code); }
    `,
      { processesMax: 3 },
    );
    expect(lines(stdout)).toEqual(["EAGAIN", "ECHILD"]);
  });

  test("everything goes on when it is moved at every step", async () => {
    const source = `
      import { map, fs, sleep } from "roost";
      function* numbers(n) { for (let i = 0; i < n; i++) yield i; }
      const squares = map(numbers(6), (n) => { let x = 0; for (let i = 0; i < 30_000; i++) x += n; sleep(n); return x; });
      fs.writeFileSync("out", squares.join());
      setTimeout(() => console.log("timer", fs.readFileSync("out", "utf8")), 3);
      console.log(await Promise.all([1, 2].map(async (n) => { await null; return new Map([[n, {}]]); })));
    `;
    const still = await runJob(source);
    const moved = await runJob(source, { preemptEvery: 1 });
    expect(moved.stdout).toBe(still.stdout);
    expect(moved).toMatchObject({ stderr: "", status: 0 });
    expect(still.stdout).toContain("timer 0,30000,60000,90000,120000,150000");
  });
});
