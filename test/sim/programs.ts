/**
 * What simulated jobs do: each part of a job is one of these, in a process of its own. Whatever the schedule, a part that
 * nothing disturbs gives one value, prints one set of lines, each once, and leaves one content of files. A value read of
 * the outside is told as `name#value`: it must be the same wherever it is told.
 */
import { utf8Decode, utf8Encode } from "../../fabric/base/codec.ts";
import { RoostError } from "../../fabric/base/errors.ts";
import { check, type Doing, type Given, type Guest, type Want } from "./guest.ts";
import { clocks, killer, lines, mover, poison, signals, timers } from "./programs-of-signals.ts";

export interface Part {
  readonly program: string;
  readonly size: number;
}

/** One part: `path` keeps its lines, files, groups and tuples apart from those of others. */
export type Program = (g: Guest, path: string, size: number) => Doing<string>;

/** A node prints, looks at the clock, forks, computes, waits, tells what it saw again, and counts its subtree. */
const tree: Program = function* (g, path, size) {
  const [depth, fan] = size < 2 ? [1, 3] : [2, 2];
  return String(yield* node(g, path, depth, fan));
};

function* node(g: Guest, path: string, depth: number, fan: number): Doing<number> {
  yield* g.print(`${path} begins`);
  const saw = yield* g.now();
  const drew = Math.floor(g.random() * 1e6);
  for (let n = 0; n < fan && depth > 0; n++)
    yield* g.spawn(function* () {
      return String(yield* node(g, path + n, depth - 1, fan));
    });
  yield* g.compute(8 + (Math.floor(saw) % 7)); // time decides how long it takes
  let count = 1;
  for (let n = 0; n < fan && depth > 0; n++) count += Number(yield* g.wait());
  check((yield* g.now()) >= saw, "the clock stepped back");
  yield* g.print(`${path} ends ${path}.saw#${saw} ${path}.drew#${drew}`);
  yield* g.append(`${path.slice(0, 2)}.log`, `${path} ${path}.saw#${saw} ${path}.drew#${drew}`);
  return count;
}

/** A token goes round; each member knows what it must say. */
const ring: Program = function* (g, path, size) {
  const members = 2 + size;
  const rounds = 3;
  const pids: number[] = [];
  for (let n = 0; n < members; n++)
    pids.push(
      yield* g.spawn(function* () {
        const all = (yield* g.receive("members")).text.split(" ").map(Number);
        const next = all[(n + 1) % members] ?? 0;
        const before = all[(n + members - 1) % members] ?? 0;
        if (n === 0) yield* g.send(next, "token", "0");
        for (let round = 0; round < rounds; round++) {
          const { text, from } = yield* g.receive("token");
          const expected = n === 0 ? (round + 1) * members - 1 : round * members + n - 1;
          check(from === before && Number(text) === expected, `member ${n} got ${text}, not ${expected}`);
          yield* g.compute(2);
          if (n > 0 || round < rounds - 1) yield* g.post(next, "token", String(expected + 1));
        }
        yield* g.print(`${path} member ${n} is done`);
        return String(n);
      }),
    );
  yield* g.send(pids, "members", pids.join(" "));
  let sum = 0;
  for (const pid of pids) sum += Number(yield* g.wait(pid));
  return String(sum);
};

/** Numbered messages of several senders: in order from each, each once, and before the news of the sender's end. */
const letters: Program = function* (g, path, size) {
  const senders = 1 + size;
  const each = 8;
  const receiver = yield* g.spawn(function* () {
    const next = new Map<number, number>();
    const gone = new Set<number>();
    const all = (yield* g.receive("senders")).text.split(" ").map(Number);
    for (const pid of all) yield* g.call("notify", { pid, tag: "gone" });
    let count = 0;
    while (gone.size < senders) {
      const { from, tag, text } = yield* g.receive();
      if (tag === "gone") {
        check(next.get(from) === each && !gone.has(from), `${from} is gone after ${next.get(from)} letters`);
        gone.add(from);
        continue;
      }
      check(Number(text) === (next.get(from) ?? 0), `${from} wrote ${text}, not ${next.get(from) ?? 0}`);
      next.set(from, Number(text) + 1);
      if (++count % 4 === 0) yield* g.compute(1);
    }
    yield* g.print(`${path} got ${count}`);
    return String(count);
  });
  const pids: number[] = [];
  for (let n = 0; n < senders; n++)
    pids.push(
      yield* g.spawn(function* () {
        for (let i = 0; i < each; i++) {
          if (i % 3 === 0) yield* g.send(receiver, "number", String(i));
          else yield* g.post(receiver, "number", String(i));
          if (i % 4 === n) yield* g.compute(2);
        }
        return "sent";
      }),
    );
  yield* g.send(receiver, "senders", pids.join(" "));
  const count = yield* g.wait(receiver);
  for (const pid of pids) yield* g.wait(pid);
  return count;
};

/** In rounds, each writes to all, and to itself what it reads at once; whatever comes comes in the order of writing. */
const crossing: Program = function* (g, path, size) {
  const members = 2 + size;
  const rounds = 4;
  const pids: number[] = [];
  for (let n = 0; n < members; n++)
    pids.push(
      yield* g.spawn(function* () {
        const all = (yield* g.receive("members")).text.split(" ").map(Number);
        const self = all[n] ?? 0;
        const next = new Map<string, number>();
        const read = function* (tag?: string, from?: number): Doing<void> {
          const letter = yield* g.receive(tag, from);
          const line = `${letter.from} ${letter.tag}`;
          const expected = next.get(line) ?? 0;
          check(Number(letter.text) === expected, `${line}: ${letter.text}, not ${expected}`);
          next.set(line, expected + 1);
        };
        for (let round = 0; round < rounds; round++) {
          for (const pid of all) yield* g.post(pid, "round", String(round));
          for (let i = 0; i < 3; i++) {
            yield* g.post(self, "note", String(3 * round + i));
            if (i < 2) yield* read("note", self);
            if (g.random() < 0.3) yield* g.compute(2);
          }
          for (let got = 0; got < members + 1; got++) yield* read();
        }
        yield* g.print(`${path} ${n} is done`);
        return String(n);
      }),
    );
  yield* g.send(pids, "members", pids.join(" "));
  let sum = 0;
  for (const pid of pids) sum += Number(yield* g.wait(pid));
  return String(sum);
};

/**
 * Two on one host, who both talk and then both listen. What one has posted is confirmed while it talks: what it hears next may be
 * handed over there, unless more is on its way already. Or it is confirmed while it waits for what its home gives.
 */
const dialogue: Program = function* (g, path, size) {
  const talk = function* (to: number): Doing<void> {
    let said = 0;
    let heard = 0;
    for (let turn = 0; turn < 2 + size; turn++) {
      for (let n = 0; n < 3; n++) {
        yield* g.compute(g.random() * 3 - 1);
        yield* g.post(to, "word", String(said++));
      }
      while (heard < said) {
        const { text } = yield* g.receive("word");
        check(text === String(heard), `heard ${text}, not ${heard}`);
        heard++;
      }
    }
  };
  const first = yield* g.pid();
  const second = yield* g.spawn(function* () {
    yield* talk(first);
    return String(size);
  }, "local");
  yield* talk(second);
  yield* g.print(`${path} has said all`);
  return yield* g.wait(second);
};

/** Everybody gives everybody else something, round after round. */
const meetings: Program = function* (g, path, size) {
  const members = 2 + size;
  const group = `${path} group`;
  const meet = function* (what: string, say: (to: number) => string): Doing<readonly [number, string[]]> {
    const parcels = Array.from({ length: members }, (_, to) => ({ member: to, data: utf8Encode(say(to)) }));
    const met = yield* g.call("meet", { group, what, giver: -1, count: members, parcels });
    const got: string[] = [];
    for (const { member, data } of met.parcels) got[member] = utf8Decode(data);
    return [met.rank, got];
  };
  for (let n = 0; n < members; n++)
    yield* g.spawn(function* () {
      const { rank } = yield* g.call("join", { group });
      for (let round = 0; round < 3; round++) {
        yield* g.compute((rank + round) % 3);
        const [me, got] = yield* meet(`round ${round}`, (to) => `${rank} to ${to} in ${round}`);
        check(me === rank, "its rank has changed");
        for (let from = 0; from < members; from++)
          check(
            got[from] === `${from} to ${rank} in ${round}`,
            `in round ${round} ${rank} got "${got[from]}"`,
          );
      }
      yield* g.print(`${path} rank ${rank} is done`);
      yield* g.call("leave", { group });
      return String(rank);
    });
  let sum = 0;
  for (let n = 0; n < members; n++) sum += Number(yield* g.wait());
  return String(sum);
};

const field = (text: string) => ({ type: "text", data: utf8Encode(text) });

/** A bag of tasks: each is taken by one worker, and done once. */
const tasks: Program = function* (g, path, size) {
  const count = 4 + 2 * size;
  const out = (...texts: string[]) => g.call("out", { fields: [path, ...texts].map(field) });
  const find = function* (what: string, remove: boolean, wait = true): Doing<string | undefined> {
    const template = [...[path, what].map(field), { type: "text", data: undefined }];
    const { fields } = yield* g.call("find", { template, remove, wait });
    return fields?.[2] && utf8Decode(fields[2]);
  };
  for (let n = 0; n < 1 + size; n++)
    yield* g.spawn(function* () {
      check((yield* find("rule", false)) === "square", "the rule is another");
      for (;;) {
        const task = (yield* find("task", true)) ?? "";
        if (task === "stop") return "stopped";
        yield* g.compute(2);
        yield* g.print(`${path} task ${task}`);
        yield* out("result", String(Number(task) ** 2));
      }
    });
  for (let n = 1; n <= count; n++) yield* out("task", String(n));
  yield* out("rule", "square");
  let sum = 0;
  for (let n = 0; n < count; n++) sum += Number(yield* find("result", true));
  for (let n = 0; n < 1 + size; n++) yield* out("task", "stop");
  for (let n = 0; n < 1 + size; n++) yield* g.wait();
  check((yield* find("result", true, false)) === undefined, "a task was done twice");
  return String(sum);
};

/** Who has heard of a version of a file never sees an older one, though hosts keep what files said. */
const files: Program = function* (g, path, size) {
  const versions = 5;
  const name = `${path}.version`;
  const see = function* (): Doing<number> {
    try {
      const { size } = yield* g.call("stat", { path: name });
      const text = yield* g.readFile(name);
      check(text.length >= size, "the file is shorter than it was before");
      return text.length;
    } catch (error) {
      if (error instanceof RoostError && error.code === "ENOENT") return 0;
      throw error;
    }
  };
  const readers: number[] = [];
  for (let n = 0; n < 1 + size; n++)
    readers.push(
      yield* g.spawn(function* () {
        let latest = yield* see();
        for (let heard = 0; heard < versions; ) {
          if (heard === versions - 2) yield* g.compute(2);
          heard = Number((yield* g.receive("version")).text);
          const seen = yield* see();
          check(seen >= heard && seen >= latest, `saw version ${seen} after ${Math.max(heard, latest)}`);
          latest = seen;
          check((yield* see()) >= seen, "saw an older version");
        }
        yield* g.append(`${path}.readers`, `reader ${n} saw ${latest}`);
        return String(latest);
      }),
    );
  for (let version = 1; version <= versions; version++) {
    // Each is longer by a character; every other one comes by renaming.
    const temporary = version % 2 ? name : `${path}.new`;
    yield* g.writeFile(temporary, "v".repeat(version));
    if (temporary !== name) yield* g.call("rename", { from: temporary, to: name });
    yield* g.send(readers, "version", String(version));
    yield* g.compute(1);
  }
  let sum = 0;
  for (const pid of readers) sum += Number(yield* g.wait(pid));
  return String(sum);
};

/** Parent and children write through one open file: its offset is theirs together, and no line overwrites another. */
const offsets: Program = function* (g, path, size) {
  const name = `${path}.shared`;
  const { fd } = yield* g.call("open", { path: name, flags: "w+" });
  const write = (line: string) => g.call("write", { fd, data: utf8Encode(`${line}\n`), position: undefined });
  for (let n = 0; n < 1 + size; n++)
    yield* g.spawn(function* () {
      for (let i = 0; i < 4; i++) {
        yield* write(`child ${n} line ${i}`);
        if (i === n) yield* g.compute(2);
      }
      yield* g.call("close", { fd });
      return "written";
    });
  yield* write("parent");
  for (let n = 0; n < 1 + size; n++) yield* g.wait();
  const { size: bytes } = yield* g.call("stat", { path: name });
  const { data } = yield* g.call("read", { fd, length: 10_000, position: 0 });
  check(data.length === bytes, "the file has another length than what is in it");
  return String(utf8Decode(data).trimEnd().split("\n").length);
};

/** `none`: keeps the place of a part. */
const PROGRAMS: Record<string, Program> = {
  tree,
  ring,
  letters,
  crossing,
  dialogue,
  meetings,
  tasks,
  files,
  offsets,
  signals,
  lines,
  timers,
  clocks,
  killer,
  mover,
  poison,
  *none(g) {
    yield* g.compute(0);
    return "";
  },
};

/** Those that any weather leaves with their results. */
export const ROBUST = Object.keys(PROGRAMS).filter((name) => name !== "poison" && name !== "none");

/** The first process of a job: runs all parts, and exits with what they gave. */
export function* runProgram(g: Guest, source: string): Generator<Want, void, Given> {
  const parts: Part[] = JSON.parse(source);
  const children: number[] = [];
  for (const [n, { program, size }] of parts.entries())
    children.push(
      yield* g.spawn(function* () {
        const run = PROGRAMS[program];
        check(run, `there is no program ${program}`);
        return yield* run(g, `p${n}`, size);
      }),
    );
  const values: string[] = [];
  for (const child of children) values.push(yield* g.wait(child));
  yield* g.exit(values.join(" "));
}
