/** What a home that goes on from what was kept holds to, so that nothing of the one before it is taken for its own. */
import { expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { baseId, hostId, pid } from "../../fabric/base/ids.ts";
import { reviveHome, saveHome } from "../../fabric/home/saved.ts";
import { greet } from "../../fabric/host/greeting.ts";
import { Job } from "../../fabric/host/job.ts";
import { decodeCheckpoint, encodeCheckpoint, type JobAtRest } from "../../fabric/host/saved-job.ts";
import { systemClock } from "../../fabric/io/clock.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import { Bench, launched } from "./home.kit.ts";

test("a process that is born later has an epoch above all that the home before gave to its pid", () => {
  const before = launched();
  const saved = saveHome(before.state);
  const lost = before.fork(1); // which was not kept any more
  const revived = reviveHome(saved, before.state.images);
  if (revived instanceof Invalid) throw new Error(revived.reason);
  const after = new Bench({}, revived.state);
  after.host("home", 1, true);
  const child = after.fork(1);
  expect(child).toBe(lost);
  expect(after.placed(child).epoch).toBeGreaterThan(before.placed(lost).epoch);
});

const jobOf = (atRest?: JobAtRest) =>
  new Job({
    spec: launched().state.spec,
    self: { id: hostId("home"), name: "home", platform: "", base: baseId("base") },
    disk: new MemoryDisk(),
    terminal: undefined,
    clock: systemClock,
    log: () => {},
    onChange: () => {},
    onEvent: () => {},
    atRest,
  });

test("lines of input that nobody has read are there, and so is their end", async () => {
  const before = jobOf();
  for (const line of ["one", undefined]) before.giveLine(line);
  const { input } = jobOf(decodeCheckpoint(encodeCheckpoint(before.atRest())));
  expect(await input?.readLine()).toBe("one");
  expect(await input?.readLine()).toBeUndefined();
});

test("a host whose link comes about when the job is over is sent away", async () => {
  const job = jobOf();
  job.kill(pid(1), "SIGKILL");
  await job.ended;
  const [ours, theirs] = linkPair();
  const reason = new Promise((resolve) => {
    const host = { id: hostId("host"), name: "host", platform: "", base: baseId("base") };
    const stays = { onMessage: () => {}, onEnd: resolve };
    greet(theirs, host, () => stays, { clock: systemClock, log: resolve });
  });
  job.addHost(ours, false);
  expect(await reason).toBe("the job is over");
});

test("files in memory keep their times and revisions, and none is given again", () => {
  const write = (disk: MemoryDisk, path: string) =>
    disk
      .open(path, { read: false, write: true, create: true, exclusive: false, truncate: true })
      .write(Uint8Array.of(1), 0);
  const revisions = (disk: MemoryDisk) =>
    new Map(disk.contents().map(({ path, revision }) => [path, revision]));
  let nowMs = 1_000;
  const before = new MemoryDisk([["given", Uint8Array.of(1)]], () => nowMs++);
  before.makeDirectory("empty");
  for (const path of ["a", "b", "a"]) write(before, path);
  const contents = new Map(before.contents().map(({ revision, bytes }) => [revision, bytes]));
  const after = MemoryDisk.again(before.contents(), contents, () => 9_000);
  expect(revisions(after)).toEqual(revisions(before));
  for (const path of ["given", "a", "b"]) expect(after.stat(path)).toEqual(before.stat(path));
  write(after, "c");
  expect(revisions(after).get("c")).toBeGreaterThan(Math.max(...revisions(before).values()));
  expect(after.stat("c").modifiedMs).toBe(9_000);
  expect([...after.files()].map(([path]) => path)).toEqual(["a", "b", "c", "given"]);
});
