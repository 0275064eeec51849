/**
 * The package as others get it: packed, installed into an empty project, used by a Node program, by the command, and by a
 * page that Vite has built, whose participants then work together.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Relay, startRelay } from "../../relay/index.ts";
import { eventually, startChromium } from "./harness.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NPM = process.platform === "win32" ? "npm.cmd" : "npm";
const project = mkdtempSync(join(tmpdir(), "roost-package-"));
let browser: Browser;
let relay: Relay;
let child: ChildProcess | undefined;

const write = (name: string, text: string) => writeFileSync(join(project, name), text);
const run = (command: string, args: readonly string[], cwd = project) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(async () => {
  run(NPM, ["pack", "--pack-destination", project, "--loglevel=error"], ROOT);
  const [tarball] = readdirSync(project).filter((name) => name.endsWith(".tgz"));
  write("package.json", JSON.stringify({ name: "empty", private: true, type: "module" }));
  run(NPM, [
    "install",
    `./${tarball}`,
    "--prefer-offline",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  write("page.ts", PAGE);
  write("index.html", '<!doctype html><script type="module" src="./page.ts"></script>');
  run(process.execPath, [join(ROOT, "node_modules/vite/bin/vite.js"), "build", "--outDir", "built"]);
  [browser, relay] = await Promise.all([
    startChromium(),
    startRelay({ port: 0, pageDirectory: join(project, "built") }),
  ]);
}, 240_000);
afterAll(async () => {
  child?.kill("SIGKILL");
  await browser?.close();
  await relay?.close();
  rmSync(project, { recursive: true, force: true });
});

/** Donates, and runs a job of its own; what it says is in its title. */
const PAGE = `
import { join } from "roost";
const roost = await join(undefined, { name: "page" });
roost.donate({ awayAfterMs: 0 });
const job = await roost.run('import { fork, wait, exit } from "roost"; if (fork() === 0) exit(0, 6n * 7n); console.log(wait().value)');
document.title = await job.text();
const asks = await roost.run('import { readline } from "roost"; console.log("> " + readline())');
document.body.textContent = asks.address;
`;

const PROGRAM = `
import { bundle, join, local, RoostError } from "roost";

const here = local(2);
const first = await here.run('import { exit } from "roost"; exit(3, new Date(0));');
console.log(JSON.stringify(await first.ended));
await here.close();

await join("http://localhost:9").catch((error) => console.log(error instanceof RoostError, error.code));
const abandoned = AbortSignal.timeout(50);
await join("http://localhost:9", { signal: abandoned }).catch((error) => console.log(error.name));

const roost = await join(process.argv[2], { name: "program" });
const seen = new Set();
const events = [];
const job = await roost.run(await bundle("job.ts"), { args: ["x"], files: { "a.txt": "from a file" } });
(async () => { for await (const { type } of job.events()) events.push(type); })();
(async () => { for await (const { processes } of job.changes()) for (const p of processes) seen.add(p.hostName); })();
job.type("typed");
job.type(undefined);
console.log(await job.text());
const { status, value } = await job.ended;
console.log(status, value, events.includes("ended"), seen.has("page"));
const stopped = new AbortController();
const endless = await roost.run("for (;;);", { signal: stopped.signal });
stopped.abort();
console.log((await endless.ended).signal);
const odd = await roost.run('import { exit } from "roost"; exit(4, new Float16Array(2));');
console.log(await odd.ended.then(() => "read", () => "not read").then(() => odd.view.processes.length));
const running = await roost.run("console.log('begun'); for (;;);");
for await (const _ of running.output()) await roost.close();
console.log((await running.ended).signal);
await roost.run("1").catch((error) => console.log(error.message));
`;

const JOB = `
import { fork, fs, hostname, readline, wait, exit } from "roost";
const text: string = fs.readFileSync("a.txt", "utf8");
if (fork({ on: "remote" }) === 0) exit(0, hostname());
console.log(text, process.argv[2], readline(), readline(), wait().value);
exit(7, "done");
`;

async function openPage() {
  const page = await (await browser.newContext()).newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://localhost:${relay.port}/`);
  await eventually(() => page.title()).toBe("42n");
  return { page, errors };
}

test("a Node program and a built page use the library, and each other", async () => {
  const { page, errors } = await openPage();
  write("program.js", PROGRAM);
  write("job.ts", JOB);
  child = spawn(process.execPath, ["program.js", `http://localhost:${relay.port}`], { cwd: project });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.on("data", (data) => {
      said[name] += data;
    });
  const code = await new Promise((done) => child?.on("close", done));
  expect({ ...said, code }).toEqual({
    stdout: [
      '{"status":3,"value":"1970-01-01T00:00:00.000Z"}',
      "true ENOHOST",
      "TimeoutError",
      "from a file x typed null page",
      "",
      "7 done true true",
      "SIGKILL",
      "1",
      "SIGKILL",
      "EINVAL: this participant has left; join again to launch jobs, or to donate",
      "",
    ].join("\n"),
    stderr: "",
    code: 0,
  });
  expect(errors).toEqual([]);
  await page.context().close();
});

test("a page's job is steered from a terminal, by its address", async () => {
  const { page } = await openPage();
  await eventually(() => page.textContent("body")).toMatch(/\./);
  const address = (await page.textContent("body"))?.trim() ?? "";
  const command = (name: string) => {
    const started = spawn(join(project, "node_modules/.bin/roost"), [name, address, "--relay", relay.url]);
    child = started;
    started.stdin.end("hello\n");
    let stdout = "";
    started.stdout.on("data", (data) => {
      stdout += data;
    });
    return new Promise((done) => started.on("close", (code) => done({ code, stdout })));
  };
  expect(await command("why")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("waits for a line"),
  });
  expect(await command("attach")).toEqual({ code: 0, stdout: "> hello\n" });
  await page.context().close();
});

test("the installed command runs a TypeScript job", () => {
  write("hello.ts", 'const who: string = "world"; console.log("hello", who);');
  expect(run(join(project, "node_modules/.bin/roost"), ["run", "hello.ts", "--local"])).toBe("hello world\n");
});

test("its types hold, for programs and for jobs", () => {
  write(
    "typed.ts",
    'import { join, type Roost } from "roost";\nexport const roost: Promise<Roost> = join("http://x");\n',
  );
  write("typed-job.ts", 'import { fork } from "roost";\nexport const pid: number = fork();\n');
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
  run(process.execPath, [
    tsc,
    ...options,
    "--lib",
    "es2023,esnext.disposable,dom",
    "--types",
    "",
    "typed.ts",
  ]);
  run(process.execPath, [tsc, ...options, "--lib", "es2023", "--types", "roost/guest", "typed-job.ts"]);
});
