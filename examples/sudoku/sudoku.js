/**
 * Solves a sudoku as a satisfiability problem, by Davis, Logemann and Loveland's search (1962). Usage: sudoku.js [FILE],
 * 81 characters, a dot for what is not known; default examples/sudoku/inkala.txt.
 *
 * At each of the first choices the search forks: the child takes the other side, with everything that is known so far in
 * its memory. It says so when the puzzle has more than one solution, or none.
 */
import { exit, fork, fs, RoostError, wait } from "roost";

/** Choices that fork: at most 2 to the power of this many processes. */
const FORKING_CHOICES = 4;
const NINE = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/** Variables from 1 to 729: that digit `d` stands in row `r`, column `c`. A literal is a variable, or its negative. */
const variable = (r, c, d) => 81 * r + 9 * c + d + 1;

/** Of every cell, and of every digit in every row, column and box: it is somewhere, and nowhere twice. */
function sudokuClauses() {
  const clauses = [];
  const exactlyOne = (variables) => {
    clauses.push(variables);
    for (const [i, a] of variables.entries()) for (const b of variables.slice(i + 1)) clauses.push([-a, -b]);
  };
  for (const a of NINE)
    for (const b of NINE) {
      exactlyOne(NINE.map((n) => variable(a, b, n)));
      exactlyOne(NINE.map((n) => variable(a, n, b)));
      exactlyOne(NINE.map((n) => variable(n, a, b)));
      exactlyOne(
        NINE.map((n) => variable(3 * Math.floor(a / 3) + Math.floor(n / 3), 3 * (a % 3) + (n % 3), b)),
      );
    }
  return clauses;
}

const clauses = sudokuClauses();
/** Clauses in which a literal occurs, at `literal + 729`. */
const occurrences = Array.from({ length: 2 * 729 + 1 }, () => []);
for (const clause of clauses) for (const literal of clause) occurrences[literal + 729].push(clause);

/** 1 true, -1 false, 0 not known. */
const values = new Int8Array(730);
const truthOf = (literal) => (literal > 0 ? values[literal] : -values[-literal]);
/** What was made true, in order. */
const trail = [];

/** Makes a literal true with everything that follows from it; false where that contradicts itself. */
function assume(literal) {
  const queue = [literal];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (truthOf(next) > 0) continue;
    if (truthOf(next) < 0) return false;
    values[Math.abs(next)] = next > 0 ? 1 : -1;
    trail.push(next);
    for (const clause of occurrences[729 - next]) {
      let open = 0;
      let last = 0;
      for (const other of clause) {
        const value = truthOf(other);
        if (value > 0) {
          open = 2; // true already
          break;
        }
        if (value === 0) {
          open++;
          last = other;
          if (open > 1) break;
        }
      }
      if (open === 0) return false;
      if (open === 1) queue.push(last);
    }
  }
  return true;
}

function takeBack(length) {
  while (trail.length > length) values[Math.abs(trail.pop())] = 0;
}

/** A variable of the cell with the fewest digits left; 0 when every cell has its digit. */
function choice() {
  let best = 0;
  let fewest = 10;
  for (const r of NINE)
    for (const c of NINE) {
      const left = NINE.map((d) => variable(r, c, d)).filter((v) => values[v] === 0);
      if (left.length > 0 && left.length < fewest) {
        fewest = left.length;
        best = left[0];
      }
    }
  return best;
}

const board = () =>
  NINE.flatMap((r) => NINE.map((c) => NINE.findIndex((d) => values[variable(r, c, d)] > 0) + 1)).join("");

/** All solutions below what is assumed, two at most. */
function search(choices) {
  const literal = choice();
  if (literal === 0) return [board()];
  const mark = trail.length;
  const children = choices < FORKING_CHOICES && forked() ? 1 : 0;
  const solutions = assume(literal) ? search(choices + 1) : [];
  takeBack(mark);
  if (children > 0) {
    const end = wait();
    if (end.status !== 0) throw new Error(`process ${end.pid} ended with ${end.signal ?? end.status}`);
    solutions.push(...end.value);
  } else if (solutions.length < 2 && assume(-literal)) {
    solutions.push(...search(choices + 1));
  }
  takeBack(mark);
  return solutions.slice(0, 2);

  /** The child looks at the other side, and does not return. */
  function forked() {
    try {
      if (fork() !== 0) return true;
    } catch (error) {
      if (error instanceof RoostError && error.code === "EAGAIN") return false; // enough processes: do it here
      throw error;
    }
    exit(0, assume(-literal) ? search(choices + 1) : []);
  }
}

const file = process.argv[2] ?? "examples/sudoku/inkala.txt";
const puzzle = fs.readFileSync(file, "utf8").replace(/\s/g, "");
if (!/^[1-9.0]{81}$/.test(puzzle)) {
  console.error(`sudoku: ${file} does not have 81 digits and dots`);
  exit(2);
}
const consistent = [...puzzle].every(
  (digit, n) => !/[1-9]/.test(digit) || assume(variable(Math.floor(n / 9), n % 9, Number(digit) - 1)),
);
const solutions = consistent ? search(0) : [];
for (const solution of solutions)
  console.log(solution.replace(/.{9}/g, (line) => `${[...line].join(" ")}\n`));
console.log(
  ["there is no solution", "it is the only solution", "there are more solutions"][solutions.length],
);
exit(solutions.length === 1 ? 0 : 1);
