import { exit, fork, readline, waitpid } from "roost";

// Questions go to whoever launched the job, from wherever the process is.
for (;;) {
  console.log("a number? (nothing to stop)");
  const typed = readline();
  if (!typed) exit(0);
  const child = fork();
  if (child === 0) {
    let n = BigInt(Math.min(3000, Math.trunc(Number(typed)) || 1));
    let product = 1n;
    for (; n > 1n; n--) product *= n;
    exit(0, String(product));
  }
  console.log(`${typed}! = ${waitpid(child).value}`);
}
