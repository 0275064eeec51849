/**
 * All ways to put N queens on an N×N board so that none attacks another. Usage: queens.js [N], 1 to 14, default 8.
 *
 * The search forks in the middle of its own recursion: for each queen of the first two rows a child goes on from
 * there, with the whole call stack and the board as they are, and the parent goes on to the next column. What a child
 * counts comes back as its exit value. What is printed does not depend on how many hosts there are.
 */
import { exit, fork, RoostError, wait } from "roost";

/** Rows in which every queen gets a process of her own: 8 + 42 of them for N = 8. */
const FORKING_ROWS = 2;
const KNOWN = [1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712, 365596];

const n = Number(process.argv[2] ?? 8);
if (!Number.isInteger(n) || n < 1 || n >= KNOWN.length) {
  console.error(`queens: N must be a whole number from 1 to ${KNOWN.length - 1}`);
  exit(2);
}

/** The column of the queen in each row so far. */
const board = [];

/** Counts the solutions that begin with the board as it is; `first` is the one that comes first in column order. */
function solve() {
  const row = board.length;
  if (row === n) return { count: 1, first: [...board] };
  let total = { count: 0, first: undefined };
  let children = 0;
  for (let column = 0; column < n; column++) {
    if (board.some((c, r) => c === column || Math.abs(c - column) === row - r)) continue;
    board.push(column);
    if (row < FORKING_ROWS && forked()) children++;
    else total = sum(total, solve());
    board.pop();
  }
  for (; children > 0; children--) {
    const end = wait();
    if (end.status !== 0) throw new Error(`process ${end.pid} ended with ${end.signal ?? end.status}`);
    total = sum(total, end.value);
  }
  return total;
}

/** Leaves the rest of this branch to a child, if one may be made. In the child it does not return. */
function forked() {
  try {
    if (fork() !== 0) return true;
  } catch (error) {
    if (error instanceof RoostError && error.code === "EAGAIN") return false; // enough processes: do it here
    throw error;
  }
  exit(0, solve());
}

/** Order does not matter, so neither does which child ends first. */
function sum(a, b) {
  const first = [a.first, b.first].filter(Boolean).sort(inColumnOrder)[0];
  return { count: a.count + b.count, first };
}

function inColumnOrder(a, b) {
  const row = a.findIndex((column, r) => column !== b[r]);
  return row < 0 ? 0 : a[row] - b[row];
}

const { count, first } = solve();
console.log(`${n} queens: ${count} solutions`);
for (const column of first ?? [])
  console.log(`${". ".repeat(column)}Q ${". ".repeat(n - column - 1)}`.trimEnd());
if (count !== KNOWN[n]) {
  console.error(`queens: that is wrong, there are ${KNOWN[n]}`);
  exit(1);
}
