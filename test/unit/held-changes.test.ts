/**
 * Changes of files that wait until the job is kept: whenever its home dies, and however often, what the processes are told
 * and what is on the disk is as if their calls had been made one after another, each once.
 */
import { describe, expect, test } from "vitest";
import { Invalid, utf8Decode, utf8Encode } from "../../fabric/base/codec.ts";
import { must, RoostError } from "../../fabric/base/errors.ts";
import { baseId, callNumber, type Epoch, hostId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Clock, Disk, DiskFile, Link } from "../../fabric/base/ports.ts";
import { Files } from "../../fabric/home/files.ts";
import { saveHome } from "../../fabric/home/saved.ts";
import { Job } from "../../fabric/host/job.ts";
import { decodeCheckpoint, encodeCheckpoint, type JobAtRest } from "../../fabric/host/saved-job.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import {
  type Call,
  type CallArgs,
  type CallName,
  decodeAnswer,
  encodeCall,
} from "../../fabric/wire/calls.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  NOTHING_LEARNED,
  PROTOCOL_VERSION,
} from "../../fabric/wire/messages.ts";
import { JOB, launched } from "./home.kit.ts";

/** Those of the family that make the calls; 1 is their parent. */
const PROCESSES = [2, 3, 4];

interface Told {
  readonly name: CallName;
  readonly args: Call["args"];
}
const call = <N extends CallName>(name: N, args: CallArgs<N>): Told => ({ name, args });
const append = (path: string, line: string) =>
  call("writeFile", { path, flags: "a", data: utf8Encode(line) });
const write = (path: string, content: string) =>
  call("writeFile", { path, flags: "w", data: utf8Encode(content) });
const claim = (path: string, name: string) =>
  call("writeFile", { path, flags: "wx", data: utf8Encode(name) });
const rename = (from: string, to: string) => call("rename", { from, to });
const unlink = (path: string) => call("unlink", { path });
const make = (path: string, recursive = false) => call("makeDirectory", { path, recursive });
const open = (path: string, flags: CallArgs<"open">["flags"]) => call("open", { path, flags });
/** To the first file it has open. */
const put = (line: string, position?: number) => call("write", { fd: 3, data: utf8Encode(line), position });

/** A disk that is there when its home has gone, which makes so many more changes before it dies. */
class Outliving implements Disk {
  changes = Number.POSITIVE_INFINITY;
  readonly #disk: MemoryDisk;

  constructor(disk: MemoryDisk) {
    this.#disk = disk;
  }

  #change<T>(make: () => T): T {
    if (this.changes === 0) throw new RoostError("EIO", "its home has died");
    const made = make();
    this.changes--;
    return made;
  }

  open(path: string, mode: Parameters<Disk["open"]>[1]): DiskFile {
    const open = () => this.#disk.open(path, mode);
    const file = mode.create || mode.truncate ? this.#change(open) : open();
    return { ...file, write: (data, position) => this.#change(() => file.write(data, position)) };
  }
  stat = (path: string) => this.#disk.stat(path);
  canonical = (path: string) => this.#disk.canonical(path);
  list = (path: string) => this.#disk.list(path);
  makeDirectory = (path: string) => this.#change(() => this.#disk.makeDirectory(path));
  unlink = (path: string) => this.#change(() => this.#disk.unlink(path));
  rename = (from: string, to: string) => this.#change(() => this.#disk.rename(from, to));
}

const STOPPED: Clock = { now: () => 0, monotonic: () => 0, after: () => () => {} };
const SELF = { id: hostId("home"), name: "home", platform: "", base: baseId("base") };
/** Everything that does not wait to be kept has been done. */
const settled = () => new Promise(setImmediate);

/** One life of a home, with a host where all processes are. Its job is kept when the test says so. */
class Life {
  readonly disk: Outliving;
  readonly #job: Job;
  readonly #link: Link;
  readonly #epochs = new Map<number, Epoch>();
  readonly #answers = new Map<number, Uint8Array>();
  readonly #waiting: (() => void)[] = [];
  /** What its store has. */
  #kept: JobAtRest;

  constructor(disk: MemoryDisk, atRest: JobAtRest) {
    this.disk = new Outliving(disk);
    this.#kept = atRest;
    this.#job = new Job({
      spec: launched().state.spec,
      self: SELF,
      disk: this.disk,
      terminal: undefined,
      clock: STOPPED,
      log: () => {},
      onChange: () => {},
      onEvent: () => {},
      atRest,
      whenKept: () => new Promise((resolve) => this.#waiting.push(resolve)),
    });
    this.#link = {
      queuedBytes: 0,
      onMessage: () => {},
      onEnd: () => {},
      send: (bytes) => this.#hear(decodeMessage(bytes)),
      close: () => {},
    };
    this.#job.addHost(this.#link, true);
    const { base } = SELF;
    const host = hostId("host");
    this.#say({ type: "hello", protocol: PROTOCOL_VERSION, base, host, name: "host", platform: "" });
    this.#say({ type: "status", slots: 9, memoryBytes: LIMITS.guestMemoryBytesMost, reason: "" });
  }

  #say(message: Message): void {
    this.#link.onMessage(encodeMessage(message));
  }

  #hear(message: Message | Invalid): void {
    if (message instanceof Invalid) throw new Error(message.reason);
    if (message.type === "reply") this.#answers.set(message.pid, message.answer);
    if (message.type === "place") this.#epochs.set(message.pid, message.epoch);
  }

  /** A process makes its n-th call, which it may have made in another life. */
  call(process: number, { name, args }: Told, n: number): void {
    this.#answers.delete(process);
    this.#say({
      type: "call",
      job: JOB,
      pid: pid(process),
      epoch: must(this.#epochs.get(process), "epoch"),
      call: callNumber(100 + n),
      request: encodeCall(name, args as never),
      waits: true,
      learned: NOTHING_LEARNED,
      snapshot: undefined,
      images: [],
      tookMs: 0,
    });
  }

  answerTo = (process: number) => this.#answers.get(process);
  kill = (process: number) => this.#job.kill(pid(process), "SIGKILL");

  /** What is in the store, for the next life. */
  get kept(): JobAtRest {
    return this.#kept;
  }
  write(): void {
    this.#kept = decodeCheckpoint(encodeCheckpoint(this.#job.atRest()));
  }
  /** What waits until the job is kept goes on. */
  async goOn(): Promise<void> {
    for (const go of this.#waiting.splice(0)) go();
    await settled();
  }
  /** Until nobody waits for it, or so often. */
  async keep(times = Number.POSITIVE_INFINITY): Promise<void> {
    await settled();
    for (let n = 0; n < times && this.#waiting.length > 0; n++) {
      this.write();
      await this.goOn();
    }
  }
}

function family(): JobAtRest {
  const bench = launched();
  for (const process of PROCESSES) expect(bench.fork(1)).toBe(process);
  return {
    job: {
      ...{ base: SELF.base, startedMs: 0, savedMs: 0, output: [], lines: [], linesEnded: false },
      home: saveHome(bench.state),
      files: new Files(new MemoryDisk()).save(),
      disk: undefined,
    },
    images: bench.state.images,
    contents: new Map(),
  };
}

interface Scene {
  readonly files?: Readonly<Record<string, string>>;
  /** What each process has done before. */
  readonly before?: Told;
  /** One of each process. */
  readonly calls: readonly Told[];
}

const callersOf = ({ calls }: Scene) => PROCESSES.slice(0, calls.length);
const callOf = ({ calls }: Scene, process: number) => must(calls[process - 2], "call");
const diskOf = ({ files = {} }: Scene) =>
  new MemoryDisk(Object.entries(files).map(([path, content]) => [path, utf8Encode(content)]));

/** What the processes are told, and what is on the disk in the end. */
function outcome(scene: Scene, disk: MemoryDisk, answerTo: (process: number) => Uint8Array | undefined) {
  const answers = callersOf(scene).map((process) => {
    const bytes = answerTo(process);
    const said = bytes && decodeAnswer(callOf(scene, process).name, bytes);
    return said instanceof RoostError ? said.code : bytes ? "done" : "nothing";
  });
  const files = Array.from(disk.files(), ([path, content]) => `${path}=${utf8Decode(content)}`);
  const directories = disk.contents().flatMap(({ path }) => (path.endsWith("/") ? [path] : []));
  return [...answers, ...files, ...directories.toSorted()].join(" ");
}

const orders = (all: readonly number[]): number[][] =>
  all.length === 0
    ? [[]]
    : all.flatMap((first) => orders(all.filter((one) => one !== first)).map((rest) => [first, ...rest]));

/** All that can come of the calls when they are made one after another. */
const possible = (scene: Scene, callers = callersOf(scene)): string[] =>
  orders(callers).map((order) => {
    const disk = diskOf(scene);
    const files = new Files(disk);
    const make = (process: number, told: Told) => files.serve(pid(process), told as Call).answer;
    for (const process of callersOf(scene)) if (scene.before) make(process, scene.before);
    const answers = new Map(order.map((process) => [process, make(process, callOf(scene, process))]));
    return outcome(scene, disk, (process) => answers.get(process));
  });

/** The job, before the calls of the scene. */
async function begun(scene: Scene, disk: MemoryDisk): Promise<JobAtRest> {
  const life = new Life(disk, family());
  for (const process of callersOf(scene)) {
    if (scene.before) life.call(process, scene.before, 0);
    await life.keep();
  }
  life.write();
  return life.kept;
}

/** A home is kept so often, and dies so many changes after the next time. */
interface Death {
  readonly keeps: number;
  readonly changes: number;
}

/** What comes of it. `apart`: the first to call is about to be kept before the others call. */
async function played(scene: Scene, deaths: readonly Death[], apart: boolean): Promise<string> {
  const disk = diskOf(scene);
  let kept = await begun(scene, disk);
  const next = async () => {
    const life = new Life(disk, kept);
    for (const process of callersOf(scene)) {
      life.call(process, callOf(scene, process), 1);
      if (apart) await settled();
    }
    return life;
  };
  for (const { keeps, changes } of deaths) {
    const life = await next();
    await life.keep(keeps);
    life.disk.changes = changes;
    await life.keep(1);
    life.disk.changes = 0;
    kept = life.kept;
  }
  const life = await next();
  await life.keep();
  return outcome(scene, disk, life.answerTo);
}

const old = { log: "the old" };
const SCENES: Record<string, Scene> = {
  "a log that is renamed and written to": {
    files: old,
    calls: [rename("log", "log.1"), append("log", "one"), append("log", "three")],
  },
  "a log that is emptied and written to": { files: old, calls: [write("log", ""), append("log", "one")] },
  "a log that is emptied by opening it": { files: old, calls: [append("log", "one"), open("log", "w")] },
  "a log that is removed and written to": {
    files: old,
    calls: [append("log", "one"), unlink("log"), append("log", "three")],
  },
  "a log that several write to": {
    files: old,
    calls: [append("log", "one"), append("/log", "three"), append("log", "seven")],
  },
  "a log that several have open": {
    files: old,
    before: open("log", "a"),
    calls: [put("one"), put("three"), append("log", "seven")],
  },
  "a file that is appended to and written in": {
    files: old,
    before: open("log", "r+"),
    calls: [put("late", 12), append("log", "one"), put("first", 0)],
  },
  "a log in a directory that is renamed": {
    files: { "logs/log": "the old" },
    calls: [append("logs/log", "one"), rename("logs", "archive")],
  },
  "a file that is a lock": { calls: ["two", "three", "four"].map((name) => claim("lock", name)) },
  "a file that is a lock when it is opened": { calls: [open("lock", "wx"), open("lock", "wx")] },
  "a lock that is given back": {
    files: { lock: "another" },
    calls: [unlink("lock"), claim("lock", "three"), claim("lock", "four")],
  },
  "a directory that is a lock": { calls: [make("lock"), make("lock"), make("lock")] },
  "a directory that all need": { calls: [make("a/b", true), make("a/c", true), claim("a/b/file", "four")] },
  "a name that is removed": { files: old, calls: [unlink("log"), unlink("log"), unlink("log")] },
  "a task that is claimed by renaming it": {
    files: { task: "work" },
    calls: [rename("task", "task.2"), rename("task", "task.3"), rename("task", "task.4")],
  },
  "names that are passed on": {
    files: { a: "A", b: "B" },
    calls: [rename("a", "c"), rename("b", "a"), rename("c", "b")],
  },
};

/** So often kept, so many changes then; and what becomes of the next. */
const DEATHS = [0, 1, 2].flatMap((keeps) => [0, 1, 2, 9].map((changes) => ({ keeps, changes })));
const NEXT = [[], [{ keeps: 0, changes: 1 }], [{ keeps: 0, changes: 9 }], [{ keeps: 1, changes: 2 }]];

describe.each(Object.entries(SCENES))("%s", (_name, scene) => {
  const expected = possible(scene);

  test.each([false, true])("while its home lives (apart: %s)", async (apart) => {
    expect(expected).toContain(await played(scene, [], apart));
  });

  test.each([false, true])("when its home dies, once or twice (apart: %s)", async (apart) => {
    for (const first of DEATHS)
      for (const next of NEXT) {
        const deaths = [first, ...next];
        expect(expected, JSON.stringify(deaths)).toContain(await played(scene, deaths, apart));
      }
  });
});

describe("who is killed while its change waits", () => {
  const scene: Scene = {
    files: old,
    before: open("log", "a"),
    calls: [put("one"), put("three"), append("log", "seven")],
  };
  const [killed, ...others] = callersOf(scene);
  /** The first's call and the others', and the first's end: before the job is written, or when it has been. */
  const interrupted = async (disk: MemoryDisk, when: "before" | "after") => {
    const life = new Life(disk, await begun(scene, disk));
    for (const process of callersOf(scene)) life.call(process, callOf(scene, process), 1);
    await settled();
    if (when === "after") life.write();
    life.kill(must(killed, "process"));
    if (when === "before") life.write();
    return life;
  };
  const lines = (disk: MemoryDisk) => utf8Decode(new Map(disk.files()).get("log") ?? new Uint8Array());

  test.each(["before", "after"] as const)(
    "changes nothing, and leaves no hole (%s it is kept)",
    async (when) => {
      const disk = diskOf(scene);
      const life = await interrupted(disk, when);
      await life.goOn();
      await life.keep();
      expect(lines(disk)).toBe("the oldthreeseven");
    },
  );

  test.each([0, 1, 2, 9])("nor when the home dies after %s changes", async (changes) => {
    for (const when of ["before", "after"] as const) {
      const disk = diskOf(scene);
      const before = await interrupted(disk, when);
      before.disk.changes = changes;
      await before.goOn();
      const life = new Life(disk, before.kept);
      for (const process of others) life.call(process, callOf(scene, process), 1);
      await life.keep();
      // What was kept before it was killed is that it lives.
      expect(lines(disk)).toBe(when === "before" ? "the oldthreeseven" : "the oldonethreeseven");
    }
  });

  test("does not change it after its end", async () => {
    const disk = diskOf(scene);
    const life = new Life(disk, family());
    life.call(2, unlink("log"), 1);
    life.kill(2);
    await life.keep();
    expect(lines(disk)).toBe("the old");
  });
});
