/**
 * Primes by live tuples (Carriero and Gelernter, "How to write parallel programs", 1990): linda.js [LIMIT]. For each number
 * a process finds out whether it is prime, and waits for what others found out about smaller ones.
 */
import { space, wait } from "roost";

const limit = Number(process.argv[2] ?? 30);

function isPrime(me) {
  for (let n = 2; n * n <= me; n++) {
    const [, , prime] = space.rd("prime", n, Boolean);
    if (prime && me % n === 0) return false;
  }
  return true;
}

for (let n = 2; n <= limit; n++) space.eval("prime", n, () => isPrime(n));

const primes = [];
for (let n = 2; n <= limit; n++) if (space.rd("prime", n, Boolean)[2]) primes.push(n);
console.log(primes.join(" "));
for (let n = 2; n <= limit; n++) wait();
console.log(`left over: ${space.inp("prime", 4, true)} and ${space.inp("prime", 4, false)}`);
