/** The examples, run by the real engine; pmake's outputs are held to those of plain Node. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { bundle, runJob } from "./guest-process.ts";

const REFERENCE = fileURLToPath(new URL("../../examples/pmake/reference.mjs", import.meta.url));
const queens = await bundle("examples/queens.js");
const pmake = await bundle("examples/pmake/pmake.ts");

describe("queens", () => {
  test("counts right, in many processes, the same when moved at every step", async () => {
    const job = await runJob(queens);
    expect(job).toMatchObject({ status: 0, stderr: "", forks: 50 });
    expect(job.stdout.split("\n").slice(0, 3)).toEqual([
      "8 queens: 92 solutions",
      "Q . . . . . . .",
      ". . . . Q . . .",
    ]);
    expect((await runJob(queens, { argv: ["6"], preemptEvery: 1 })).stdout).toBe(
      (await runJob(queens, { argv: ["6"] })).stdout,
    );
  });

  test("small and impossible boards, wrong arguments", async () => {
    expect((await runJob(queens, { argv: ["1"] })).stdout).toBe("1 queens: 1 solutions\nQ\n");
    expect((await runJob(queens, { argv: ["3"] })).stdout).toBe("3 queens: 0 solutions\n");
    expect(await runJob(queens, { argv: ["x"] })).toMatchObject({ status: 2, stdout: "" });
  });

  test("gets by with few processes", async () => {
    const few = await runJob(queens, { argv: ["7"], processesMax: 4 });
    expect(few.stdout).toBe((await runJob(queens, { argv: ["7"] })).stdout);
  });
});

describe("pmake", () => {
  const root = mkdtempSync(join(tmpdir(), "pmake-"));
  afterAll(() => rmSync(root, { recursive: true }));

  const sources: Record<string, string> = {
    "index.ts": `export const x: number = 1;\nimport type { Y } from "./y.ts";\nexport type Z = Y;\n`,
    "deep/er/view.tsx": `export const View = ({ n }: { n: number }) => <p class="a">{n}</p>;\n`,
    "deep/umlaut.ts": `enum Größe { Klein = "ü🦜" }\nexport default Größe.Klein as string;\n`,
    "types.d.ts": `export type T = 1;\n`,
    "node_modules/p/index.ts": `export const no: 1 = 1;\n`,
    "dist/old.ts": `export const no: 1 = 1;\n`,
    ".hidden/a.ts": `export const no: 1 = 1;\n`,
    "notes.txt": "not a source",
  };
  for (let n = 0; n < 12; n++) {
    const filler = Array.from(
      { length: n * 5 },
      (_, i) => `export function f${i}(a: number): number { return a + ${i}; }`,
    );
    sources[`many/f${n}.ts`] = `${filler.join("\n")}\n`;
  }
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const below = (prefix: string) =>
    Object.fromEntries(Object.entries(sources).map(([path, text]) => [`${prefix}${path}`, text]));
  const outputs = (disk: { files(): Iterable<[string, Uint8Array]> }, prefix: string) =>
    [...disk.files()]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, bytes]) => [path.slice(prefix.length), Buffer.from(bytes).toString()]);

  test("makes what Node makes, byte for byte", async () => {
    const job = await runJob(pmake, { files: below("") });
    expect(job).toMatchObject({ status: 0, stderr: "" });
    const made = join(root, "dist/reference");
    execFileSync(process.execPath, [REFERENCE, root, made]);
    const expected = readdirSync(made, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".js"))
      .sort()
      .map((path) => [path, readFileSync(join(made, path), "utf8")]);
    expect(outputs(job.disk, "dist/pmake/")).toEqual(expected);
    expect(expected.length).toBe(15);
    expect(job.forks).toBe(4);
    expect(job.stdout.trimEnd().split("\n").at(-1)).toMatch(/^15 files: \d+ bytes in, \d+ bytes out$/);
  });

  test("takes a directory and an output, and is the same when it is moved about", async () => {
    const argv = ["src", "src/made"];
    const still = await runJob(pmake, { files: below("src/"), argv });
    const moved = await runJob(pmake, { files: below("src/"), argv, preemptEvery: 20 });
    expect(moved.stdout).toBe(still.stdout);
    expect(outputs(moved.disk, "src/made/")).toEqual(outputs(still.disk, "src/made/"));
    expect(outputs(still.disk, "src/made/").length).toBe(15);
    expect((await runJob(pmake, { files: Object.fromEntries([...still.disk.files()]), argv })).stdout).toBe(
      still.stdout,
    );
  });

  test("names what does not compile, compiles the rest, and fails", async () => {
    const job = await runJob(pmake, { files: { ...below(""), "deep/bad.ts": "export const x = ;\nlet" } });
    expect(job.status).toBe(1);
    expect(job.stderr).toMatch(/^deep\/bad\.ts: .*\(1:18\)\n$/);
    expect(outputs(job.disk, "dist/pmake/").length).toBe(15);
    expect(await runJob(pmake)).toMatchObject({ status: 1, stdout: "" });
  });
});
