/** A mixed fabric: a tab and an edge host donate, a terminal launches; images move freely between them. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobView } from "../../fabric/index.ts";
import type { Relay } from "../../relay/index.ts";
import { eventually, openTab, startChromium, startPageRelay, writeProgram } from "./harness.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const COMMAND = resolve(ROOT, "fabric/edge/roost.mjs");
let browser: Browser;
let relay: Relay;
const children: ChildProcess[] = [];

beforeAll(async () => {
  [browser, relay] = await Promise.all([startChromium(), startPageRelay()]);
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await browser?.close();
  await relay?.close();
});

const processesIn = (places: Element[]) =>
  places.reduce((sum, place) => sum + Number(place.getAttribute("data-count")), 0);

/** The command, and what it says, awaited by what is to be in it. */
function roost(args: readonly string[], at = relay.url, env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [COMMAND, ...args, "--relay", at], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: "1", ...env },
  });
  children.push(child);
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (data) => {
      said[name] += data;
    });
  const code = new Promise<number | null>((done) => child.on("close", done));
  return { child, said, code };
}

test("a terminal's job uses a tab and an edge host; the edge host leaves in the middle, with a receipt", async () => {
  const { page } = await openTab(browser, relay);
  await page.getByTestId("donate").click();
  await page.getByTestId("reclaim").waitFor();
  const edge = roost(["donate", "--always", "--workers", "1"]);
  await expect.poll(() => edge.said.stderr, { timeout: 20_000 }).toMatch(/takes work/);

  const run = roost(["run", "examples/queens.js", "10", "--json"]);
  await page.locator("[data-testid^=guest-]").first().waitFor({ timeout: 30_000 });
  edge.child.kill("SIGINT");
  expect(await edge.code).toBe(0);
  expect(edge.said.stderr).toMatch(/Stopped in .*left in|Nothing was here/);

  expect(await run.code).toBe(0);
  const lines = run.said.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const output = lines.map((line) => (line.type === "output" ? line.text : "")).join("");
  expect(output).toContain("10 queens: 724 solutions");
  const { job, exitCode }: { job: JobView; exitCode: number } = lines.at(-1);
  expect(exitCode).toBe(0);
  const platforms = new Map(job.hosts.map((host) => [host.id, host.platform]));
  const used = new Set(
    job.processes.flatMap((p) => p.stays.map((stay) => platforms.get(stay.host) ?? "gone")),
  );
  expect([...used].some((platform) => platform.startsWith("Chromium"))).toBe(true);
  expect([...used].some((platform) => platform.startsWith("Node"))).toBe(true);
  await page.context().close();
});

/** Goes to every host and back again, twice, with a live heap and in the midst of nested calls; what it counts is known. */
const TRAVELLER = `
import { hostname, hosts, migrate, sleep } from "roost";
let all;
while ((all = hosts()).filter((host) => host.here || host.free).length < 3) sleep(50);
const heap = Array.from({ length: 2000 }, (_, n) => ({ n }));
const places = [];
const sum = [...all, ...all].map(({ id }) => {
  migrate(id);
  places.push(hostname());
  return heap.reduce((sum, one) => sum + one.n++, 0);
});
console.log(JSON.stringify({ places, sum }));`;

test("one edge and two tabs: a process goes from tab to edge to tab, and round again, and misses nothing", async () => {
  const [author, donor] = [(await openTab(browser, relay)).page, (await openTab(browser, relay)).page];
  await donor.getByTestId("donate").click();
  const edge = roost(["donate", "--always", "--workers", "1", "--json"]);
  await expect.poll(() => edge.said.stderr, { timeout: 20_000 }).toMatch(/takes work/);
  await author.getByTestId("example").selectOption("own");
  await writeProgram(author, TRAVELLER);
  await author.getByTestId("run").click();
  await author.getByTestId("status").filter({ hasText: "exit 0" }).waitFor({ timeout: 60_000 });
  const { places, sum } = JSON.parse(await author.getByTestId("output").innerText());
  const least = (1999 * 2000) / 2;
  expect(sum).toEqual(Array.from({ length: 6 }, (_, n) => least + 2000 * n));
  expect(new Set(places).size).toBe(3);
  expect(places.slice(3)).toEqual(places.slice(0, 3));
  const joined = JSON.parse(edge.said.stdout.split("\n")[0] ?? "");
  expect(places).toContain(joined.name);
  edge.child.kill("SIGINT");
  expect(await edge.code).toBe(0);
  for (const page of [author, donor]) await page.context().close();
});

test("a job at a relay is steered from elsewhere by its address, and by nobody without it", async () => {
  const mine = mkdtempSync(join(tmpdir(), "roost-edge-"));
  const file = join(mine, "echo.js");
  writeFileSync(file, `import { readline } from "roost"; console.log("> " + readline());`);
  let place = "here";
  const command = async (...args: string[]) => {
    const { child, said, code } = roost(args, relay.url, { ROOST_STATE: join(mine, place) });
    child.stdin.end("hello\n");
    return { code: await code, ...said };
  };
  expect(await command("run", file, "--detach")).toMatchObject({ code: 0, stderr: "" });
  const { address } = JSON.parse((await command("inspect", "--json")).stdout);
  place = "elsewhere";
  expect((await command("why", address)).stdout).toContain("waits for a line of input");
  const wrong = await command("why", address.replace(/.$/, address.endsWith("a") ? "b" : "a"));
  expect(wrong).toMatchObject({ code: 1, stdout: "" });
  expect(wrong.stderr).toContain("no job here has this secret");
  expect(await command("attach", address)).toEqual({ code: 0, stdout: "> hello\n", stderr: "" });
  rmSync(mine, { recursive: true, maxRetries: 50, retryDelay: 100 }); // its home writes to it until it has ended
});

test("who reads a job from elsewhere gets the last of it, however much its home has still to send when it ends", async ({
  onTestFinished,
}) => {
  const mine = mkdtempSync(join(tmpdir(), "roost-edge-"));
  // Its home writes to it until it has ended.
  onTestFinished(() => rmSync(mine, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 }));
  const file = join(mine, "much.js");
  writeFileSync(
    file,
    `import { readline, exit } from "roost"; console.log("x".repeat(20_000_000)); readline(); exit(7);`,
  );
  const command = (...args: string[]) => roost(args, relay.url, { ROOST_STATE: join(mine, "here") });
  expect(await command("run", file, "--detach").code).toBe(0);
  const inspected = command("inspect", "--json");
  await inspected.code;
  const asked = async () => {
    const { said, code } = command("why");
    await code;
    return said.stdout;
  };
  const { address } = JSON.parse(inspected.said.stdout);
  await eventually(() => asked()).toContain("waits for a line of input");
  const { child, said, code } = roost(["attach", address], relay.url, { ROOST_STATE: join(mine, "there") });
  child.stdin.end("begin\n");
  expect(await code).toBe(7);
  expect(said.stdout.length).toBe(20_000_001);
});

test("a page's job goes on in a terminal, from a checkpoint: what it wrote, before and after, is in its directory", async () => {
  const { page } = await openTab(browser, relay);
  const mine = mkdtempSync(join(tmpdir(), "roost-edge-"));
  await page.getByTestId("example").selectOption("own");
  await page
    .locator("input[type=file][multiple]")
    .first()
    .setInputFiles({ name: "given", mimeType: "text/plain", buffer: Buffer.from("given") });
  await eventually(() => page.getByTestId("files").innerText()).toContain("1 file of yours");
  await writeProgram(
    page,
    `import { fs, readline } from "roost";
    fs.mkdirSync("out"); fs.writeFileSync("out/before", fs.readFileSync("given", "utf8"));
    console.log("asks"); fs.writeFileSync("after", readline());\n`,
  );
  await page.getByTestId("run").click();
  await eventually(() => page.getByTestId("output").innerText()).toContain("asks");
  const steering = await page.getByTestId("steer-command").textContent(); // npx roost top ADDRESS --relay …
  const address = steering?.split(" ")[3] ?? "";
  const saved = join(mine, "at.roost");
  const checkpoint = roost(["checkpoint", address, saved], relay.url, { ROOST_STATE: join(mine, "state") });
  expect(await checkpoint.code).toBe(0);
  await page.context().close();

  const { child, said, code } = roost(["run", "--restore", saved, "--dir", mine, "--local=1"]);
  child.stdin.end("a line\n");
  expect(await code).toBe(0);
  expect(said).toEqual({ stdout: "", stderr: `2 files it wrote: in ${mine}\n` });
  expect(readFileSync(join(mine, "out/before"), "utf8")).toBe("given");
  expect(readFileSync(join(mine, "after"), "utf8")).toBe("a line");
  expect(existsSync(join(mine, "given"))).toBe(false);
  rmSync(mine, { recursive: true });
});

test("a detached job is come back to in a page: what it wrote, its question, its end", async ({
  onTestFinished,
}) => {
  const mine = mkdtempSync(join(tmpdir(), "roost-edge-"));
  const file = join(mine, "echo.js");
  writeFileSync(
    file,
    `import { fork, readline } from "roost"; console.log("before"); if (fork() === 0) for (;;); console.log("> " + readline());`,
  );
  const command = async (...args: string[]) => {
    const { said, code } = roost(args, relay.url, { ROOST_STATE: mine });
    expect(await code).toBe(0);
    return said.stdout;
  };
  const { job } = JSON.parse(await command("run", file, "--detach", "--json"));
  onTestFinished(async () => {
    await roost(["kill", job, "--signal", "KILL"], relay.url, { ROOST_STATE: mine }).code; // it has ended, if all is well
    rmSync(mine, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });
  const { address, page: link } = JSON.parse(await command("inspect", "--json"));
  expect(link).toBe(`${new URL(relay.url).origin}/#job=${address}`);

  const { page, errors } = await openTab(browser, relay);
  await page.goto(`http://localhost:${relay.port}/#job=${address}`); // another hash: the page opens anew
  const output = page.getByTestId("output");
  await eventually(() => output.innerText()).toContain("before");
  const shown = () => page.locator(".place[data-here=false]").evaluateAll(processesIn);
  await eventually(shown).toBe(2);
  await page.getByTestId("process-2").getByRole("button").click();
  await page.getByTestId("kill").click();
  await eventually(() => page.getByTestId("process-2").getAttribute("data-state")).toBe("ended");
  await eventually(shown).toBe(1);
  await page.getByTestId("input").fill("hello");
  await page.getByTestId("input").press("Enter");
  await eventually(() => output.innerText()).toContain("> hello");
  await eventually(() => page.getByTestId("status").innerText()).toBe("exit 0");

  await page.goto(
    `http://localhost:${relay.port}/#job=${address.replace(/.$/, address.endsWith("a") ? "b" : "a")}`,
  );
  await eventually(() => page.getByTestId("trouble").innerText()).toMatch(/cannot be shown: /);
  expect(errors).toEqual([]);
  await page.context().close();
});

test("a host that is killed in the middle of a computation loses nothing and doubles nothing", async () => {
  const donors = [0, 1].map(() => roost(["donate", "--always", "--workers", "1", "--json"]));
  for (const { said } of donors)
    await expect.poll(() => said.stdout, { timeout: 20_000 }).toMatch(/"taking":true/);
  // They have said so to the relay; that everybody has heard it is another thing.
  let taking: { host: string; taking: boolean }[] = [];
  const announced = async () => {
    const { said, code } = roost(["hosts", "--json"]);
    expect(await code).toBe(0);
    taking = JSON.parse(said.stdout).filter((host: { taking: boolean }) => host.taking);
    return donors.filter(({ said }) => taking.some(({ host }) => said.stdout.includes(host))).length;
  };
  await expect.poll(announced, { timeout: 20_000 }).toBe(2);

  const run = roost(["run", "examples/pi.js", "8000", "--json"]);
  const lines = () =>
    run.said.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  const digits = () => lines().flatMap(({ type, fd, text }) => (type === "output" && fd === 1 ? [text] : []));
  await expect.poll(() => digits().length, { timeout: 60_000 }).toBeGreaterThan(2);
  const runsAt = () => lines().findLast(({ type, pid }) => type === "running" && pid === 2).host;
  const donorAt = (host: string) => donors.find(({ said }) => said.stdout.includes(host));
  if (!donorAt(runsAt())) {
    // It was forked before a donor was linked.
    const linked = () =>
      lines().flatMap(({ type, joined, host }) => (type === "host" && joined ? [host] : []));
    const [to] = taking.filter(({ host }) => donorAt(host));
    await expect.poll(linked, { timeout: 20_000 }).toContain(to?.host);
    const { code, said } = roost(["migrate", "2", to?.host ?? ""]);
    expect({ code: await code, said }).toMatchObject({ code: 0 });
  }
  expect(donorAt(runsAt())?.child.kill("SIGKILL")).toBe(true);

  expect(await run.code).toBe(0);
  expect(digits().join("")).toMatch(/^3141592653589793[\d\n]*\n8000 digits, as by Machin's formula\n$/);
  expect(digits().length).toBe(161);
  const { job }: { job: JobView } = lines().at(-1);
  expect(job.processes[1]?.stays.at(0)?.why).toBe("forked");
  expect(job.processes[1]?.stays.at(-1)?.why).toBe("lost");
});

test("no relay: a sentence that says how to start one", async () => {
  const { said, code } = roost(["run", "examples/queens.js"], "http://localhost:9");
  expect(await code).toBe(1);
  expect(said.stderr).toMatch(/no relay answers at http:\/\/localhost:9.*roost relay/);
});
