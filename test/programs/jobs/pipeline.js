/** A pipeline of four processes: numbers, their squares, those that end in 6, and their sum so far. */
import { exit, fork, recv, send, wait } from "roost";

const NUMBERS = 25;
const END = null;

/** From the last stage to the first: each knows the one after it. */
const stages = [
  (take) => {
    let sum = 0;
    for (let n = take(); n !== END; n = take()) {
      sum += n;
      console.log(`${n}, so far ${sum}`);
    }
  },
  (take, give) => {
    for (let n = take(); n !== END; n = take()) if (n % 10 === 6) give(n);
  },
  (take, give) => {
    for (let n = take(); n !== END; n = take()) give(n * n);
  },
  (_take, give) => {
    for (let n = 1; n <= NUMBERS; n++) give(n);
  },
];

let next = 0;
for (const stage of stages) {
  const pid = fork();
  if (pid === 0) {
    const give = (value) => send(next, "value", value);
    stage(() => recv({ tag: "value" }).value, give);
    if (next !== 0) give(END);
    exit();
  }
  next = pid;
}
for (const _ of stages) if (wait().status !== 0) exit(1);
