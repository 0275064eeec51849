/**
 * Rules of the fabric broken on purpose, one at a time, to see that the simulator notices: replacements of text, made when
 * a module is transformed. By hand:  ROOST_MUTATION="no epochs" npx vitest run --project sim test/sim/histories
 */
import type { Plugin } from "vite";

export interface Mutation {
  /** Below fabric/. */
  readonly file: string;
  /** Occurs in it once. */
  readonly from: string;
  readonly to: string;
  /** Where it takes many histories: one that noticed it when this was written, and is lived first. The first are lived if that says nothing any more. */
  readonly near?: number;
}

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "no epochs": {
    file: "home/home.ts",
    from: "p.where.host !== host || p.epoch !== message.epoch",
    to: "p.where.host !== host",
    near: 894,
  },
  "anybody is listened to": {
    file: "home/home.ts",
    from: 'p?.where.kind !== "at" || p.where.host !== host || p.epoch !== message.epoch',
    to: 'p?.where.kind !== "at"',
    near: 894,
  },
  "answers are forgotten when they have been sent": {
    file: "home/answers.ts",
    from: "  remember(p, call, told);\n",
    to: "",
  },
  "a placement without what was learned": {
    file: "home/placing.ts",
    from: "answers: Array.from(p.answers, ([call, answer]) => ({ call, answer })),",
    to: "answers: [],",
  },
  "a restart reads the clock anew": { file: "home/placing.ts", from: "clock: p.clock,", to: "clock: []," },
  "the clock is behind after a move": {
    file: "host/resident.ts",
    from: "place.snapshot?.clockMs ?? 0",
    to: "0",
    near: 75,
  },
  "the latest letter first": {
    file: "home/mail.ts",
    from: "q.mailbox.push(letter);",
    to: "q.mailbox.unshift(letter);",
  },
  "a letter is read and stays": {
    file: "home/mail.ts",
    from: "  q.mailbox.splice(at, 1);\n  q.mailboxBytes -= letterBytes(letter);\n",
    to: "",
  },
  "a letter is handed over before one that is under way": {
    file: "host/handed-letters.ts",
    from: " && !this.#underWay.has(nameOf(box))",
    to: "",
    near: 156,
  },
  "a letter is handed over by host and home": {
    file: "host/handed-letters.ts",
    from: " && box.asks === undefined",
    to: "",
  },
  "a snapshot says nothing of letters that were handed over": {
    file: "host/learnings.ts",
    from: "letters: this.#letters.filter(({ call }) => call < calls)",
    to: "letters: []",
    near: 57,
  },
  "a child ends twice": { file: "home/lives.ts", from: "  done.reaped = true;\n", to: "" },
  "guests run on after halt": {
    file: "host/executor.ts",
    from: "        this.#halted = true;\n",
    to: "",
  },
  "guests run on after their snapshot has left": {
    file: "host/executor.ts",
    from: '    p.state = { kind: "frozen" };\n    const learned',
    to: "    const learned",
  },
  "a host keeps guests whose home it has lost": {
    file: "kernel/kernel.ts",
    from: "if (guest.home === event.link) forget(",
    to: "if (guest.home !== event.link) forget(",
    near: 59,
  },
  "a host keeps guests that live elsewhere": {
    file: "kernel/kernel.ts",
    from: "      return forget(state, guest, message.to, out);",
    to: "      return;",
  },
  "kept answers are never called stale": {
    file: "home/cached.ts",
    from: "if (paths.length === 0 || state.cache.current.size === 0) return;",
    to: "if (paths.length >= 0) return;",
  },
  "kept answers are given after they were called stale": {
    file: "host/kept-answers.ts",
    from: "      kept?.delete(key);\n",
    to: "",
  },
  "moved from a copy, and not from where it stopped": {
    file: "home/precopy.ts",
    from: "recall(state, p, host, out, nowMs);\n    } else {",
    to: 'p.where = { kind: "nowhere", why: "recalled", next: host };\n    } else {',
  },
  "a snapshot is told before its images have arrived": {
    file: "host/snapshots.ts",
    from: 'report({ type: "ahead", key: p.key, images });\n',
    to: 'report({ type: "ahead", key: p.key, images }), this.tell(p, []);\n',
  },
  "a snapshot is taken in a fork that nobody has heard of": {
    file: "host/snapshots.ts",
    from: "        inOrder(p.key, (isHere) => {\n          if (isHere) this.#write(p, saving, time);\n          else this.#saving.delete(p.key);\n        }),\n",
    to: "        this.#write(p, saving, time),\n",
    near: 1174,
  },
  "a snapshot is told after one that continues it": {
    file: "host/snapshots.ts",
    from: "    this.tell(p); // what this one continues\n",
    to: "",
    near: 33,
  },
  "the log is shorter than the snapshot is old": {
    file: "home/images.ts",
    from: "  p.snapshot = snapshot;\n",
    to: "  p.snapshot ??= snapshot;\n",
  },
  "who waits for a host is not told that it is gone": {
    file: "home/losses.ts",
    from: "  goalGone(state, host);\n  out(",
    to: "  out(",
    near: 265,
  },
  "poison is never given up": {
    file: "home/losses.ts",
    from: "if (p.hostsLost < LIMITS.hostsLostPerProcess) return;",
    to: "if (p.hostsLost >= 0) return;",
  },
  "images are never forgotten": {
    file: "home/tally.ts",
    from: "    state.images.delete(id);\n",
    to: "",
  },
  "a home's epochs go on where those of the one before were kept": {
    file: "home/saved.ts",
    from: "epoch(latest + EPOCHS_OF_A_LIFE)",
    to: "epoch(latest)",
  },
  "files change before what led to it is kept": {
    file: "host/job.ts",
    from: "        await whenKept();\n",
    to: "",
  },
  "where a file was to be continued is not kept": {
    file: "home/files.ts",
    from: "intents: this.#placed(),",
    to: "intents: [],",
  },
  "a job is kept before its images are": {
    file: "host/job-keeper.ts",
    from: "batches([...fresh, [bodyOf(id), body]])",
    to: "batches([[bodyOf(id), body], ...fresh])",
    near: 86,
  },
  "what was learned is forgotten before the snapshot has left": {
    file: "host/snapshots.ts",
    from: "    const { chain, images } = await p.machine.encodeImage(how);\n",
    to: "    p.learned.forgetBefore(place as never);\n    const { chain, images } = await p.machine.encodeImage(how);\n",
    near: 57,
  },
  "a signal waits for the end of a call": {
    file: "home/home.ts",
    from: "if (waits) interrupt(",
    to: "if (!p) interrupt(",
  },
};

/** Makes the mutation that this names; undefined: none. Fails where its text is not found. */
export function mutated(name: string | undefined): Plugin[] {
  if (name === undefined) return [];
  const mutation = MUTATIONS[name];
  if (!mutation) throw new Error(`there is no mutation "${name}"`);
  return [
    {
      name: "roost:mutation",
      enforce: "pre",
      transform: (code, id) =>
        id.endsWith(`/fabric/${mutation.file}`) ? applied(mutation, code) : undefined,
    },
  ];
}

export function applied({ file, from, to }: Mutation, code: string): string {
  const parts = code.split(from);
  if (parts.length !== 2)
    throw new Error(`fabric/${file} has ${parts.length - 1} times, where once is expected: ${from}`);
  return parts.join(to);
}
