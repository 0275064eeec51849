/**
 * The files of a job whose home is here: a directory of this machine. A job that comes from a page has its files with it, in
 * memory; what it wrote is laid out in its directory when it has ended.
 */
import type { Disk } from "../base/ports.ts";
import type { JobAtRest } from "../host/saved-job.ts";
import { MemoryDisk } from "../io/memory-disk.ts";
import { NodeDisk } from "../io/node-disk.ts";

export interface JobDisk {
  readonly disk: Disk;
  /** To be called when the job has ended. Answers with how many files were laid out; throws RoostError where one cannot be. */
  layOut(): number;
}

export function jobDisk(directory: string, atRest: JobAtRest | undefined): JobDisk {
  const target = new NodeDisk(directory);
  const { disk: files, startedMs } = atRest?.job ?? {};
  if (!atRest || !files || startedMs === undefined) return { disk: target, layOut: () => 0 };
  const given = new Set(
    files.filter(({ modifiedMs }) => modifiedMs <= startedMs).map(({ revision }) => revision),
  );
  const disk = MemoryDisk.again(files, atRest.contents);
  return {
    disk,
    layOut: () => {
      const written = disk
        .contents()
        .filter(({ path, revision }) => !path.endsWith("/") && !given.has(revision));
      for (const { path, bytes } of written) write(target, path, bytes);
      return written.length;
    },
  };
}

function write(disk: Disk, path: string, bytes: Uint8Array): void {
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
    makeUnlessThere(disk, path.slice(0, slash));
  const file = disk.open(path, { read: false, write: true, create: true, exclusive: false, truncate: true });
  try {
    file.write(bytes, 0);
  } finally {
    file.close();
  }
}

function makeUnlessThere(disk: Disk, directory: string): void {
  try {
    disk.makeDirectory(directory);
  } catch (error) {
    if (disk.stat(directory).kind !== "directory") throw error;
  }
}
