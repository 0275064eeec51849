/**
 * Two processes write to one open file, which they have from their parent, and with it the offset: no line is lost, torn or
 * written over, and each process's are in its order.
 */
import { exit, fork, fs, waitpid } from "roost";

const LINES = 20;
const fd = fs.openSync("log", "w+");
const writers = ["left", "right"].map((name) => {
  const pid = fork();
  if (pid !== 0) return pid;
  for (let n = 0; n < LINES; n++) fs.writeSync(fd, `${name} ${n}${".".repeat(n)}\n`);
  return exit();
});
for (const pid of writers) waitpid(pid);
fs.writeSync(fd, "the end\n");
fs.closeSync(fd);

const lines = fs.readFileSync("log", "utf8").split("\n").slice(0, -1);
console.log(`${lines.length} lines, the last is "${lines.at(-1)}"`);
for (const name of ["left", "right"]) {
  const own = lines.filter((line) => line.startsWith(name));
  const right = own.every((line, n) => line === `${name} ${n}${".".repeat(n)}`);
  console.log(`${name}: ${own.length}, ${right ? "in order" : own.join("\n")}`);
}
