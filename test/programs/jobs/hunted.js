/**
 * Two processes that move all the time are killed, one after it has moved a few times, one at once. Neither says
 * anything after its end.
 */
import { fork, fs, kill, migrate, sleep, waitpid } from "roost";

function runAway(name) {
  for (let moves = 1; ; moves++) {
    migrate();
    fs.writeFileSync(name, String(moves));
  }
}

const moved = (name) => (fs.existsSync(name) ? Number(fs.readFileSync(name, "utf8") || 0) : 0);

const names = ["first", "second"];
const pids = names.map((name) => {
  const pid = fork();
  if (pid === 0) runAway(name);
  return pid;
});
while (moved("first") < 5) sleep(5);
for (const pid of pids) kill(pid, "SIGKILL");
for (const pid of pids) console.log(waitpid(pid).signal);
const after = names.map(moved);
sleep(50);
console.log(`still moving: ${names.some((name, n) => moved(name) !== after[n])}`);
