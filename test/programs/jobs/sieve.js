/**
 * Primes by a chain of processes (McIlroy 1968, Hoare 1978): sieve.js [LIMIT]. Each holds one prime, and lets pass to the next,
 * which it forks when it first needs it, what its prime does not divide.
 */
import { exit, fork, recv, send, wait } from "roost";

const limit = Number(process.argv[2] ?? 40);

/** Returns the primes of this process and all after it, when the numbers are at their end. */
function hold(prime) {
  let next = 0;
  for (;;) {
    const { value } = recv({ tag: "number" });
    if (value === "end") break;
    if (value % prime === 0) continue;
    if (next === 0) {
      next = fork();
      if (next === 0) exit(0, hold(value));
    } else send(next, "number", value);
  }
  if (next === 0) return [prime];
  send(next, "number", "end");
  return [prime, ...wait().value];
}

const first = fork();
if (first === 0) exit(0, hold(2));
for (let n = 3; n <= limit; n++) send(first, "number", n);
send(first, "number", "end");
console.log(wait().value.join(" "));
