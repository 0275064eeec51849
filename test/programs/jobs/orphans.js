/** A process whose parent has ended is adopted by the job's first process, which hears of its end. */
import { exit, fork, getpid, getppid, sleep, wait, waitpid } from "roost";

const parent = fork();
if (parent === 0) {
  const self = getpid();
  for (let n = 1; n <= 3; n++) {
    if (fork() !== 0) continue;
    while (getppid() === self) sleep(5); // until the parent is gone
    exit(n, { adoptedBy: getppid() });
  }
  exit(0, "gone before its children");
}

console.log(waitpid(parent).value);
const ends = [wait(), wait(), wait()].sort((a, b) => a.status - b.status);
for (const { status, value } of ends) console.log(status, value);
console.log(`the first process is ${getpid()}`);
