/** The other examples, small, in the real engine: what they find is held to what somebody else finds. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { inflateSync } from "node:zlib";
import { marked } from "marked";
import { describe, expect, test } from "vitest";
import { renderRow } from "../../examples/raytrace/scene.ts";
import { design, type Measurement, parse } from "../../examples/sweep/model.ts";
import { bundle, runJob } from "./guest-process.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(resolve(ROOT, path), "utf8");
const bytesOf = (disk: { files(): Iterable<[string, Uint8Array]> }, name: string) =>
  Buffer.from(new Map(disk.files()).get(name) ?? []);

describe("sweep", () => {
  const csv = read("examples/sweep/co2.csv");

  /** Least squares by Householder's reflections, where the example solves normal equations. */
  function squaresByReflection(rows: number[][], values: number[]): number {
    const a = rows.map((row, n) => [...row, values[n] ?? 0]);
    const size = rows[0]?.length ?? 0;
    for (let k = 0; k < size; k++) {
      const column = a.slice(k).map((row) => row[k] ?? 0);
      const [head = 0] = column;
      const v = [head + Math.sign(head || 1) * Math.hypot(...column), ...column.slice(1)];
      const norm = v.reduce((sum, x) => sum + x * x, 0);
      for (let j = k; j <= size; j++) {
        const along = v.reduce((sum, x, i) => sum + x * (a[k + i]?.[j] ?? 0), 0);
        for (const [i, x] of v.entries()) {
          const row = a[k + i];
          if (row) row[j] = (row[j] ?? 0) - (2 * along * x) / norm;
        }
      }
    }
    return a.slice(size).reduce((sum, row) => sum + (row[size] ?? 0) ** 2, 0);
  }

  function bestByReflection(measurements: readonly Measurement[], step: number) {
    const values = measurements.map(({ ppm }) => ppm);
    let best = { growth: 0, pairs: 0, bic: Number.POSITIVE_INFINITY, rms: 0 };
    for (let pairs = 0; pairs <= 5; pairs++)
      for (let growth = 20; growth <= 120; growth += step) {
        const n = values.length;
        const squares = squaresByReflection(
          measurements.map(({ year }) => design(year, growth, pairs)),
          values,
        );
        const bic = n * Math.log(squares / n) + (2 + 2 * pairs) * Math.log(n);
        if (bic < best.bic) best = { growth, pairs, bic, rms: Math.sqrt(squares / n) };
      }
    return best;
  }

  test("finds the model that another method finds", async () => {
    const job = await runJob(await bundle("examples/sweep/sweep.ts"), {
      files: { "co2.csv": csv },
      argv: ["co2.csv", "20"],
    });
    expect(job).toMatchObject({ status: 0, stderr: "" });
    const best = bestByReflection(parse(csv), 20);
    const found = job.value as typeof best;
    expect(found).toMatchObject({ growth: best.growth, pairs: best.pairs });
    expect(found.rms).toBeCloseTo(best.rms, 9);
    expect(found.bic).toBeCloseTo(best.bic, 5);
    expect(job.forks).toBeGreaterThan(1);
  });

  test("says what it needs", async () => {
    const job = await runJob(await bundle("examples/sweep/sweep.ts"), { files: { x: "no" }, argv: ["x"] });
    expect(job).toMatchObject({ status: 2, stdout: "" });
  });
});

test("raytrace writes a PNG with the very points that Node computes", async () => {
  const [width, height] = [24, 15];
  const job = await runJob(await bundle("examples/raytrace/raytrace.ts"), {
    argv: [`${width}`, `${height}`, "p.png"],
  });
  expect(job).toMatchObject({ status: 0, stderr: "", stdout: "p.png: 24 × 15\n" });
  const png = bytesOf(job.disk, "p.png");
  expect(png.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([width, height]);
  const data = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)));
  const lines = Array.from({ length: height }, (_, y) => [0, ...renderRow(y, width, height)]);
  expect([...data]).toEqual(lines.flat());
});

describe("sudoku", () => {
  const SOLVED = "812753649943682175675491283154237896369845721287169534521974368438526917796318452";

  test("finds the solution that was published, and that it is the only one", async () => {
    const puzzle = read("examples/sudoku/inkala.txt");
    const job = await runJob(await bundle("examples/sudoku/sudoku.js"), {
      files: { p: puzzle },
      argv: ["p"],
    });
    expect(job).toMatchObject({ status: 0, stderr: "" });
    expect(job.stdout.replace(/[^1-9]/g, "")).toBe(SOLVED);
    expect(job.stdout).toContain("the only solution");
    expect(job.forks).toBeGreaterThan(3);
  });

  test("puzzles with none, with many, and no puzzle", async () => {
    const sudoku = await bundle("examples/sudoku/sudoku.js");
    const solve = (puzzle: string) => runJob(sudoku, { files: { p: puzzle }, argv: ["p"] });
    expect(await solve(`11${".".repeat(79)}`)).toMatchObject({ status: 1, stdout: "there is no solution\n" });
    const open = SOLVED.replace(/^.{27}/, ".".repeat(27));
    expect((await solve(open)).stdout).toContain("there are more solutions");
    expect(await solve("12")).toMatchObject({ status: 2, stdout: "" });
  });
});

test("words counts what a pipeline of the shell counts", async () => {
  const texts = {
    "a.md": "The cat, the hat.",
    "deep/b.txt": "Größe größe\nCAT",
    "c.js": "the",
    ".d/e.md": "the",
  };
  const job = await runJob(await bundle("examples/words.js"), { files: texts, argv: [".", "3"] });
  expect(job.stdout).toBe("2 files, 7 words, 4 different ones\n      2 cat\n      2 größe\n      2 the\n");
  const readme = read("README.md");
  const counts = new Map<string, number>();
  for (const word of readme
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .filter(Boolean))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  const [most] = [...counts].sort(([a, i], [b, j]) => j - i || (a < b ? -1 : 1));
  const real = await runJob(await bundle("examples/words.js"), {
    files: { "README.md": readme },
    argv: [".", "1"],
  });
  expect(real.stdout).toMatch(new RegExp(` ${most?.[1]} ${most?.[0]}\n$`));
});

test("pi prints the digits of another formula, the same when moved about", async () => {
  const pi = await bundle("examples/pi.js");
  const still = await runJob(pi, { argv: ["100"], hosts: 2 });
  expect(still.status).toBe(0);
  expect(still.stdout).toMatch(/^3141592653589793.*\n.*\n100 digits, as by Machin's formula\n$/);
  expect((await runJob(pi, { argv: ["100"], hosts: 2, preemptEvery: 20 })).stdout).toBe(still.stdout);
});

describe("pmake", () => {
  test("x.ts and x.tsx beside each other both have their output", async () => {
    const files = {
      "a/x.ts": "export const n: number = 1;",
      "a/x.tsx": "export const v = <p/>;",
      "a/y.ts": "let y: 1;",
    };
    const job = await runJob(await bundle("examples/pmake/pmake.ts"), { files, argv: ["a", "out"] });
    expect(job.status).toBe(0);
    const made = [...job.disk.files()].map(([path]) => path).filter((path) => path.startsWith("out/"));
    expect(made.sort()).toEqual(["out/x.ts.js", "out/x.tsx.js", "out/y.js"]);
  });

  test("another compiler", async () => {
    const source = "# Title\n\n*text*\n";
    const job = await runJob(await bundle("examples/pmake/pmake.ts"), {
      files: { "doc/a.md": source, "doc/b.ts": "1" },
      argv: ["doc", "out", "marked"],
    });
    expect(job.status).toBe(0);
    expect(bytesOf(job.disk, "out/a.html").toString()).toBe(marked.parse(source));
    const none = await runJob(await bundle("examples/pmake/pmake.ts"), { argv: [".", "out", "cc"] });
    expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining("sucrase, marked") });
  });
});
