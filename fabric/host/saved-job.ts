/**
 * A job at rest: what its home knows, what it has open, what it has written, and, where its files are in memory, those.
 * The form of `roost checkpoint`'s files and of what a page or a detached home keeps of its jobs.
 */
import {
  bool,
  branded,
  bytes,
  type Carried,
  type Codec,
  decode,
  encode,
  f64,
  Invalid,
  list,
  optional,
  struct,
  text,
  varint,
} from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import type { BaseId, ImageId, JobId, Pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { savedFiles } from "../home/files.ts";
import { savedHome } from "../home/saved.ts";
import type { OutputPart } from "./kept-output.ts";
import type { Output } from "./output-log.ts";

const MAGIC = "roost job";
/** Raised whenever the form changes. */
const VERSION = 6;
const MANY = 1 << 24;

const label = struct({ magic: text(16), version: varint });

const output: Codec<Output[]> = list(
  struct({ position: varint, pid: branded<Pid>(varint), fd: varint, data: bytes(2 ** 32), atMs: f64 }),
  MANY,
);

const savedJob = struct({
  base: branded<BaseId>(text(64)),
  startedMs: f64,
  savedMs: f64,
  home: savedHome,
  files: savedFiles,
  /** What its files in memory are, by revision. Undefined: its files are not here. */
  disk: optional(list(struct({ path: text(LIMITS.pathBytes + 1), revision: varint, modifiedMs: f64 }), MANY)),
  output,
  /** Lines of input that nobody has got yet. */
  lines: list(text(LIMITS.dataBytes), MANY),
  /** No more of them will come. */
  linesEnded: bool,
});
export type SavedJob = Carried<typeof savedJob>;

const contents = list(struct({ revision: varint, bytes: bytes(2 ** 32) }), MANY);
const images = list(struct({ id: branded<ImageId>(text(64)), bytes: bytes(LIMITS.messageBytes) }), MANY);

const body = struct({
  label,
  outputParts: list(struct({ begin: varint, end: varint }), MANY),
  job: savedJob,
});
const whole = struct({ label, job: savedJob, images, contents });

const LABEL = { magic: MAGIC, version: VERSION };

/** A job and what is large of it and mostly stays as it is, apart. */
export interface JobAtRest {
  readonly job: SavedJob;
  readonly images: ReadonlyMap<ImageId, Uint8Array>;
  /** Contents of its files, by revision. */
  readonly contents: ReadonlyMap<number, Uint8Array>;
}

/** The job alone, with the last of its output; `outputParts` says where the rest is. */
export const encodeSavedJob = (job: SavedJob, outputParts: readonly OutputPart[]): Uint8Array =>
  encode(body, { label: LABEL, outputParts: [...outputParts], job });

export const encodeOutput = (entries: readonly Output[]): Uint8Array => encode(output, [...entries]);

export function encodeCheckpoint({ job, images, contents }: JobAtRest): Uint8Array {
  return encode(whole, {
    label: LABEL,
    job,
    images: Array.from(images, ([id, bytes]) => ({ id, bytes })),
    contents: Array.from(contents, ([revision, bytes]) => ({ revision, bytes })),
  });
}

/** Throws RoostError that says what is wrong with the bytes. */
export function decodeSavedJob(bytes: Uint8Array): { job: SavedJob; outputParts: OutputPart[] } {
  return read(body, bytes);
}

/** Throws RoostError where the bytes are damaged. */
export function decodeOutput(bytes: Uint8Array): Output[] {
  const read = decode(output, bytes);
  if (read instanceof Invalid)
    throw new RoostError("EINVAL", `output that was kept is damaged: ${read.reason}`);
  return read;
}

/** Throws RoostError that says what is wrong with the bytes. */
export function decodeCheckpoint(bytes: Uint8Array): JobAtRest {
  const { job, images, contents } = read(whole, bytes);
  return {
    job,
    images: new Map(images.map(({ id, bytes }) => [id, bytes])),
    contents: new Map(contents.map(({ revision, bytes }) => [revision, bytes])),
  };
}

/**
 * The same as another job, which may go on beside the one it was saved of. An id is what hosts know a job by and what files
 * on its home's machine are called, so it is never for a stranger's file to choose.
 */
export function asAnotherJob({ job, ...parts }: JobAtRest, id: JobId): JobAtRest {
  const { home } = job;
  return { ...parts, job: { ...job, home: { ...home, spec: { ...home.spec, id } } } };
}

function read<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const head = decode(struct({ label, rest }), bytes);
  if (head instanceof Invalid || head.label.magic !== MAGIC)
    throw new RoostError(
      "EINVAL",
      "this is no checkpoint of a Roost job; name a file that `roost checkpoint` wrote",
    );
  if (head.label.version !== VERSION)
    throw new RoostError(
      "EVERSION",
      `the checkpoint has form ${head.label.version}, and this version of Roost reads form ${VERSION}; use the version that wrote it`,
    );
  const read = decode(codec, bytes);
  if (read instanceof Invalid) throw new RoostError("EINVAL", `the checkpoint is damaged: ${read.reason}`);
  return read;
}

const rest: Codec<Uint8Array> = {
  write: (to, bytes) => to.raw(bytes),
  read: (from) => from.raw(from.left),
};
