/** Two processes send each other larger and larger values, of many kinds, which come back as they were. */
import { exit, fork, getppid, recv, send, waitpid } from "roost";

const kinds = (n) => [
  "x".repeat(n),
  new Uint8Array(n).fill(n),
  new Map([[n, new Set([n, `${n}`])]]),
  { at: new Date(n), big: 2n ** BigInt(n), list: Array.from({ length: n }, (_, i) => i / 3) },
];

const partner = fork();
if (partner === 0) {
  for (let got = recv(); got.tag !== "enough"; got = recv()) send(getppid(), got.tag, got.value);
  exit(7);
}

const lengths = [1, 10, 100, 1_000];
let same = 0;
for (const n of lengths)
  for (const [kind, value] of kinds(n).entries()) {
    const tag = n * 10 + kind;
    send(partner, tag, value);
    const back = recv({ from: partner, tag });
    if (equal(back.value, value)) same++;
  }
send(partner, "enough");
console.log(`${same} of ${4 * lengths.length} came back as they were`);
console.log(`the partner ended with ${waitpid(partner).status}`);

function equal(a, b) {
  if (typeof a !== "object") return Object.is(a, b);
  if (a.constructor !== b.constructor) return false;
  if (a instanceof Date) return a.getTime() === b.getTime();
  const [x, y] = [a, b].map((v) => (v instanceof Map || v instanceof Set ? [...v] : Object.values(v)));
  return x.length === y.length && x.every((value, i) => equal(value, y[i]));
}
