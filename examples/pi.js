/**
 * Digits of π, one line at a time, on another host: kill that host in the middle, and no digit is lost or printed twice.
 * Usage: pi.js [DIGITS], a multiple of 50, default 1000.
 *
 * Gibbons' spigot (2006) needs nothing of what it has printed, but all of its state; that is what travels, or is started
 * again from the last image with everything the process learned since. In the end the digits are compared with
 * Machin's formula (1706).
 */
import { exit, fork, hostname, waitpid } from "roost";

const digits = Number(process.argv[2] ?? 1000);
const LINE = 50;
if (!Number.isInteger(digits) || digits < LINE || digits % LINE !== 0) {
  console.error(`pi: the number of digits must be a multiple of ${LINE}`);
  exit(2);
}

/** The digits of π after one another: 3, 1, 4, … */
function* spigot() {
  let [q, r, t, k, n, l] = [1n, 0n, 1n, 1n, 3n, 3n];
  for (;;)
    if (4n * q + r - t < n * t) {
      yield n;
      [q, r, n] = [10n * q, 10n * (r - n * t), (10n * (3n * q + r)) / t - 10n * n];
    } else
      [q, r, t, k, n, l] = [
        q * k,
        (2n * q + r) * l,
        t * l,
        k + 1n,
        (q * (7n * k) + 2n + r * l) / (t * l),
        l + 2n,
      ];
}

/** π as 16 arctan(1/5) - 4 arctan(1/239), in units of the last digit but ten. */
function machin(count) {
  const one = 10n ** BigInt(count + 10);
  const arctan = (x) => {
    let sum = 0n;
    for (let term = one / x, n = 1n, sign = 1n; term > 0n; term /= x * x, n += 2n, sign = -sign)
      sum += (sign * term) / n;
    return sum;
  };
  return String(16n * arctan(5n) - 4n * arctan(239n)).slice(0, count);
}

const child = fork({ on: "remote" });
if (child === 0) {
  console.error(`computing on ${hostname()}`);
  let all = "";
  for (const digit of spigot()) {
    all += digit;
    if (all.length % LINE === 0) console.log(all.slice(-LINE));
    if (all.length === digits) break;
  }
  console.error(`done on ${hostname()}`);
  exit(0, all);
}
const { value } = waitpid(child);
if (value !== machin(digits)) {
  console.error("pi: that is wrong");
  exit(1);
}
console.log(`${digits} digits, as by Machin's formula`);
