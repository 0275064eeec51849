/**
 * What a system call costs where the job's home is in the same process, and where it is across a link: two Node processes, real
 * WebRTC over loopback, through a relay. And messages, and what a move is made of. All times are taken by the programs themselves.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { join } from "../../fabric/edge/index.ts";
import type { Roost } from "../../fabric/library.ts";
import type { CallName } from "../../fabric/wire/calls.ts";
import { startRelay } from "../../relay/index.ts";
import { leastSquares, percentile } from "./statistics.ts";

/** From the built benchmark (dist/node). */
const COMMAND = fileURLToPath(new URL("../../fabric/edge/roost.mjs", import.meta.url));

/**
 * How each call is made once, the `i`th time: [what, before all of it]. Undefined: nothing comes back, or it is no call by itself.
 * `stat` and `readFile` are those of a file that does not change, which hosts read once.
 */
const CALLS: Record<CallName, readonly [make: string, before?: string] | undefined> = {
  exit: undefined,
  fork: [`fork({ on: "local" }) || exit()`],
  wait: [`wait({ timeout: 0 })`, `child()`],
  kill: [`kill(other, "SIGCONT")`, `other = child()`],
  identify: [`getppid()`],
  hosts: [`hosts()`],
  migrate: [`migrate(here)`, `here = hosts().find((host) => host.here).id`],
  hostname: [`hostname()`],
  sleep: [`sleep(0)`],
  random: [`crypto.getRandomValues(bytes)`],
  handle: [`on("SIGUSR1", i % 2 ? null : () => {})`],
  print: [`process.stdout.write("x")`],
  readLine: [`readline()`],
  open: [`fds.push(fs.openSync("file"))`],
  read: [`fs.readSync(fds[0], bytes, 0, bytes.length, 0)`],
  write: [`fs.writeSync(out, bytes, 0, bytes.length, 0)`, `out = fs.openSync("out" + getpid(), "w")`],
  close: [`fs.closeSync(fds.pop())`],
  stat: [`fs.statSync("file")`],
  readDirectory: [`fs.readdirSync("directory")`],
  makeDirectory: [`fs.mkdirSync("made" + getpid() + "." + i)`],
  unlink: [`fs.unlinkSync(mine + i)`, `for (let i = 0; i < times; i++) fs.writeFileSync(mine + i, "")`],
  rename: [`fs.renameSync(mine + (i % 2), mine + ((i + 1) % 2))`, `fs.writeFileSync(mine + 0, "")`],
  readFile: [`fs.readFileSync("file")`],
  writeFile: [`fs.writeFileSync(mine, bytes)`],
  send: undefined, // the first message to a process; then they are posted
  post: [`send(self, "tag", 1)`],
  receive: [`recv()`],
  probe: [`probe()`],
  notify: [`notify(other)`],
  join: [`group("g" + i).join()`],
  leave: [`group("g" + i).leave()`],
  members: [`group("g").members()`],
  meet: [`group("g").barrier()`, `group("g").join()`],
  out: [`space.out("tuple", self, i)`],
  find: [`space.in("tuple", self, i)`],
};

const NAMES =
  "exit fork fs getpid getppid group hostname hosts kill migrate notify on probe readline recv send sleep space wait waitpid";
const IMPORT = `import { ${NAMES.split(" ").join(", ")} } from "roost";`;

/** Where, and how often each call is made: syscalls.js PLACE TIMES. Its value is the microseconds of each. */
const COSTS = `${IMPORT}
const [, , place, count] = process.argv;
const times = Number(count);
const cost = {};
if (fork({ on: place }) === 0) {
  const self = getpid();
  const bytes = new Uint8Array(64);
  const fds = [];
  const mine = "file of " + self + ".";
  let other, here, out;
  const child = () => fork({ on: "local" }) || (recv(), exit());
  function measure(name, make, before, n) {
    before?.();
    const began = performance.now();
    for (let i = 0; i < n; i++) make(i);
    cost[name] = (performance.now() - began) * 1000 / n;
  }
${Object.entries(CALLS)
  .map(
    ([name, how]) =>
      how &&
      `  measure("${name}", (i) => { ${how[0]}; }, ${how[1] ? `() => { ${how[1]}; }` : undefined}, ${name === "fork" ? "20" : "times"});${name === "fork" ? " for (let i = 0; i < 20; i++) wait();" : ""}`,
  )
  .filter(Boolean)
  .join("\n")}
  exit(0, cost);
}
exit(0, wait().value);`;

/** Microseconds of a send and a receive here, the mean of a thousand each; milliseconds there and back, the mean of ten each; MiB a second to there. */
const MESSAGES = `${IMPORT}
const self = getpid();
for (let i = 0; i < 20_000; i++) { send(self, "warm"); recv(); } // the engine is compiled anew while it is used
const local = [];
for (let thousands = 0; thousands < 60; thousands++) {
  const began = performance.now();
  for (let i = 0; i < 1000; i++) { send(self, "tag", i); recv(); }
  local.push(performance.now() - began);
}

const LARGE = 1 << 20, LARGES = 24;
const other = fork({ on: "remote" });
if (other === 0) {
  const parent = 1;
  for (let i = 0; i < 310; i++) send(parent, "pong", recv().value);
  for (let i = 0; i < LARGES; i++) recv({ tag: "large" });
  send(parent, "got");
  exit();
}
const there = () => { send(other, "ping", 1); recv({ tag: "pong" }); };
for (let i = 0; i < 10; i++) there();
const rtts = [];
for (let tens = 0; tens < 30; tens++) {
  const began = performance.now();
  for (let i = 0; i < 10; i++) there();
  rtts.push((performance.now() - began) / 10);
}
const large = crypto.getRandomValues(new Uint8Array(65536));
const value = new Uint8Array(LARGE);
for (let at = 0; at < LARGE; at += large.length) value.set(large, at);
const began = performance.now();
for (let i = 0; i < LARGES; i++) send(other, "large", value);
recv({ tag: "got" });
exit(0, { local, rtts, mibPerS: LARGES / ((performance.now() - began) / 1000) });`;

/** Moves to and fro with so much memory, of which so much is changed before each, and so many open files. */
const MOVES = `${IMPORT}
const MIB = 1 << 20;
const PIECE = 1 << 16;
/** Half of it compresses, as data do. */
const noise = Uint8Array.from({ length: 2 * PIECE }, (_, i) => i % 2 ? 7 : Math.random() * 256);
/** Other bytes each time, and further apart than compression sees. */
function change(heap, from) {
  for (let at = 0; at < heap.length; at += PIECE) heap.set(noise.subarray(from, from + PIECE), at);
}
const moves = [];
while (!hosts().some((host) => !host.here)) sleep(50);
for (const heapMiB of [0, 1, 2])
  for (const changedMiB of [0, 1, 2])
    for (const files of [0, 60]) {
      if (changedMiB > heapMiB) continue;
      const pid = fork();
      if (pid === 0) {
        const heap = new Uint8Array(heapMiB * MIB);
        change(heap, 0);
        for (let n = 0; n < files; n++) fs.openSync("file");
        const times = [];
        for (let n = 0; n < 9; n++) {
          change(heap.subarray(0, changedMiB * MIB), 2 * n + 2);
          const away = hosts().find((host) => !host.here).id;
          const began = performance.now();
          migrate(away);
          if (n >= 2) times.push(performance.now() - began); // at first, all of it goes
        }
        exit(0, times);
      }
      const times = waitpid(pid).value.sort((a, b) => a - b);
      moves.push({ heapMiB, changedMiB, files, ms: times[times.length >> 1] }); // what else the machine did is no part of it
    }
exit(0, moves);`;

interface Move {
  readonly heapMiB: number;
  readonly changedMiB: number;
  readonly files: number;
  readonly ms: number;
}

/** Each in turn, so that whatever else the machine does meets both. */
const ROUNDS = 3;
const TIMES = { local: 200, remote: 100 };

export async function syscallSuite(): Promise<Record<string, number>> {
  const relay = await startRelay({ port: 0 });
  const far = donate(relay.url);
  try {
    await using near = await join(relay.url);
    await arrived(near);
    const costs = { local: [] as Record<string, number>[], remote: [] as Record<string, number>[] };
    for (let round = 0; round < ROUNDS; round++)
      for (const place of ["local", "remote"] as const)
        costs[place].push(await run(near, COSTS, [place, String(TIMES[place])]));
    const median = (place: "local" | "remote", name: string) =>
      percentile(
        costs[place].map((cost) => cost[name] ?? Number.NaN),
        50,
      );
    const figures: Record<string, number> = {};
    for (const name of Object.keys(costs.local[0] ?? {})) {
      figures[`syscall.${name}_local_us`] = median("local", name);
      figures[`syscall.${name}_remote_over_local_ratio`] = median("remote", name) / median("local", name);
    }

    const { local, rtts, mibPerS } = await run<{ local: number[]; rtts: number[]; mibPerS: number }>(
      near,
      MESSAGES,
    );
    const moves = await run<Move[]>(near, MOVES);
    const [fixed = 0, perHeapMiB = 0, perChangedMiB = 0, perFile = 0] = leastSquares(
      moves.map(({ heapMiB, changedMiB, files }) => [1, heapMiB, changedMiB, files]),
      moves.map(({ ms }) => ms),
    );
    return {
      ...figures,
      "message.local_send_recv_us": percentile(local, 50),
      "message.rtt_p50_ms": percentile(rtts, 50),
      "message.mib_per_s": mibPerS,
      "move.fixed_ms": fixed,
      "move.per_mib_of_memory_ms": perHeapMiB,
      "move.per_changed_mib_ms": perChangedMiB,
      "move.per_open_file_ms": perFile,
    };
  } finally {
    far.kill("SIGKILL");
    await relay.close();
  }
}

const donate = (relay: string): ChildProcess =>
  spawn(process.execPath, [COMMAND, "donate", "--always", "--workers", "1", "--relay", relay], {
    stdio: "ignore",
  });

async function arrived(roost: Roost): Promise<void> {
  for await (const { directory } of roost.changes()) if (directory.some(({ taking }) => taking)) return;
}

/** What its first process gives to `exit`. */
async function run<T>(roost: Roost, source: string, args: readonly string[] = []): Promise<T> {
  const file = new Uint8Array(64);
  const job = await roost.run(source, { args, files: { file, "directory/a": file } });
  job.type(undefined); // `readline` answers at once, that there is nothing
  const { status, value } = await job.ended;
  if (status === 0) return value as T;
  for await (const { data } of job.output()) process.stderr.write(data);
  throw new Error("the benchmark's program failed; what it said is above");
}
