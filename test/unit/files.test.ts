/** Files as a job sees them, the same on every kind of disk. */
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { utf8Decode, utf8Encode } from "../../fabric/base/codec.ts";
import { RoostError } from "../../fabric/base/errors.ts";
import { pid } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Disk } from "../../fabric/base/ports.ts";
import { Files } from "../../fabric/home/files.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { NodeDisk } from "../../fabric/io/node-disk.ts";
import {
  type Call,
  type CallAnswer,
  type CallArgs,
  type CallName,
  decodeAnswer,
} from "../../fabric/wire/calls.ts";

const made: string[] = [];
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true });
});
function temporary(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "roost-files-")));
  made.push(directory);
  return directory;
}

const DISKS: [string, () => Disk][] = [
  ["in memory", () => new MemoryDisk()],
  ["on this machine", () => new NodeDisk(temporary())],
];

function use(disk: Disk) {
  const files = new Files(disk);
  const on =
    (p: number) =>
    <N extends CallName>(name: N, args: CallArgs<N>): CallAnswer<N> => {
      const answer = decodeAnswer(name, files.serve(pid(p), { name, args } as Call).answer);
      if (answer instanceof RoostError) throw answer;
      return answer;
    };
  return { files, on };
}

describe.each(DISKS)("%s", (_name, disk) => {
  const put = { flags: "w" as const, data: utf8Encode("hello") };

  test("whole files: write, append, read, replace", () => {
    const call = use(disk()).on(1);
    call("writeFile", { path: "a.txt", ...put });
    call("writeFile", { path: "/a.txt", flags: "a", data: utf8Encode(" there") });
    expect(utf8Decode(call("readFile", { path: "./x/../a.txt" }).data)).toBe("hello there");
    call("writeFile", { path: "a.txt", flags: "w", data: utf8Encode("new") });
    expect(call("stat", { path: "a.txt" })).toMatchObject({ kind: "file", size: 3 });
    expect(() => call("writeFile", { path: "a.txt", flags: "wx", data: put.data })).toThrow(/EEXIST/);
  });

  test("directories: made, listed in order, and what they refuse", () => {
    const call = use(disk()).on(1);
    expect(() => call("makeDirectory", { path: "a/b", recursive: false })).toThrow(/ENOENT/);
    call("makeDirectory", { path: "a/b", recursive: true });
    call("makeDirectory", { path: "a/b", recursive: true });
    expect(() => call("makeDirectory", { path: "a", recursive: false })).toThrow(/EEXIST/);
    call("writeFile", { path: "a/z", ...put });
    call("writeFile", { path: "a/c", ...put });
    expect(call("readDirectory", { path: "a" }).entries).toEqual([
      { name: "b", kind: "directory" },
      { name: "c", kind: "file" },
      { name: "z", kind: "file" },
    ]);
    expect(() => call("readDirectory", { path: "a/c" })).toThrow(/ENOTDIR/);
    expect(() => call("readFile", { path: "a" })).toThrow(/EISDIR/);
    expect(() => call("writeFile", { path: "nowhere/x", ...put })).toThrow(/ENOENT/);
  });

  test("unlink and rename", () => {
    const call = use(disk()).on(1);
    call("writeFile", { path: "a", ...put });
    call("writeFile", { path: "b", flags: "w", data: utf8Encode("old") });
    call("rename", { from: "a", to: "b" });
    expect(utf8Decode(call("readFile", { path: "b" }).data)).toBe("hello");
    call("unlink", { path: "b" });
    expect(() => call("unlink", { path: "b" })).toThrow(/ENOENT/);
    expect(() => call("rename", { from: "b", to: "c" })).toThrow(/ENOENT/);
  });

  test("parent and child share an offset, and each has its own descriptors", () => {
    const { files, on } = use(disk());
    const parent = on(1);
    parent("writeFile", { path: "f", flags: "w", data: utf8Encode("abcdef") });
    const { fd } = parent("open", { path: "f", flags: "r+" });
    files.forked(pid(1), pid(2));
    const child = on(2);
    expect(utf8Decode(parent("read", { fd, length: 2, position: undefined }).data)).toBe("ab");
    expect(utf8Decode(child("read", { fd, length: 2, position: undefined }).data)).toBe("cd");
    parent("close", { fd });
    expect(() => parent("read", { fd, length: 1, position: undefined })).toThrow(/EBADF/);
    expect(utf8Decode(child("read", { fd, length: 9, position: undefined }).data)).toBe("ef");
    expect(child("read", { fd, length: 9, position: undefined }).data.length).toBe(0);
    expect(utf8Decode(child("read", { fd, length: 3, position: 1 }).data)).toBe("bcd");
    files.closed(pid(2));
    expect(() => child("close", { fd })).toThrow(/EBADF/);
  });

  test("a+ writes at the end wherever it reads; r cannot write, w cannot read", () => {
    const call = use(disk()).on(1);
    call("writeFile", { path: "f", flags: "w", data: utf8Encode("123") });
    const both = call("open", { path: "f", flags: "a+" }).fd;
    expect(utf8Decode(call("read", { fd: both, length: 1, position: 0 }).data)).toBe("1");
    expect(call("write", { fd: both, data: utf8Encode("4"), position: 0 }).written).toBe(1);
    expect(utf8Decode(call("readFile", { path: "f" }).data)).toBe("1234");
    const reading = call("open", { path: "f", flags: "r" }).fd;
    expect(() => call("write", { fd: reading, data: put.data, position: undefined })).toThrow(/EBADF/);
    const writing = call("open", { path: "g", flags: "w" }).fd;
    expect(() => call("read", { fd: writing, length: 1, position: undefined })).toThrow(/EBADF/);
  });

  test("writing past the end leaves zeros between", () => {
    const call = use(disk()).on(1);
    const { fd } = call("open", { path: "f", flags: "w+" });
    call("write", { fd, data: new Uint8Array([7]), position: 4 });
    expect([...call("readFile", { path: "f" }).data]).toEqual([0, 0, 0, 0, 7]);
  });

  test("open files have a limit with a name", () => {
    const call = use(disk()).on(1);
    call("writeFile", { path: "f", ...put });
    for (let n = 0; n < LIMITS.openFiles; n++) call("open", { path: "f", flags: "r" });
    expect(() => call("open", { path: "f", flags: "r" })).toThrow(/EMFILE.*openFiles/);
  });

  test.each(["..", "../x", "/../x", "a/../../x", "a/../.."])("nothing above the directory: %s", (path) => {
    const call = use(disk()).on(1);
    for (const attempt of [
      () => call("readFile", { path }),
      () => call("writeFile", { path, ...put }),
      () => call("stat", { path }),
      () => call("unlink", { path }),
      () => call("rename", { from: "a", to: path }),
      () => call("makeDirectory", { path, recursive: true }),
    ])
      expect(attempt).toThrow(/EACCES/);
  });
});

test("links cannot lead outside", () => {
  const outside = temporary();
  writeFileSync(join(outside, "secret"), "s");
  const inside = temporary();
  symlinkSync(outside, join(inside, "directory"));
  symlinkSync(join(outside, "secret"), join(inside, "file"));
  symlinkSync(join(outside, "new"), join(inside, "dangling"));
  symlinkSync("loop", join(inside, "loop"));
  const call = use(new NodeDisk(inside)).on(1);
  const data = new Uint8Array(1);
  for (const attempt of [
    () => call("readFile", { path: "directory/secret" }),
    () => call("readFile", { path: "file" }),
    () => call("writeFile", { path: "file", flags: "w", data }),
    () => call("writeFile", { path: "dangling", flags: "w", data }),
    () => call("writeFile", { path: "directory/new", flags: "w", data }),
    () => call("unlink", { path: "directory/secret" }),
    () => call("rename", { from: "directory/secret", to: "mine" }),
    () => call("readDirectory", { path: "directory" }),
    () => call("readFile", { path: "loop" }),
  ])
    expect(attempt).toThrow(/EACCES/);
});

test("of two who make the same name only the first is noted; a home that goes on lets that one have it", () => {
  const disk = new MemoryDisk();
  const make = (data: number): Call => ({
    name: "writeFile",
    args: { path: "lock", flags: "wx", data: Uint8Array.of(data) },
  });
  const [first, second] = [
    { pid: pid(2), operation: make(2) },
    { pid: pid(1), operation: make(1) },
  ];
  const files = new Files(disk);
  expect(files.intend([first, second])).toBe(1);
  const saved = files.save();
  for (const hasDoneIt of [false, true]) {
    const again = new Files(disk);
    again.revive(saved);
    if (!hasDoneIt) expect(disk.list("")).toEqual([]);
    expect(again.unsure).toEqual([2]);
    for (const { pid, operation } of [first, second]) again.serve(pid, operation);
    const how = { read: true, write: false, create: false, exclusive: false, truncate: false };
    expect(disk.open("lock", how).read(9, 0)).toEqual(Uint8Array.of(2));
  }
});

test("a file in memory that is emptied has changed now", () => {
  let nowMs = 1_000;
  const disk = new MemoryDisk([["a", Uint8Array.of(1)]], () => nowMs);
  nowMs = 2_000;
  disk.open("a", { read: false, write: true, create: true, exclusive: false, truncate: true }).close();
  expect(disk.stat("a")).toEqual({ kind: "file", size: 0, modifiedMs: 2_000 });
});
