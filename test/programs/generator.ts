/**
 * Random programs whose outcome is known. A seed gives a list of steps of several processes, in one order: forks,
 * messages, tuples, signals, kills, waits, writes. Each process's own steps are its code; whatever it waits for stands before, so
 * that the program cannot hang, and whatever it sees is the same however its processes are interleaved, moved or started again.
 */
import { chance } from "../sim/world.ts";

export interface Generated {
  readonly source: string;
  /** Every line that must be printed, those of each process in their order; `historyOf` makes the same of an output. */
  readonly history: string;
}

/** Groups lines by the process that they are of; the order among processes is nobody's promise. */
export function historyOf(output: string): string {
  const whose = (line: string) => line.slice(0, line.indexOf(":"));
  const lines = output.split("\n").filter(Boolean);
  return lines.toSorted((a, b) => Number(whose(a) > whose(b)) - Number(whose(a) < whose(b))).join("\n"); // stable
}

interface Actor {
  readonly name: string;
  readonly parent: Actor | undefined;
  readonly code: string[];
  readonly knows: Set<string>;
  readonly children: Actor[];
  state: "alive" | "ended" | "reaped";
  /** What `wait` says of it once it has ended. */
  end: string;
  handles: boolean;
}

/** Who is killed can leave no name. */
const howEnded = (a: Actor) => `${a.end.startsWith("SIG") ? "somebody" : a.name} ended ${a.end}`;

const ACTORS_MAX = 9;
/** Callers of a function that suspend in the middle of something the engine does itself. */
const INSIDE: readonly ((expression: string) => string)[] = [
  (x) => x,
  (x) => `[0].map(() => ${x})[0]`,
  (x) => `[...(function* () { yield ${x}; })()][0]`,
  (x) => `JSON.parse("1", () => ${x})`,
  (x) => `"a".replace(/a/, () => String(${x})) | 0`,
  (x) =>
    `[2, 1].sort(() => (globalThis.once ??= [${x}], 0)) && globalThis.once[0] + (delete globalThis.once, 0)`,
];

export function generate(seed: number, steps = 36): Generated {
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];
  const actors: Actor[] = [];
  const expected: string[] = [];
  let serial = 0;

  const add = (parent: Actor | undefined): Actor => {
    const name = `p${actors.length}`;
    const knows = new Set([...(parent?.knows ?? []), ...(parent ? [parent.name] : [])]);
    const actor: Actor = {
      name,
      parent,
      code: [],
      knows,
      children: [],
      state: "alive",
      end: "",
      handles: false,
    };
    actors.push(actor);
    return actor;
  };
  const alive = () => actors.filter((a) => a.state === "alive");
  const tell = (a: Actor, line: string) => {
    expected.push(`${a.name}: ${line}`);
  };
  /** Code that says what it saw, which must be this. */
  const sees = (a: Actor, code: string, what: string) => {
    a.code.push(`say(${code});`);
    tell(a, what);
  };
  const write = (a: Actor, how: (line: string) => string) => {
    const line = `${a.name}: wrote ${++serial}`;
    a.code.push(how(JSON.stringify(`${line}\n`)));
    written.push(line);
  };
  const written: string[] = [];

  /** `to` learns who `from` is, and that all it did so far is done. */
  const message = (from: Actor, to: Actor) => {
    const tag = ++serial;
    const size = below(4) === 0 ? 1 + below(20_000) : below(20);
    const value = `{ size: ${size}, text: "x".repeat(${size}) }`;
    if (from.knows.has(to.name) && below(3) > 0) {
      const known = to.knows.has(from.name);
      from.code.push(`send(pids.${to.name}, ${known ? `"plain"` : tag}, { n: ${tag}, ...${value} });`);
      const which = known ? `from: pids.${from.name}, tag: "plain"` : `tag: ${tag}`;
      sees(to, `heard("${from.name}", recv({ ${which} }))`, `heard ${tag} ${size}`);
      to.knows.add(from.name);
    } else {
      from.code.push(`space.out("letter", ${tag}, ${value}, getpid());`);
      to.code.push(`found = space.in("letter", ${tag}, Object, Number);`);
      sees(to, `\`found \${found[1]} \${found[2].text.length}\``, `found ${tag} ${size}`);
      to.code.push(`pids.${from.name} = found[3];`);
      to.knows.add(from.name);
    }
  };

  const end = (a: Actor) => {
    const status = below(200);
    const value = below(1_000);
    a.code.push(`exit(${status}, { name: "${a.name}", value: ${value} });`);
    a.state = "ended";
    a.end = `${status} ${value}`;
  };

  const actions: (() => void)[] = [
    function fork() {
      const parent = pick(alive());
      if (!parent || actors.length >= ACTORS_MAX) return;
      const child = add(parent);
      parent.children.push(child);
      const inside = pick(INSIDE) ?? INSIDE[0];
      const expression = `(child = fork()) === 0 ? ${child.name}() : child`;
      parent.code.push(`pids.${child.name} = Number(${inside?.(`(${expression})`)});`);
      parent.knows.add(child.name);
    },
    function talk() {
      const [from, to] = [pick(alive()), pick(alive())];
      if (from && to && from !== to) message(from, to);
    },
    function overtake() {
      // Two letters, received in the other order.
      const from = pick(alive());
      const to = pick(alive().filter((a) => a !== from && from?.knows.has(a.name)));
      if (!from || !to) return;
      const tags = [++serial, ++serial];
      for (const tag of tags) from.code.push(`send(pids.${to.name}, "n${tag}", ${tag});`);
      for (const tag of tags.toReversed()) sees(to, `recv({ tag: "n${tag}" }).value`, `${tag}`);
    },
    function signal() {
      const to = pick(alive());
      const from = pick(alive().filter((a) => a !== to));
      if (!from || !to) return;
      if (!to.handles) to.code.push(`on("SIGUSR1", () => signals++);`);
      to.handles = true;
      message(to, from); // from now on there is a handler
      from.code.push(`kill(pids.${to.name}, "SIGUSR1");`);
      message(from, to); // which has run when this is there
      sees(to, `"signals " + signals`, "signals 1");
      to.code.push("signals = 0;");
    },
    function slay() {
      const victim = pick(alive().filter((a) => a.parent));
      const killer = pick(alive().filter((a) => a !== victim));
      if (!victim || !killer || below(2) === 0) return;
      message(victim, killer);
      victim.code.push(
        pick([`recv({ tag: "never" });`, "sleep(1e9);", "for (;;);", `for (;;) migrate();`]) ?? "",
      );
      const signal = pick(["SIGKILL", "SIGTERM"]) ?? "";
      killer.code.push(`kill(pids.${victim.name}, "${signal}");`);
      victim.state = "ended";
      victim.end = signal;
    },
    function exit() {
      const a = pick(alive().filter((a) => a.parent));
      if (a && below(2) === 0) end(a);
    },
    function reap() {
      const ended = pick(actors.filter((a) => a.state === "ended" && a.parent?.state === "alive"));
      if (!ended?.parent) return;
      sees(ended.parent, `ended(waitpid(pids.${ended.name}))`, howEnded(ended));
      ended.state = "reaped";
    },
    function append() {
      const a = pick(alive());
      if (a) write(a, (line) => `fs.appendFileSync("log", ${line});`);
    },
    function writeShared() {
      const a = pick(alive());
      if (a) write(a, (line) => `fs.writeSync(shared, ${line});`);
    },
    function ownFile() {
      const a = pick(alive());
      if (!a) return;
      const n = ++serial;
      a.code.push(`fs.writeFileSync("${a.name}.txt", "${n}");`);
      sees(a, `fs.readFileSync("${a.name}.txt", "utf8")`, String(n));
    },
    function compute() {
      const a = pick(alive());
      if (!a) return;
      const n = 2_000 + below(20_000);
      sees(a, `sum(${n})`, String((n * (n - 1)) / 2));
    },
    function clock() {
      const a = pick(alive());
      if (a) sees(a, "clock()", "the clock goes on");
    },
  ];

  const first = add(undefined);
  for (let n = 0; n < 3; n++) actions[0]?.();
  for (let n = 0; n < steps; n++) pick(actions)?.();
  for (const a of actors.slice(1)) if (a.state === "alive") end(a);
  // Whoever was not waited for comes to the first process, which outlives all.
  const left = actors.filter((a) => a.parent && a.state === "ended").map(howEnded);
  const body = (a: Actor) => a.code.map((line) => `  ${line}`).join("\n");
  const functions = actors
    .slice(1)
    .map((a) => `function ${a.name}() {\n  begin("${a.name}");\n${body(a)}\n}`);
  for (const line of [...left, ...written].toSorted()) tell(first, line);
  return {
    source: `${PRELUDE}\n${functions.join("\n\n")}\n\n{\n${body(first)}\n  finish();\n}\n`,
    history: historyOf(expected.join("\n")),
  };
}

const PRELUDE = `
import { exit, fork, fs, getpid, kill, migrate, on, recv, RoostError, send, sleep, space, wait, waitpid } from "roost";
const pids = { p0: getpid() };
const shared = fs.openSync("shared", "w+");
let name = "p0", child, found, signals = 0, latest = 0;

function begin(own) { name = own; pids[own] = getpid(); signals = 0; }
function say(what) { console.log(name + ": " + what); }
function heard(from, { from: pid, value }) {
  if (pids[from] !== undefined && pids[from] !== pid) say("a stranger");
  pids[from] = pid;
  return "heard " + value.n + " " + value.text.length;
}
function ended({ status, signal, value }) {
  return (value?.name ?? "somebody") + " ended " + (signal ?? status + " " + value.value);
}
function sum(n) { let s = 0; for (let i = 0; i < n; i++) s += i; return s; }
function clock() {
  const now = Date.now();
  const back = now < latest;
  latest = now;
  return back ? "the clock went back" : "the clock goes on";
}
function finish() {
  const lines = [];
  try {
    for (;;) lines.push(ended(wait()));
  } catch (error) {
    if (!(error instanceof RoostError && error.code === "ECHILD")) throw error;
  }
  const read = (file) => fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\\n").slice(0, -1) : [];
  for (const line of [...lines, ...read("log"), ...read("shared")].sort()) say(line);
}
`;
