/**
 * A master and his workers, as PVM's programs are: farm.js [WORKERS [TASKS]]. Who is done asks for more, so that nobody waits for
 * the slowest. The task: the longest of Collatz' sequences that begin in a hundred.
 */
import { exit, fork, getppid, recv, send, wait } from "roost";

const workers = Number(process.argv[2] ?? 3);
const tasks = Number(process.argv[3] ?? 12);

function longest(hundred) {
  let best = { start: 0, steps: -1 };
  for (let start = hundred * 100 + 1; start <= hundred * 100 + 100; start++) {
    let steps = 0;
    for (let n = start; n !== 1; n = n % 2 ? 3 * n + 1 : n / 2) steps++;
    if (steps > best.steps) best = { start, steps };
  }
  return best;
}

function work() {
  const master = getppid();
  let done = 0;
  send(master, "idle");
  for (let { tag, value } = recv(); tag !== "stop"; { tag, value } = recv()) {
    send(master, "done", { task: value, result: longest(value) });
    done++;
  }
  return done;
}

for (let n = 0; n < workers; n++) if (fork() === 0) exit(0, work());

const results = [];
let next = 0;
let stopped = 0;
while (stopped < workers) {
  const { from, tag, value } = recv();
  if (tag === "done") results[value.task] = value.result;
  if (next < tasks) send(from, "task", next++);
  else {
    send(from, "stop");
    stopped++;
  }
}
let done = 0;
for (let n = 0; n < workers; n++) done += wait().value;
for (const [task, { start, steps }] of results.entries())
  console.log(`${task * 100 + 1} to ${task * 100 + 100}: ${start} takes ${steps} steps`);
console.log(`${done} tasks done`);
