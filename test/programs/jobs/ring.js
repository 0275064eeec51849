/** A token goes round a ring of processes: ring.js [PROCESSES [ROUNDS]]. Whoever has it adds its place in the ring. */
import { exit, fork, getpid, recv, send, wait } from "roost";

const processes = Number(process.argv[2] ?? 8);
const rounds = Number(process.argv[3] ?? 4);

/** Made from the last place to the first, so that each knows the one after it; the first is after the last. */
let next = getpid();
let place = 0;
for (let n = processes - 1; n > 0; n--) {
  const pid = fork();
  if (pid === 0) {
    place = n;
    break;
  }
  next = pid;
}

const pass = (token) => send(next, "token", { ...token, sum: token.sum + place, hops: token.hops + 1 });
if (place === 0) pass({ sum: 0, hops: 0 });
for (let round = 0; round < rounds; round++) {
  const { value } = recv({ tag: "token" });
  if (place === 0) console.log(`round ${round + 1}: ${value.hops} hops, the sum is ${value.sum}`);
  if (place !== 0 || round < rounds - 1) pass(value);
}
if (place !== 0) exit();
for (let n = 1; n < processes; n++) if (wait().status !== 0) exit(1);
