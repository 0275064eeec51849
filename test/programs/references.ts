/** What the programs of jobs/ must print, computed here in Node and in another way: no processes, no messages. */
import { readFileSync } from "node:fs";
import { pathOf } from "./jobs.ts";

type Reference = () => { readonly stdout: string; readonly files?: Readonly<Record<string, Uint8Array>> };
const lines = (all: readonly string[]) => `${all.join("\n")}\n`;

const isPrime = (n: number) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
};
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

export const REFERENCES: Record<string, Reference> = {
  /** Gauss' sum of the places, once for every round. */
  "ring.js": () => ({
    stdout: lines(upTo(4).map((n) => `round ${n}: ${8 * n} hops, the sum is ${n * ((8 * 7) / 2)}`)),
  }),

  "farm.js": () => {
    const steps = (n: number): number => (n === 1 ? 0 : 1 + steps(n % 2 ? 3 * n + 1 : n / 2));
    const hundreds = upTo(12).map((hundred) => {
      const starts = upTo(100).map((n) => (hundred - 1) * 100 + n);
      const most = Math.max(...starts.map(steps));
      const start = starts.find((n) => steps(n) === most);
      return `${starts[0]} to ${starts[99]}: ${start} takes ${most} steps`;
    });
    return { stdout: lines([...hundreds, "12 tasks done"]) };
  },

  "sieve.js": () => ({ stdout: lines([upTo(40).filter(isPrime).join(" ")]) }),

  "linda.js": () => ({
    stdout: lines([upTo(30).filter(isPrime).join(" "), "left over: null and prime,4,false"]),
  }),

  "matrix.ts": () => {
    const entries = upTo(8).map((n) => n - 1);
    const a = entries.map((row) => entries.map((column) => row * 8 + column + 1));
    const b = entries.map((row) => entries.map((column) => (row === column ? 2 : (row + column) % 3)));
    const c = a.map((row) =>
      entries.map((column) => row.reduce((sum, x, i) => sum + x * (b[i]?.[column] ?? 0), 0)),
    );
    const trace = c.reduce((sum, row, n) => sum + (row[n] ?? 0), 0);
    const last = `the largest entry is ${Math.max(...c.flat())}, the trace ${trace}`;
    return { stdout: lines([...c.map((row) => row.join(" ")), last]) };
  },

  /** All bodies in one loop. Bit for bit: IEEE 754 gives the same results in the same order. */
  "nbody.ts": () => {
    const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
    const axes = [0, 1, 2];
    const at = numbers.map((n) => [n - 3.5, ((n * 5) % 8) - 3.5, ((n * 3) % 8) - 3.5]);
    const speed = numbers.map((n) => [(n % 3) / 4 - 0.25, 0.25 - (n % 2) / 2, 0]);
    const entry = (list: number[][], n: number, i: number) => list[n]?.[i] ?? Number.NaN;
    for (let step = 0; step < 6; step++) {
      for (const n of numbers)
        for (const m of numbers) {
          if (n === m) continue;
          const [x = 0, y = 0, z = 0] = axes.map((i) => entry(at, m, i) - entry(at, n, i));
          const square = x * x + y * y + z * z;
          const force = (0.01 * (1 + m / 4)) / (square * Math.sqrt(square));
          speed[n] = [x, y, z].map((way, i) => entry(speed, n, i) + way * force);
        }
      for (const n of numbers) at[n] = axes.map((i) => entry(at, n, i) + 0.01 * entry(speed, n, i));
    }
    return { stdout: lines([...at.map((place) => place.join(" ")), "all agree: true"]) };
  },

  "pipeline.js": () => {
    const squares = upTo(25)
      .map((n) => n * n)
      .filter((n) => n % 10 === 6);
    const sums = squares.map((_, i) => squares.slice(0, i + 1).reduce((a, b) => a + b));
    return { stdout: lines(squares.map((n, i) => `${n}, so far ${sums[i]}`)) };
  },

  "mandelbrot.js": () => {
    const [width, height] = [48, 32];
    const shades = upTo(width * height).map((place) => {
      const c = {
        x: (3 * ((place - 1) % width)) / (width - 1) - 2.25,
        y: (2.5 * Math.floor((place - 1) / width)) / (height - 1) - 1.25,
      };
      const z = { x: 0, y: 0 };
      for (let n = 0; n < 64; n++) {
        if (z.x * z.x + z.y * z.y > 4) return 255 - 3 * n;
        const x = z.x * z.x - z.y * z.y + c.x;
        z.y = 2 * z.x * z.y + c.y;
        z.x = x;
      }
      return 0;
    });
    const picture = Buffer.concat([Buffer.from("P5\n48 32\n255\n"), Buffer.from(shades)]);
    return {
      stdout: `mandelbrot.pgm: 48 × 32, ${picture.length} bytes\n`,
      files: { "mandelbrot.pgm": picture },
    };
  },

  "words.js": () => {
    const words = readFileSync(pathOf("alice29.txt"), "latin1")
      .toLowerCase()
      .split(/[^a-z]+/)
      .filter(Boolean);
    const count = new Map<string, number>();
    for (const word of words) count.set(word, (count.get(word) ?? 0) + 1);
    const ranked = [...count].sort(([a, m], [b, n]) => n - m || a.localeCompare(b, "en"));
    return {
      stdout: lines([
        `${words.length} words, ${count.size} different`,
        ...ranked.slice(0, 12).map(([word, n]) => `${String(n).padStart(5)} ${word}`),
      ]),
    };
  },

  "sort.js": () => ({
    stdout: lines([
      [31, 4, 15, 92, 6, 53, 58, 97, 9, 32].sort((a, b) => a - b).join(" "),
      "a process for each comparison: true",
    ]),
  }),

  /** A full binary tree: 2^(depth + 1) − 1 nodes, and the leaves are the numbers of `depth` bits. */
  "tree.js": () => ({
    stdout: lines([
      `${2 ** 7 - 1} processes, ${2 ** 6} leaves`,
      upTo(2 ** 6)
        .map((n) => (n - 1).toString(2).padStart(6, "0"))
        .join(" "),
    ]),
  }),
};
