/** Three processes go round the hosts and look at the clock. It never steps back, and is never far from what it was. */
import { exit, fork, hosts, migrate, sleep, wait } from "roost";

const ROUNDS = 5;
const MINUTE_MS = 60_000;

function watch() {
  const began = Date.now();
  let [date, high, [seconds, nanos]] = [began, performance.now(), process.hrtime()];
  let back = 0;
  const look = () => {
    const now = [Date.now(), performance.now(), process.hrtime()];
    if (now[0] < date || now[1] < high) back++;
    if (now[2][0] < seconds || (now[2][0] === seconds && now[2][1] < nanos)) back++;
    [date, high, [seconds, nanos]] = now;
  };
  for (let round = 0; round < ROUNDS; round++)
    for (const { id } of hosts()) {
      look();
      try {
        migrate(id);
      } catch (error) {
        if (error.code !== "ENOHOST") throw error; // it has left meanwhile
      }
      look();
      sleep(2);
    }
  look();
  return { back, slept: date - began >= 2 * ROUNDS, near: date - began < MINUTE_MS };
}

const launched = Date.now();
for (let n = 0; n < 3; n++) if (fork() === 0) exit(0, watch());
for (let n = 0; n < 3; n++) console.log(wait().value);
console.log(
  `the year is right: ${Date.now() - launched < MINUTE_MS && new Date(launched).getFullYear() > 2024}`,
);
