/**
 * Dijkstra's five philosophers (1965), with a waiter who lets one eat by a signal when neither neighbour does. They eat in
 * the handler, in the middle of a call that blocks, and are sent home by another signal.
 */
import { exit, fork, getppid, kill, on, recv, send, waitpid } from "roost";

const SEATS = 5;
const MEALS = 3;

function philosopher(seat) {
  const waiter = getppid();
  let meals = 0;
  on("SIGUSR1", () => {
    meals++;
    send(waiter, "done", seat);
    if (meals < MEALS) send(waiter, "hungry", seat);
  });
  on("SIGTERM", () => exit(meals));
  send(waiter, "hungry", seat);
  recv({ tag: "nothing that is ever sent" });
}

const pids = Array.from({ length: SEATS }, (_, seat) => {
  const pid = fork();
  if (pid === 0) philosopher(seat);
  return pid;
});

const hungry = new Set();
const eating = new Set();
const neighbours = (seat) => [(seat + 1) % SEATS, (seat + SEATS - 1) % SEATS];
let wrong = 0;
for (let meals = 0; meals < SEATS * MEALS; ) {
  const { tag, value: seat } = recv();
  if (tag === "hungry") hungry.add(seat);
  else {
    if (!eating.delete(seat)) wrong++;
    meals++;
  }
  for (const next of hungry)
    if (!eating.has(next) && !neighbours(next).some((n) => eating.has(n))) {
      hungry.delete(next);
      eating.add(next);
      kill(pids[next], "SIGUSR1");
    }
}
for (const pid of pids) kill(pid, "SIGTERM");
for (const [seat, pid] of pids.entries()) {
  const { status, signal } = waitpid(pid);
  console.log(`philosopher ${seat + 1} ate ${status} times${signal ? ` and was ended by ${signal}` : ""}`);
}
console.log(`${wrong} ate without being let`);
