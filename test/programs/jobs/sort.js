/** Forks in the middle of a sort: whoever compares two numbers is a child, forked inside the builtin that called back. */
import { exit, fork, getpid, waitpid } from "roost";

const numbers = [31, 4, 15, 92, 6, 53, 58, 97, 9, 32];
let comparisons = 0;
let latest = 0;

const sorted = numbers.toSorted((a, b) => {
  comparisons++;
  latest = fork();
  if (latest === 0) exit(0, a - b);
  return waitpid(latest).value;
});

console.log(sorted.join(" "));
console.log(`a process for each comparison: ${latest === getpid() + comparisons}`);
