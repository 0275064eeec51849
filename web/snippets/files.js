import { fs, map } from "roost";

// Drop files beside the editor, and count their words. What is written can be saved afterwards.
const names = fs.readdirSync("/").filter((name) => fs.statSync(name).isFile());
const counts = map(names, (name) => {
  const words = fs.readFileSync(name, "utf8").match(/[\p{L}\p{N}]+/gu) ?? [];
  return { name, words: words.length };
});
for (const { name, words } of counts) console.log(`${String(words).padStart(8)} ${name}`);
if (names.length === 0) console.log("there are no files: drop some here");
fs.writeFileSync("words.json", JSON.stringify(counts, null, 2));
