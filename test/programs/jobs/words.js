/**
 * The commonest words of a book: words.js FILE [PROCESSES]. Each process reads its part of the file, which begins and
 * ends between words wherever that may be, and gives back what it counted.
 */
import { exit, fork, fs, waitpid } from "roost";

const file = process.argv[2];
const processes = Number(process.argv[3] ?? 4);
const { size } = fs.statSync(file);
const isLetter = (byte) => (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122);

/** The first place from `at` on that is in no word. */
function betweenWords(fd, at) {
  const buffer = new Uint8Array(64);
  for (let place = at; place < size; place += buffer.length) {
    const length = fs.readSync(fd, buffer, 0, buffer.length, place);
    const found = buffer.subarray(0, length).findIndex((byte) => !isLetter(byte));
    if (found >= 0) return place + found;
  }
  return size;
}

function count(part) {
  const fd = fs.openSync(file);
  const from = part === 0 ? 0 : betweenWords(fd, Math.floor((size * part) / processes));
  const to = betweenWords(fd, Math.floor((size * (part + 1)) / processes));
  const bytes = new Uint8Array(to - from);
  for (let got = 0; got < bytes.length; )
    got += fs.readSync(fd, bytes, got, Math.min(16_384, bytes.length - got), from + got);
  fs.closeSync(fd);
  const counts = new Map();
  for (const [word] of new TextDecoder()
    .decode(bytes)
    .toLowerCase()
    .matchAll(/[a-z]+/g))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

const children = Array.from({ length: processes }, (_, part) => {
  const pid = fork();
  if (pid === 0) exit(0, count(part));
  return pid;
});

const total = new Map();
for (const pid of children)
  for (const [word, n] of waitpid(pid).value) total.set(word, (total.get(word) ?? 0) + n);
const all = [...total].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
console.log(`${all.reduce((sum, [, n]) => sum + n, 0)} words, ${all.length} different`);
for (const [word, n] of all.slice(0, 12)) console.log(`${String(n).padStart(5)} ${word}`);
