/** The product of two matrices by a group of four: rows are scattered, the other matrix told to all, rows gathered. */
import { exit, fork, group, waitpid } from "roost";

const MEMBERS = 4;
const N = 8;

type Matrix = number[][];
const matrix = (entry: (row: number, column: number) => number): Matrix =>
  Array.from({ length: N }, (_, row) => Array.from({ length: N }, (_, column) => entry(row, column)));
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b.map((_, column) => row.reduce((sum, x, i) => sum + x * (b[i]?.[column] ?? 0), 0)));

/** Ranks are given as they come: whoever is the first gets a process of its own, and the launched one waits for all. */
const children = Array.from({ length: MEMBERS }, () => fork() || multiply());
for (const pid of children) if (waitpid(pid).status !== 0) exit(1);

function multiply(): never {
  const all = group("all");
  all.join();
  all.barrier(MEMBERS);
  const rank = all.rank();
  const root = rank === 0;
  const share = N / MEMBERS;

  const a = root ? matrix((row, column) => row * N + column + 1) : null;
  const parts = a && Array.from({ length: MEMBERS }, (_, n) => a.slice(n * share, (n + 1) * share));
  const rows = all.scatter(parts);
  const b = all.bcast(root ? matrix((row, column) => (row === column ? 2 : (row + column) % 3)) : []);
  const own = product(rows, b);
  const c = all.gather(own);
  const largest = all.reduce(Math.max(...own.flat()), Math.max);
  const trace = all.allreduce(
    own.reduce((sum, row, n) => sum + (row[rank * share + n] ?? 0), 0),
    (x, y) => x + y,
  );
  for (const row of c?.flat() ?? []) console.log(row.join(" "));
  if (root) console.log(`the largest entry is ${largest}, the trace ${trace}`);
  exit();
}
