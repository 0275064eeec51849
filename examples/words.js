/**
 * Counts the words of all text below a directory. Usage: words.js [DIRECTORY [N]], default "." and the 10 most frequent.
 * Every child reads some of the files; what it counted comes back as a Map.
 */
import { exit, fs, map } from "roost";

const [directory = ".", n = "10"] = process.argv.slice(2);
const isText = (name) => /\.(md|txt)$/.test(name);
const isSkipped = (name) => name === "node_modules" || name === "dist" || name.startsWith(".");
const join = (a, b) => (a === "." || a === "" ? b : `${a}/${b}`);

function find(below) {
  return fs.readdirSync(below, { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.isDirectory()) return isSkipped(entry.name) ? [] : find(path);
    return isText(entry.name) ? [path] : [];
  });
}

function count(path) {
  const counts = new Map();
  for (const [word] of fs
    .readFileSync(path, "utf8")
    .toLowerCase()
    .matchAll(/\p{L}+/gu))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

const files = find(directory);
if (files.length === 0) {
  console.error(`words: there is no .md or .txt file below ${directory}`);
  exit(1);
}
const total = new Map();
for (const counts of map(files, count))
  for (const [word, times] of counts) total.set(word, (total.get(word) ?? 0) + times);
// Equal counts in the order of the code points, so that the output does not depend on which file came first.
const sorted = [...total].sort(([a, i], [b, j]) => j - i || (a < b ? -1 : 1));
const all = sorted.reduce((sum, [, times]) => sum + times, 0);
console.log(`${files.length} files, ${all} words, ${sorted.length} different ones`);
for (const [word, times] of sorted.slice(0, Number(n))) console.log(`${String(times).padStart(7)} ${word}`);
