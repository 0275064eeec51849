/**
 * Every call that can fail, with what it fails with: the code that roost.d.ts names, a sentence, and the program's own stack. Real
 * engine, real host, real home; files in memory, as a page has them, and in a directory, as a terminal has.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ErrorCode } from "../../fabric/base/errors.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { NodeDisk } from "../../fabric/io/node-disk.ts";
import { LocalFabric, type Outcome, type RunOptions } from "../programs/hosts.ts";

type Row = readonly [code: ErrorCode, program: string];

const PROCESSES: readonly Row[] = [
  ["EINVAL", `fork({ on: 7 })`],
  ["ENOHOST", `fork({ on: "no such host" })`],
  ["ECHILD", `wait()`],
  ["ECHILD", `wait({ timeout: 0 })`],
  ["ECHILD", `waitpid(1)`],
  ["ECHILD", `waitpid(4711, { timeout: 10 })`],
  ["ECHILD", `const child = fork(); if (child === 0) exit(); waitpid(child); waitpid(child)`],
  ["EINVAL", `waitpid(0)`],
  ["EINVAL", `waitpid(-5)`],
  ["EINVAL", `waitpid("1")`],
  ["EINVAL", `wait({ timeout: "soon" })`],
  ["EINVAL", `wait({ timeout: NaN })`],
  ["EINVAL", `exit(1.5)`],
  ["EINVAL", `exit("0")`],
  ["EINVAL", `exit(0, () => {})`],
  ["EINVAL", `exit(0, { deep: [Symbol("s")] })`],
  ["EINVAL", `exit(0, Promise.resolve())`],
  ["ESRCH", `kill(4711)`],
  ["ESRCH", `const child = fork(); if (child === 0) exit(); waitpid(child); kill(child)`],
  ["EINVAL", `kill(0)`],
  ["EINVAL", `kill(-2)`],
  ["EINVAL", `kill(1, "SIGNAL")`],
  ["EINVAL", `kill(1, 9)`],
  ["EINVAL", `on("SIGKILL", () => {})`],
  ["EINVAL", `on("SIGSTOP", () => {})`],
  ["EINVAL", `on("SIGUSR3", () => {})`],
  ["EINVAL", `on("SIGUSR1", "handler")`],
  ["EINVAL", `sleep()`],
  ["EINVAL", `sleep("1")`],
  ["ENOHOST", `migrate("no such host")`],
  ["EINVAL", `migrate(1)`],
  ["EINVAL", `map([1], (x) => x, { chunks: 0 })`],
  ["EINVAL", `map([1], () => () => {})`],
  ["ENOHOST", `map([1], (x) => x, { on: "no such host" })`],
  ["ECHILD", `map([1], () => wait())`],
];

const TOGETHER: readonly Row[] = [
  ["ESRCH", `send(4711, "tag")`],
  ["ESRCH", `send([getpid(), 4711], "tag")`],
  ["EINVAL", `send(0, "tag")`],
  ["EINVAL", `send("1", "tag")`],
  ["EINVAL", `send(1, {})`],
  ["EINVAL", `send(1, NaN)`],
  ["EINVAL", `send(1)`],
  ["EINVAL", `send(1, "tag", { run() {} })`],
  ["EINVAL", `send(1, "x".repeat(1000))`],
  ["EINVAL", `recv({ from: "1" })`],
  ["EINVAL", `recv({ tag: null })`],
  ["EINVAL", `recv({ timeout: "1" })`],
  ["EINVAL", `probe({ tag: true })`],
  ["ESRCH", `notify(4711)`],
  ["EINVAL", `notify(-1)`],
  ["EINVAL", `group("")`],
  ["EINVAL", `group(7)`],
  ["EINVAL", `group("g").rank()`],
  ["EINVAL", `group("g").barrier()`],
  ["EINVAL", `group("g").join(); group("g").barrier(-1)`],
  ["EINVAL", `group("g").join(); group("g").bcast(1, 1)`],
  ["EINVAL", `group("g").join(); group("g").gather(1, -1)`],
  ["EINVAL", `group("g").join(); group("g").scatter([])`],
  ["EINVAL", `group("g").join(); group("g").reduce(1)`],
  ["EINVAL", `group("g").join(); group("g").bcast(() => {})`],
  ["EINVAL", `group("x".repeat(1000)).join()`],
  ["EINVAL", `bsp.rank()`],
  ["EINVAL", `bsp.sync()`],
  ["EINVAL", `bsp.run(0, () => {})`],
  ["EINVAL", `bsp.run(1, () => bsp.put(1, "r", 1))`],
  ["EINVAL", `bsp.run(1, () => bsp.get(0, "r").value)`],
  ["EINVAL", `bsp.run(1, () => () => {})`],
  ["EINVAL", `space.out()`],
  ["EINVAL", `space.in()`],
  ["EINVAL", `space.out("tuple", () => {})`],
  ["EINVAL", `space.out(...new Array(65).fill(0))`],
  ["EAGAIN", `for (let n = 0; n < 5; n++) space.out("large", n, new Uint8Array(15 << 20))`],
];

const FILES: readonly Row[] = [
  ["ENOENT", `fs.readFileSync("none")`],
  ["ENOENT", `fs.openSync("none")`],
  ["ENOENT", `fs.openSync("none", "r+")`],
  ["ENOENT", `fs.statSync("none")`],
  ["ENOENT", `fs.readdirSync("none")`],
  ["ENOENT", `fs.unlinkSync("none")`],
  ["ENOENT", `fs.renameSync("none", "other")`],
  ["ENOENT", `fs.writeFileSync("none/file", "")`],
  ["ENOENT", `fs.mkdirSync("none/directory")`],
  ["ENOENT", `fs.renameSync("file", "none/file")`],
  ["ENOENT", `fs.readFileSync("/etc/passwd")`],
  ["EEXIST", `fs.openSync("file", "wx")`],
  ["EEXIST", `fs.openSync("file", "ax+")`],
  ["EEXIST", `fs.writeFileSync("file", "", { flag: "wx" })`],
  ["EEXIST", `fs.mkdirSync("directory")`],
  ["EEXIST", `fs.mkdirSync("file")`],
  ["EEXIST", `fs.mkdirSync("file", { recursive: true })`],
  ["EISDIR", `fs.readFileSync("directory")`],
  ["EISDIR", `fs.readFileSync("/")`],
  ["EISDIR", `fs.openSync("directory")`],
  ["EISDIR", `fs.openSync("directory", "w")`],
  ["EISDIR", `fs.writeFileSync("directory", "")`],
  ["EISDIR", `fs.unlinkSync("directory")`],
  ["EISDIR", `fs.renameSync("file", "directory")`],
  ["ENOTDIR", `fs.readdirSync("file")`],
  ["ENOTDIR", `fs.readFileSync("file/below")`],
  ["ENOTDIR", `fs.writeFileSync("file/below", "")`],
  ["ENOTDIR", `fs.mkdirSync("file/below")`],
  ["ENOTEMPTY", `fs.mkdirSync("empty", { recursive: true }); fs.renameSync("empty", "directory")`],
  ["EINVAL", `fs.renameSync("directory", "directory/below")`],
  ["EINVAL", `fs.readFileSync("large")`],
  ["EINVAL", `fs.readFileSync("a\\0b")`],
  ["EINVAL", `fs.readFileSync("x".repeat(5000))`],
  ["EINVAL", `fs.readFileSync(7)`],
  ["EINVAL", `fs.readFileSync("file", "latin1")`],
  ["EINVAL", `fs.openSync("file", "rw")`],
  ["EINVAL", `fs.writeFileSync("file", "", { flag: "r+" })`],
  ["EINVAL", `fs.writeFileSync("file", 7)`],
  ["EINVAL", `fs.writeSync(fs.openSync("new", "w"), {})`],
  ["EINVAL", `fs.readSync(fs.openSync("file"), new Uint8Array(2), 3)`],
  ["EINVAL", `fs.readSync(fs.openSync("file"), new Uint8Array(2), 0, 1, -5)`],
  ["EBADF", `fs.readSync(99, new Uint8Array(1))`],
  ["EBADF", `fs.writeSync(99, "")`],
  ["EBADF", `fs.closeSync(99)`],
  ["EBADF", `const fd = fs.openSync("file"); fs.closeSync(fd); fs.closeSync(fd)`],
  ["EBADF", `fs.readSync(fs.openSync("new", "w"), new Uint8Array(1))`],
  ["EBADF", `fs.writeSync(fs.openSync("file"), "x")`],
  ["EMFILE", `for (let n = 0; n < 300; n++) fs.openSync("file")`],
  ["EACCES", `fs.readFileSync("..")`],
  ["EACCES", `fs.readFileSync("../outside")`],
  ["EACCES", `fs.readFileSync("/../outside")`],
  ["EACCES", `fs.readFileSync("directory/../../outside")`],
  ["EACCES", `fs.statSync("../none")`],
  ["EACCES", `fs.readdirSync("..")`],
  ["EACCES", `fs.writeFileSync("../outside", "")`],
  ["EACCES", `fs.mkdirSync("../outside/directory", { recursive: true })`],
  ["EACCES", `fs.unlinkSync("../outside")`],
  ["EACCES", `fs.renameSync("../outside", "mine")`],
  ["EACCES", `fs.renameSync("file", "../outside")`],
];

/** What only a directory of a machine can hold. */
const LINKS: readonly Row[] = [
  ["EACCES", `fs.readFileSync("link-to-file")`],
  ["EACCES", `fs.statSync("link-to-file")`],
  ["EACCES", `fs.openSync("link-to-file", "w")`],
  ["EACCES", `fs.appendFileSync("link-to-file", "x")`],
  ["EACCES", `fs.readdirSync("link-to-directory")`],
  ["EACCES", `fs.readFileSync("link-to-directory/secret")`],
  ["EACCES", `fs.writeFileSync("link-to-directory/new", "x")`],
  ["EACCES", `fs.mkdirSync("link-to-directory/new")`],
  ["EACCES", `fs.unlinkSync("link-to-directory/secret")`],
  ["EACCES", `fs.renameSync("link-to-directory/secret", "mine")`],
  ["EACCES", `fs.renameSync("file", "link-to-directory/theirs")`],
  ["EACCES", `fs.readFileSync("link-to-link")`],
  ["EACCES", `fs.writeFileSync("link-to-nothing", "x")`],
  ["EACCES", `fs.readFileSync("circle")`],
  ["EACCES", `fs.readFileSync("link-to-root/etc/passwd")`],
  ["EACCES", `fs.readFileSync("pipe")`],
  ["EACCES", `fs.openSync("pipe", "w")`],
  ["EINVAL", `fs.writeFileSync("x".repeat(300), "")`],
];

const NAMES =
  "bsp exit fork fs getpid getppid group kill map migrate notify on probe readline recv RoostError send sleep space wait waitpid";

/** A program that runs each row in a process of its own, so that none has anything to do with another. */
const programOf = (rows: readonly Row[]) => `
import { ${NAMES.split(" ").join(", ")} } from "roost";
const rows = [${rows.map(([, code]) => `function theCulprit() { ${code}; }`).join(",\n")}];
for (const [n, run] of rows.entries()) {
  const child = fork();
  if (child === 0) {
    let said = { code: "nothing was thrown" };
    try { run(); } catch (error) {
      const { code = String(error), message, stack } = error;
      said = { code, message, own: stack?.includes("theCulprit"), is: error instanceof RoostError && error.name === "RoostError" };
    }
    exit(0, said);
  }
  console.log(JSON.stringify([n, waitpid(child).value ?? { code: "it ended" }]));
}`;

interface Said {
  readonly code: string;
  readonly message?: string;
  readonly own?: boolean;
  readonly is?: boolean;
}

let fabric: LocalFabric;
beforeAll(async () => {
  fabric = await LocalFabric.start(1);
}, 60_000);
afterAll(() => fabric.close());

const run = (source: string, options: RunOptions = {}): Promise<Outcome> =>
  fabric.run({ source, fileName: "errors.js" }, options);

/** Runs all rows once, when first asked; then each is a test of its own. */
function table(rows: readonly Row[], options: () => RunOptions = () => ({})): void {
  let running: Promise<Map<number, Said>> | undefined;
  const all = async () => {
    const { stdout, stderr } = await run(programOf(rows), options());
    expect(stderr).toBe("");
    return new Map(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as [number, Said]),
    );
  };
  test.for(rows.map(([code, program], n) => ({ code, program, n })))(
    "$code: $program",
    async ({ code, n }) => {
      running ??= all();
      const said = (await running).get(n);
      expect(said?.code, said?.message).toBe(code);
      expect(said?.is, "it is a RoostError").toBe(true);
      expect(said?.message).toMatch(new RegExp(`^${code}: .{10,}`, "s"));
      expect(said?.own, "its stack names the program's function").toBe(true);
    },
  );
}

const GIVEN = { file: "a file", "directory/below": "another", large: new Uint8Array(33 << 20) };

describe("processes", () => table(PROCESSES));
describe("messages, groups, supersteps, tuples", () => table(TOGETHER));
describe("files in memory", () => table(FILES, () => ({ files: GIVEN })));

describe("files in a directory", () => {
  const root = mkdtempSync(join(tmpdir(), "roost-errors-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const job = join(root, "job");
  const options = () => ({ disk: new NodeDisk(job) });

  beforeAll(() => {
    mkdirSync(join(job, "directory"), { recursive: true });
    writeFileSync(join(job, "file"), GIVEN.file);
    writeFileSync(join(job, "directory/below"), "another");
    writeFileSync(join(job, "large"), "");
    truncateSync(join(job, "large"), GIVEN.large.length);
    mkdirSync(join(root, "outside"));
    writeFileSync(join(root, "outside/secret"), "secret");
    const link = (to: string, name: string) => symlinkSync(to, join(job, name));
    link("../outside/secret", "link-to-file");
    link("../outside", "link-to-directory");
    link("link-to-file", "link-to-link");
    link("../outside/none", "link-to-nothing");
    link("circle", "circle");
    link("/", "link-to-root");
    link("directory/below", "link-inside");
    execFileSync("mkfifo", [join(job, "pipe")]);
  });

  table(FILES, options);
  describe("links out of it", () => table(LINKS, options));

  test("links inside it work", async () => {
    const source = `
      import { fs } from "roost";
      console.log(fs.readFileSync("link-inside", "utf8"));`;
    expect(await run(source, options())).toMatchObject({ stdout: "another\n", stderr: "" });
  });

  test("a link that is made while the job runs leads nowhere either", async () => {
    const source = `
      import { fs, sleep } from "roost";
      fs.mkdirSync("turning");
      fs.writeFileSync("turning/secret", "mine");
      const open = fs.openSync("turning/secret", "r+");
      fs.writeFileSync("turning/ready", "");
      const read = () => fs.readFileSync("turning/secret", "utf8");
      const told = (act) => { try { return act(); } catch (error) { return error.code; } };
      while (["mine", "ENOENT"].includes(told(read))) sleep(5); // ENOENT: moved away, and not a link yet
      const codes = [
        read,
        () => fs.writeFileSync("turning/new", "x"),
        () => fs.unlinkSync("turning/secret"),
        () => fs.readdirSync("turning"),
      ].map(told);
      console.log(codes.join());
      fs.writeSync(open, "still");`;
    const turn = () => {
      const timer = setInterval(() => {
        if (!existsSync(join(job, "turning/ready"))) return;
        clearInterval(timer);
        renameSync(join(job, "turning"), join(job, "turned"));
        symlinkSync("../outside", join(job, "turning"));
      }, 20);
      return () => clearInterval(timer);
    };
    const { stdout, stderr } = await run(source, { ...options(), meanwhile: turn });
    expect({ stdout, stderr }).toEqual({ stdout: "EACCES,EACCES,EACCES,EACCES\n", stderr: "" });
  });
});

test("as many processes as a job may have, then EAGAIN, and room again when one is waited for", async () => {
  const source = `
    import { exit, fork, kill, recv, wait } from "roost";
    const children = [];
    let code;
    try {
      for (;;) {
        const pid = fork();
        if (pid === 0) { recv(); exit(); }
        children.push(pid);
      }
    } catch (error) { code = error.code; }
    console.log(children.length, code);
    kill(children[0], "SIGKILL");
    try { fork(); } catch (error) { console.log(error.code); }
    wait();
    const pid = fork();
    if (pid === 0) exit(9);
    while (true) { const end = wait({ timeout: 5000 }); if (end.pid === pid) { console.log(end.status); break; } }`;
  expect(await run(source)).toMatchObject({
    stdout: `${LIMITS.processesPerJob - 1} EAGAIN\nEAGAIN\n9\n`,
    stderr: "",
  });
});
