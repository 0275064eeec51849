import { exit, fork, getpid, recv, send, wait } from "roost";

// A token goes round a ring of processes; each adds itself. Messages find their process wherever it has moved.
const size = 5;
const first = getpid();
const ring = [];
for (let n = 0; n < size; n++) {
  const child = fork();
  if (child === 0) {
    const next = recv({ tag: "next" }).value;
    for (;;) {
      const { value } = recv({ tag: "token" });
      if (value === null) exit(0);
      send(next, "token", [...value, getpid()]);
    }
  }
  ring.push(child);
}
ring.forEach((pid, n) => {
  send(pid, "next", ring[n + 1] ?? first);
});
for (let round = 1; round <= 3; round++) {
  send(ring[0], "token", [first]);
  console.log(`round ${round}: ${recv({ tag: "token" }).value.join(" → ")}`);
}
send(ring, "token", null);
for (const _ of ring) wait();
