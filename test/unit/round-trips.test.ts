/** What crosses the link for each system call of a process that is away from home: one message there and one back, or none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalFabric } from "../programs/hosts.ts";

const CALLS = 10;

/** Made once, and what is made ready for it: of calls that are forwarded. */
const FORWARDED: readonly (readonly [once: string, before?: string])[] = [
  ["wait({ timeout: 0 })", "if (fork({ on: 'local' }) === 0) recv()"],
  ["kill(1, 'SIGCHLD')"],
  ["getppid()"],
  ["hosts()"],
  ["migrate(here)", "const here = hosts().find((host) => host.here).id"],
  ["sleep(0)"],
  ["on('SIGUSR1', i % 2 ? null : () => {})"],
  ["process.stdout.write('.')"],
  ["readline()"],
  ["fs.openSync('file')"],
  ["fs.readSync(fd, bytes, 0, 8, 0)", "const fd = fs.openSync('file'), bytes = new Uint8Array(8)"],
  ["fs.writeSync(fd, 'x')", "const fd = fs.openSync('new', 'w')"],
  ["fs.closeSync(fds[i])", "const fds = []; for (let n = 0; n < 10; n++) fds.push(fs.openSync('file'))"],
  ["fs.mkdirSync('directory' + i)"],
  ["fs.unlinkSync('u' + i)", "for (let n = 0; n < 10; n++) fs.writeFileSync('u' + n, '')"],
  ["fs.renameSync('r' + i, 'r' + (i + 1))", "fs.writeFileSync('r0', '')"],
  ["fs.writeFileSync('w', 'text')"],
  ["fs.existsSync('none')"],
  ["send(1, 'tag', i)", "send(1, 'tag')"],
  ["recv({ timeout: 0 })"],
  ["probe()"],
  ["notify(1)"],
  ["group('g').join()"],
  ["group('g').members()"],
  ["group('g').barrier()", "group('g').join()"],
  ["space.out('tuple', i)"],
  ["space.inp('tuple', Number)"],
];

/** Answered by the host. A file or directory that does not change is asked for once. */
const NOT_FORWARDED: readonly (readonly [once: string, before?: string])[] = [
  ["hostname()"],
  ["crypto.getRandomValues(new Uint8Array(8))"],
  ["getpid()", "getpid()"],
  ["Date.now()"],
  ["fs.readFileSync('file')", "fs.readFileSync('file')"],
  ["fs.statSync('file')", "fs.statSync('file')"],
  ["fs.readdirSync('.')", "fs.readdirSync('.')"],
];

const programOf = (once: string, before: string, times: number) => `
  import { exit, fork, fs, getpid, getppid, group, hostname, hosts, kill, migrate, notify, on, probe, readline, recv, send,
    sleep, space, wait } from "roost";
  if (fork({ on: "remote" }) === 0) {
    ${before};
    for (let i = 0; i < ${times}; i++) ${once};
    exit();
  }
  if (wait().status !== 0) exit(1);`;

let fabric: LocalFabric;
beforeAll(async () => {
  fabric = await LocalFabric.start(2);
}, 60_000);
afterAll(() => fabric.close());

/** How many messages of these types `CALLS` calls cost more than none. */
async function costOf(once: string, before = ""): Promise<{ call: number; reply: number }> {
  const crossed = async (times: number) => {
    const source = programOf(once, before, times);
    const { status, stderr, messages } = await fabric.run(
      { source, fileName: "calls.js" },
      { files: { file: "text" } },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return messages;
  };
  const [none, some] = [await crossed(0), await crossed(CALLS)];
  const more = (type: string) => (some.get(type) ?? 0) - (none.get(type) ?? 0);
  return { call: more("call"), reply: more("reply") };
}

describe("one message there and one back", () => {
  test.for(FORWARDED)("%s", async ([once, before]) => {
    expect(await costOf(once, before)).toEqual({ call: CALLS, reply: CALLS });
  });
});

describe("none", () => {
  test.for(NOT_FORWARDED)("%s", async ([once, before]) => {
    expect(await costOf(once, before)).toEqual({ call: 0, reply: 0 });
  });
});
