/** A job looked at and steered over a link: a real job and its home's end of the link, no host. */
import { describe, expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { baseId, hostId, jobId, pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Link } from "../../fabric/base/ports.ts";
import { newProcess } from "../../fabric/home/lives.ts";
import { RemoteJob } from "../../fabric/host/control-client.ts";
import { serveControl } from "../../fabric/host/control-server.ts";
import { Job } from "../../fabric/host/job.ts";
import { whyJob, whyProcess } from "../../fabric/host/why.ts";
import { systemClock } from "../../fabric/io/clock.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import {
  CONTROL_VERSION,
  type ControlRequest,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  isControl,
  type JobReport,
} from "../../fabric/wire/control.ts";
import { sayable } from "../../fabric/wire/identity.ts";
import { encodeMessage } from "../../fabric/wire/messages.ts";

const SECRET = "s".repeat(26);

function home() {
  const listeners = new Set<() => void>();
  const job = new Job({
    spec: {
      id: jobId("job"),
      name: "job.js",
      program: { source: "", fileName: "job.js" },
      args: ["8"],
      env: {},
      zone: "UTC",
      memoryBytesMax: 1 << 24,
      processesMax: 16,
      durable: true,
      preemptEvery: 0,
      seed: 1n,
    },
    self: { id: hostId("home"), name: "home", platform: "", base: baseId("base") },
    disk: new MemoryDisk(),
    terminal: undefined,
    outputKeptBytes: 64,
    clock: systemClock,
    log: () => {},
    onChange: () => {
      for (const listener of listeners) listener();
    },
    onEvent: () => {},
  });
  const homes = {
    clock: systemClock,
    jobWith: (holds: (secret: string) => boolean) => (holds(SECRET) ? { job, secret: SECRET } : undefined),
    readers: new Set<Link>(),
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const link = ([theirs, ours] = linkPair()) => {
    ours.onMessage = (first) => serveControl(ours, first, homes);
    return theirs;
  };
  const write = (text: string, fd = 1) =>
    job.output.add(pid(1), fd, new TextEncoder().encode(text), systemClock.now());
  return { job, link, write, readers: homes.readers };
}

/** As over a network; `between`: somebody is in between, so that the ends see other certificates. */
function boundPair(between = false): [Link, Link] {
  const [a, b] = linkPair();
  return [
    Object.assign(a, { binding: { ours: "cert a", theirs: between ? "cert x" : "cert b" } }),
    Object.assign(b, { binding: { ours: "cert b", theirs: between ? "cert y" : "cert a" } }),
  ];
}

const ended = (link: Link) =>
  new Promise<string>((done) => {
    link.onEnd = ({ reason }) => done(reason);
  });

async function read(remote: RemoteJob, options?: { follow?: boolean }) {
  let text = "";
  let first: number | undefined;
  const output = remote.output(options);
  for (let next = await output.next(); ; next = await output.next()) {
    if (next.done) return { text, first, report: next.value };
    first ??= next.value.position;
    text += new TextDecoder().decode(next.value.data);
  }
}

describe("a controller", () => {
  test("who has just been let in is waited for, until it is known not to read the output", async () => {
    const { link, readers, write } = home();
    const looker = await RemoteJob.open(link(), SECRET);
    const reader = await RemoteJob.open(link(), SECRET);
    expect(readers.size).toBe(2);
    await looker.look();
    await reader.attach();
    expect(readers.size).toBe(1);
    write("all\n");
    expect((await read(reader, { follow: false })).text).toBe("all\n");
    await reader.look(); // all has been heard of it
    expect(readers.size).toBe(0);
  });

  test("sees the job, reads what it wrote and writes, and its end", async () => {
    const { job, link, write } = home();
    const remote = await RemoteJob.open(link(), SECRET);
    write("one\n");
    expect(await remote.look()).toMatchObject({
      id: "job",
      name: "job.js",
      args: ["8"],
      processes: [{ pid: 1, state: "unplaced", on: "any" }],
    });
    expect(await read(remote, { follow: false })).toMatchObject({ text: "one\n", first: 0 });
    const all = read(remote);
    write("two\n");
    await remote.kill(1, "SIGKILL");
    expect(await all).toMatchObject({ text: "one\ntwo\n", report: { signal: "SIGKILL" } });
    expect((await job.ended).signal).toBe("SIGKILL");
    await expect(remote.kill(1, "SIGKILL")).rejects.toMatchObject({ code: "ESRCH" });
    expect((await read(remote)).text).toBe("one\ntwo\n"); // an ended job is still known
  });

  test("sees a job of as many processes as there can be", async () => {
    const { job, link } = home();
    const many = LIMITS.processesPerJobMost + LIMITS.endedKept;
    while (job.state.processes.size < many) newProcess(job.state, pid(1), "any", undefined, "forked", 0);
    const remote = await RemoteJob.open(link(), SECRET);
    expect((await remote.look()).processes.length).toBe(many);
  });

  test("is told by its position how much the home has forgotten", async () => {
    const { link, write } = home();
    const remote = await RemoteJob.open(link(), SECRET);
    for (let n = 0; n < 100; n++) write(`${n % 10}\n`);
    const { text, first } = await read(remote, { follow: false });
    expect(first).toBe(200 - text.length);
    expect(text).toBe(
      Array.from({ length: 100 }, (_, n) => `${n % 10}\n`)
        .join("")
        .slice(-64),
    );
  });

  test("types lines into a job that has no terminal", async () => {
    const { job, link } = home();
    const asked = job.input?.readLine();
    const remote = await RemoteJob.open(link(), SECRET);
    const asks = new Promise<void>((resolve) => {
      remote.onAsk = resolve;
    });
    await remote.attach();
    await asks; // asked before anybody was there
    remote.type("hello");
    expect(await asked).toBe("hello");
    remote.type(undefined);
    await remote.look();
    expect(await job.input?.readLine()).toBeUndefined();
  });

  test("gets an error for what cannot be: no such process, no such host, a link that ends", async () => {
    const { link } = home();
    const end = link();
    const remote = await RemoteJob.open(end, SECRET);
    await expect(remote.kill(7, "SIGTERM")).rejects.toMatchObject({ code: "ESRCH" });
    await expect(remote.migrate(1, "nobody")).rejects.toMatchObject({ code: "ENOHOST" });
    const never = read(remote);
    end.close("cut");
    await expect(never).rejects.toMatchObject({ code: "EIO" });
    await expect(remote.look()).rejects.toMatchObject({ code: "EIO" });
  });

  test("can stop reading with a signal", async () => {
    const { link } = home();
    const remote = await RemoteJob.open(link(), SECRET);
    const enough = new AbortController();
    const output = remote.output({ signal: enough.signal });
    const next = output.next();
    enough.abort(new Error("enough"));
    await expect(next).rejects.toThrow("enough");
    await remote.look();
  });
});

describe("over a network", () => {
  test("home and controller show each other that they know the secret", async () => {
    const { link, write } = home();
    const remote = await RemoteJob.open(link(boundPair()), SECRET);
    write("one\n");
    expect(await read(remote, { follow: false })).toMatchObject({ text: "one\n" });
  });

  test("what is said through somebody in between is of no use", async () => {
    const { link } = home();
    await expect(RemoteJob.open(link(boundPair(true)), SECRET)).rejects.toThrow(/no job here/);
  });

  const [{ binding }, { binding: ofHome }] = boundPair();
  test.each<[string, (heard: string) => string]>([
    ["knows no secret", () => "0".repeat(64)],
    ["says nothing", () => ""],
    ["throws the controller's words back", (heard) => heard],
    ["knows another secret", () => sayable("x".repeat(26), ofHome, "home")],
    ["says it as a controller would", () => sayable(SECRET, ofHome, "control")],
    ["has it from the controller's side", () => sayable(SECRET, binding, "home")],
    ["has it from another connection", () => sayable(SECRET, { ours: "cert b", theirs: "c" }, "home")],
    ["says it as within a machine", () => SECRET],
  ])("a welcome from somebody who %s is not believed", async (_, saying) => {
    const [link, impostor] = boundPair();
    impostor.onMessage = (bytes) => {
      const greeting = decodeRequest(bytes);
      if (greeting instanceof Invalid || greeting.type !== "greet") throw new Error("no greeting");
      impostor.send(
        encodeAnswer({ type: "welcome", version: CONTROL_VERSION, secret: saying(greeting.secret) }),
      );
    };
    const end = ended(impostor);
    await expect(RemoteJob.open(link, SECRET)).rejects.toThrow(/EPERM: .*does not know the job's secret/);
    expect(await end).toMatch(/did not show/);
  });
});

describe("hostile controllers", () => {
  const greeting: ControlRequest = { type: "greet", version: CONTROL_VERSION, secret: SECRET };

  test.each<[string, Uint8Array, RegExp]>([
    ["a wrong secret", encodeRequest({ ...greeting, secret: "x".repeat(26) }), /no job here/],
    ["another version", encodeRequest({ ...greeting, version: 9 }), /version 9/],
    ["no greeting", encodeRequest({ type: "look", id: 1 }), /instead of a greeting/],
    ["an unknown tag", new Uint8Array([255, 1, 2]), /no request/],
    ["too much", new Uint8Array(2 << 20).fill(200), /allowed/],
  ])("%s: cut off with a sentence", async (_, bytes, sentence) => {
    const link = home().link();
    const end = ended(link);
    link.send(bytes);
    expect(await end).toMatch(sentence);
  });

  test("every truncation and every changed byte of every request is refused or understood, never thrown", async () => {
    const requests: ControlRequest[] = [
      greeting,
      { type: "look", id: 1 },
      { type: "output", id: 2, follow: true },
      { type: "enough", id: 2 },
      { type: "kill", id: 3, pid: 2, signal: "SIGTERM" },
      { type: "migrate", id: 4, pid: 1, host: "x" },
      { type: "attach", id: 5 },
      { type: "line", line: "é" },
    ];
    for (const request of requests) {
      const good = encodeRequest(request);
      expect(isControl(good)).toBe(true);
      const bad = Array.from(good, (_, at) => [
        good.slice(0, at),
        good.map((b, i) => (i === at ? b ^ 0x81 : b)),
      ]);
      for (const bytes of bad.flat()) {
        const { link } = home();
        const end = link();
        const over = ended(end);
        end.send(encodeRequest(greeting));
        end.send(bytes.slice());
        end.send(encodeRequest({ type: "look", id: 9 }));
        const report = new Promise<string>((done) => {
          end.onMessage = (message) => {
            const answer = decodeAnswer(message);
            if (answer instanceof Invalid) throw new Error(answer.reason);
            if (answer.type === "report") done("alive");
          };
        });
        await Promise.race([over, report]);
      }
    }
  });

  test("the greeting between hosts is not taken for a controller's", () => {
    const hello = encodeMessage({
      type: "hello",
      protocol: 1,
      base: baseId("b"),
      host: hostId("h"),
      name: "",
      platform: "",
    });
    expect(isControl(hello)).toBe(false);
  });
});

const MIB = 2 ** 20;

describe("why", () => {
  const process = {
    pid: 2,
    ppid: 1,
    state: "unplaced",
    detail: "",
    on: "remote",
    host: undefined,
    hostName: "",
    epoch: 0,
    cpuMs: 0,
    memoryBytes: 0,
    bornMs: 0,
    endedMs: undefined,
    status: undefined,
    signal: undefined,
    stays: [],
  } as const;
  const host = (name: string, slots: number, reason: string, local = false, memoryBytes = 2 ** 30) => ({
    id: name,
    name,
    platform: "",
    local,
    slots,
    memoryBytes,
    reason,
  });
  const job = (change: Partial<JobReport>): JobReport => ({
    id: "j",
    name: "j",
    args: [],
    nowMs: 10_000,
    startedMs: 0,
    endedMs: undefined,
    status: undefined,
    signal: undefined,
    memoryBytesMax: 1,
    processes: [process],
    hosts: [],
    ...change,
  });

  test.each<[string, Partial<JobReport>, string[]]>([
    ["no host at all", {}, ["No host has it.", "No host is linked to the job."]],
    [
      "only the launcher",
      { hosts: [host("a", 1, "", true)] },
      [
        "No host has it.",
        'It is to run on another host than its launcher\'s (`on: "remote"`).',
        "No such host is linked to the job; `roost donate` adds one.",
      ],
    ],
    [
      "hosts that take nothing, by reason",
      { hosts: [host("a", 0, "on battery"), host("b", 0, "on battery"), host("c", 0, "paused")] },
      [
        "No host has it.",
        'It is to run on another host than its launcher\'s (`on: "remote"`).',
        "3 hosts take nothing: 2 on battery (a, b), 1 paused (c).",
      ],
    ],
    [
      "hosts with less memory than its job asks for, and one that takes nothing",
      {
        memoryBytesMax: 512 * MIB,
        hosts: [
          host("a", 1, "", false, 64 * MIB),
          host("b", 1, "", false, 256 * MIB),
          host("c", 1, "", false, 64 * MIB),
          host("d", 0, "on battery"),
        ],
      },
      [
        "No host has it.",
        'It is to run on another host than its launcher\'s (`on: "remote"`).',
        "Its job asks for 512 MiB of memory for each process, and no host that takes something gives so much: 64 MiB (a, c), 256 MiB (b); `roost donate --memory 512` adds one.",
        "1 host takes nothing: on battery (d).",
      ],
    ],
    [
      "hosts with less memory than it has come to have",
      { processes: [{ ...process, memoryBytes: 70.5 * MIB }], hosts: [host("a", 1, "", false, 64 * MIB)] },
      [
        "No host has it.",
        'It is to run on another host than its launcher\'s (`on: "remote"`).',
        "It has 71 MiB of memory, and no host that takes something gives so much: 64 MiB (a); `roost donate --memory 71` adds one.",
      ],
    ],
    [
      "hosts whose memory others of its job have",
      {
        processes: [
          { ...process, memoryBytes: 70.5 * MIB },
          { ...process, pid: 3, state: "running", host: "a", memoryBytes: 60 * MIB },
          { ...process, pid: 4, state: "ended", host: "a", memoryBytes: 60 * MIB },
        ],
        hosts: [host("a", 1, "", false, 100 * MIB), host("b", 1, "", false, 64 * MIB)],
      },
      [
        "No host has it.",
        'It is to run on another host than its launcher\'s (`on: "remote"`).',
        "It has 71 MiB of memory, and others of its job leave less of what hosts give: 40 MiB (a); it waits until one of them ends or moves, and `roost donate` adds a host.",
      ],
    ],
    [
      "a host that was chosen by name and has gone: any is better than none",
      {
        processes: [{ ...process, on: "x".repeat(26) }],
        hosts: [host("a", 0, "on battery")],
      },
      ["No host has it.", "1 host takes nothing: on battery (a)."],
    ],
    [
      "one host of several has the memory",
      {
        memoryBytesMax: 512 * MIB,
        hosts: [host("a", 1, "", false, 64 * MIB), host("b", 1, "", false, 512 * MIB)],
      },
      [
        "No host has it.",
        'It is to run on another host than its launcher\'s (`on: "remote"`).',
        "A host takes it in a moment: b.",
      ],
    ],
  ])("%s", (_, change, sentences) => {
    expect(whyProcess(job(change), 2)).toEqual(sentences);
  });

  test("blocked processes say on what; the whole job in one look", () => {
    const blocked = {
      ...process,
      pid: 1,
      ppid: 0,
      state: "blocked",
      detail: "waits for a child to end",
    } as const;
    const report = job({ processes: [blocked, process], hosts: [host("a", 0, "hidden only")] });
    expect(whyProcess(report, 1)).toEqual(["It waits for a child to end.", "Its children: 2 unplaced."]);
    expect(whyJob(report)).toEqual([
      "Process 1 waits for a child to end.",
      "Process 2 has no host.",
      'It is to run on another host than its launcher\'s (`on: "remote"`).',
      "1 host takes nothing: hidden only (a).",
    ]);
    expect(whyProcess(report, 9)).toBeUndefined();
  });
});
