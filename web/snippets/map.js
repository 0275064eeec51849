import { exit, map } from "roost";

// A closure over many items: forked children take runs of them, and the results come back in order.
const isPrime = (n) => {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
};
const starts = Array.from({ length: 40 }, (_, i) => i * 5000);
const rows = map(starts, (from) => {
  let primes = 0;
  for (let n = from; n < from + 5000; n++) if (isPrime(n)) primes++;
  return { from, to: from + 4999, primes };
});

console.log(`${rows.reduce((sum, row) => sum + row.primes, 0)} primes`);
exit(0, rows); // a list of records is shown as a table
