/** Parts of simulated jobs in which processes are interrupted, timed out, moved and killed. See programs.ts. */
import { RoostError } from "../../fabric/base/errors.ts";
import { check, type Doing, type Guest } from "./guest.ts";
import type { Program } from "./programs.ts";

/** What a process can be doing when a signal comes. */
const OCCUPATIONS: ((g: Guest, path: string) => Doing<unknown>)[] = [
  (g) => g.receive("stop"),
  function* (g) {
    while (!(yield* g.call("probe", { from: -1, tag: "stop" })).found) yield* g.compute(2);
    yield* g.receive("stop");
  },
  function* (g, path) {
    for (let n = 0; !(yield* g.receiveUntil(0, "stop")); n++) {
      yield* g.print(`${path} waits ~${n}`);
      yield* g.compute(2);
    }
  },
  function* (g) {
    while (!(yield* g.receiveUntil((yield* g.now()) + 20, "stop"))) yield* g.compute(1);
  },
];

/** Handlers run once for each signal that was confirmed, whatever the process does meanwhile, and not while it is stopped. */
export const signals: Program = function* (g, path, size) {
  const parent = yield* g.pid();
  let ended = 0;
  yield* g.on("SIGCHLD", function* () {
    ended++;
    yield* g.compute(1);
  });
  const occupation = OCCUPATIONS[size % OCCUPATIONS.length];
  check(occupation, "occupation");
  const child = yield* g.spawn(function* () {
    let count = 0;
    yield* g.on("SIGUSR1", function* () {
      yield* g.send(parent, "poked", String(++count));
    });
    yield* g.send(parent, "ready", "");
    yield* occupation(g, path);
    return String(count);
  });
  yield* g.receive("ready");
  const poke = function* (expected: number): Doing<void> {
    const { text } = yield* g.receive("poked");
    check(text === String(expected), `poked ${text} times, not ${expected}`);
  };
  for (let n = 1; n <= 4; n++) {
    yield* g.kill(child, "SIGUSR1");
    yield* poke(n);
  }
  yield* g.kill(child, "SIGSTOP");
  yield* g.kill(child, "SIGUSR1");
  const early = yield* g.receiveUntil((yield* g.now()) + 40, "poked");
  check(!early, "a stopped process handled a signal");
  yield* g.kill(child, "SIGCONT");
  yield* poke(5);
  yield* g.send(child, "stop", "");
  const count = yield* g.wait(child);
  yield* g.compute(1);
  yield* g.pid();
  check(ended >= 1, "nobody told that the child has ended");
  return count;
};

/** Each line of input goes to one of those who ask. */
export const lines: Program = function* (g, path, size) {
  for (let n = 0; n < 1 + size; n++)
    yield* g.spawn(function* () {
      yield* g.on("SIGUSR2", function* () {
        yield* g.compute(1);
      });
      let sum = 0;
      for (;;) {
        const { line } = yield* g.call("readLine", undefined);
        if (line === undefined) return String(sum);
        sum += Number(line);
        yield* g.print(`${path} read ${line}`);
        if (sum % 2) yield* g.call("kill", { pid: yield* g.pid(), signal: "SIGUSR2" });
      }
    });
  let sum = 0;
  for (let n = 0; n < 1 + size; n++) sum += Number(yield* g.wait());
  return String(sum);
};

/** Nothing wakes before its time, and the clock never steps back, wherever it is read. */
export const timers: Program = function* (g, path, size) {
  let latest = 0;
  const now = function* (): Doing<number> {
    const time = yield* g.now();
    check(time >= latest, `the clock stepped back by ${latest - time} ms`);
    latest = time;
    return time;
  };
  const child = yield* g.spawn(function* () {
    for (let n = 0; n < 3; n++) {
      yield* g.compute(3);
      yield* g.call("sleep", { dueMs: (yield* now()) + 15 });
      yield* now();
    }
    return "slept";
  });
  for (let n = 0; n < 2 + size; n++) {
    yield* g.receiveUntil((yield* now()) + 10, "never");
    yield* now();
    yield* g.compute(2);
  }
  let end: { readonly value: Uint8Array } | undefined;
  while (!end) ({ end } = yield* g.call("wait", { pid: child, dueMs: (yield* now()) + 25 }));
  const { bytes } = yield* g.call("random", { length: 2 });
  const drew = bytes.join(".");
  yield* g.print(`${path} woke ${path}.at#${yield* now()} ${path}.drew#${drew}`);
  yield* g.append(`${path}.times`, `${path} woke ${path}.at#${latest} ${path}.drew#${drew}`);
  return "awake";
};

/** What was told of the outside once is what it was, in whatever run it is told again. */
export const clocks: Program = function* (g, path, size) {
  let latest = 0;
  const all: string[] = [];
  for (let n = 0; n < 4 + 2 * size; n++) {
    const now = yield* g.now();
    check(now >= latest, `the clock stepped back by ${latest - now} ms`);
    latest = now;
    const { bytes } = yield* g.call("random", { length: 2 });
    yield* g.compute(2); // what it has learned is not told yet
    const told = `${path} ${n} ${path}.${n}.at#${now} ${path}.${n}.drew#${bytes.join(".")}`;
    yield* g.print(told);
    yield* g.compute(1 + (Math.floor(now) % 5));
    yield* g.append(`${path}.clocks`, told);
    all.push(told);
  }
  yield* g.print(`${path} in all ${all.join(" ")}`);
  return String(size);
};

/** Processes that would run for ever, and move, are ended wherever they are. */
export const killer: Program = function* (g, path, size) {
  const children: number[] = [];
  const listener = yield* g.spawn(() => listen(g));
  for (let n = 0; n < 2 + size; n++) {
    const child = yield* g.fork();
    if (child > 0) {
      children.push(child);
      continue;
    }
    for (let beat = 0; ; beat++) {
      yield* g.post(listener, "beat", String(beat));
      yield* g.compute(3);
      if (g.random() < 0.3) yield* g.call("migrate", { host: "" });
    }
  }
  for (const child of children) {
    yield* g.compute(4);
    const signal = child % 2 ? "SIGKILL" : "SIGTERM";
    yield* g.kill(child, signal);
    const { end } = yield* g.call("wait", { pid: child, dueMs: undefined });
    check(end?.signal === signal, `killed by ${signal}, ended by ${end?.signal}`);
    check(!(yield* isAlive(g, child)), "killed, and still there");
  }
  yield* g.send(listener, "stop", "");
  yield* g.wait(listener);
  yield* g.print(`${path} killed ${children.length}`);
  return String(children.length);
};

/** Hears others until they are killed. */
function* listen(g: Guest): Doing<string> {
  const next = new Map<number, number>();
  for (;;) {
    const { from, tag, text } = yield* g.receive();
    if (tag === "stop") return "stopped";
    check(Number(text) === (next.get(from) ?? 0), `${from} said ${text}, not ${next.get(from) ?? 0}`);
    next.set(from, Number(text) + 1);
    if (Number(text) % 3 === 0) yield* g.compute(1);
  }
}

function* isAlive(g: Guest, pid: number): Doing<boolean> {
  try {
    yield* g.kill(pid, "SIGCONT");
    return true;
  } catch (error) {
    if (error instanceof RoostError && error.code === "ESRCH") return false;
    throw error;
  }
}

/** Moves itself from host to host, by name or anywhere. It rests before it goes: a clock that is too fast has gone far ahead by then. */
export const mover: Program = function* (g, path, size) {
  const name = yield* g.call("hostname", undefined);
  for (let n = 0; n < 3 + size; n++) {
    const { hosts } = yield* g.call("hosts", undefined);
    const to = g.random() < 0.3 ? "" : (hosts[Math.floor(g.random() * hosts.length)]?.id ?? "");
    yield* g.call("sleep", { dueMs: (yield* g.now()) + 300 });
    const before = yield* g.now();
    try {
      yield* g.call("migrate", { host: to });
    } catch (error) {
      if (!(error instanceof RoostError && error.code === "ENOHOST")) throw error;
    }
    const after = yield* g.now();
    check(after >= before, `the clock stepped back by ${before - after} ms in a move`);
    yield* g.compute(2);
    yield* g.print(`${path} hop ${n} ${path}.began#${name.name}`);
  }
  return String(size);
};

/** Brings down every host it comes to: it is given up, and says so, and whoever waits for it goes on. */
export const poison: Program = function* (g, path) {
  const child = yield* g.spawn(function* () {
    yield* g.boom();
    return "unharmed";
  }, "remote");
  const { end } = yield* g.call("wait", { pid: child, dueMs: undefined });
  check(end?.signal === "SIGKILL", `poison ended with ${end?.status} ${end?.signal}`);
  yield* g.print(`${path} is over it`);
  return "survived";
};
