import { exit, fork, getpid, hostname, wait } from "roost";

// Blocking calls block; fork() returns twice: in the parent, and in the child,
// which may already be in another tab.
for (let i = 0; i < 4; i++) {
  if (fork() === 0) {
    let sum = 0;
    for (let n = 0; n < 3e6; n++) sum += n % (i + 2);
    console.log(`process ${getpid()} on ${hostname()}: ${sum}`);
    exit(0, sum);
  }
}
for (let i = 0; i < 4; i++) {
  const child = wait();
  console.log(`process ${child.pid} ended with ${child.value}`);
}
