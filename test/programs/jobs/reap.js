/** Two hundred children, of which each is reaped once, with its own status and value. */
import { exit, fork, RoostError, wait } from "roost";

const CHILDREN = 200;
const begun = new Map();
for (let n = 0; n < CHILDREN; n++) {
  const pid = fork();
  if (pid === 0) exit(n, { n, square: n * n });
  begun.set(pid, n);
}

let right = 0;
for (let n = 0; n < CHILDREN; n++) {
  const { pid, status, signal, value } = wait();
  const is = begun.get(pid);
  begun.delete(pid);
  if (status === is && value.n === is && value.square === is * is && signal === null) right++;
}
console.log(`${right} of ${CHILDREN} reaped as they ended, ${begun.size} left`);
try {
  wait();
} catch (error) {
  console.log(error instanceof RoostError && error.code);
}
