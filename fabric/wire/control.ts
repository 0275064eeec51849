/**
 * How a job is looked at and steered from elsewhere: what a controller asks a job's home, and what it is told.
 * CONTROL.md beside this file says what each message means. Bytes from either side are hostile until decoded.
 */
import {
  bool,
  bytes,
  type Carried,
  decode,
  encode,
  finite,
  type Invalid,
  int,
  list,
  oneOf,
  optional,
  struct,
  text,
  union,
  varint,
} from "../base/codec.ts";
import { ERROR_CODES } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import { SIGNALS } from "./calls.ts";

/** Raised whenever a message changes its form or meaning. */
export const CONTROL_VERSION = 4;

export const CONTROL_LIMITS = {
  /** One request: the longest is a line typed by a person, or piped. */
  requestBytes: 1 << 20,
  /** Processes in a report: what a job can have, what it remembers of the ended, and those of them with letters on their way. */
  processes: 2 * LIMITS.processesPerJobMost,
  /** Of a checkpoint. */
  pieceBytes: 1 << 20,
  /** One piece of output. */
  outputBytes: LIMITS.dataBytes,
} as const;

/** Tags of messages.ts end below this, so that the first byte of a link's first message tells a controller from a host. */
const FIRST_TAG = 200;

const name = text(LIMITS.nameBytes * 4);
const words = text(64 * 1024);

const stay = struct({
  host: name,
  hostName: name,
  why: name,
  imageBytes: varint,
  placedMs: finite,
  runningMs: optional(finite),
  leftMs: optional(finite),
  /** For how long it ran nowhere before it ran here. */
  freezeMs: optional(finite),
  cpuMs: finite,
});

export const PROCESS_STATES = ["running", "blocked", "moving", "unplaced", "stopped", "ended"] as const;

const process = struct({
  pid: varint,
  ppid: varint,
  state: oneOf(PROCESS_STATES),
  detail: words,
  /** Where it may run: "any", "remote", "local", or a host's id. */
  on: name,
  host: optional(name),
  hostName: name,
  epoch: varint,
  cpuMs: finite,
  memoryBytes: varint,
  bornMs: finite,
  endedMs: optional(finite),
  status: optional(int),
  signal: optional(name),
  stays: list(stay, 1000),
});

const host = struct({
  id: name,
  name,
  platform: name,
  local: bool,
  slots: varint,
  memoryBytes: varint,
  reason: words,
});

const job = struct({
  id: name,
  name,
  args: list(text(LIMITS.pathBytes), LIMITS.args),
  /** The home's clock when this was written: what the times below are to be compared with. */
  nowMs: finite,
  startedMs: finite,
  endedMs: optional(finite),
  status: optional(int),
  signal: optional(name),
  memoryBytesMax: varint,
  processes: list(process, CONTROL_LIMITS.processes),
  hosts: list(host, 4096),
});

type Deep<T> = T extends readonly (infer U)[]
  ? readonly Deep<U>[]
  : T extends object
    ? { readonly [K in keyof T]: Deep<T[K]> }
    : T;

/** A job as its home describes it. Times in milliseconds since 1970, by the home's clock. */
export type JobReport = Deep<Carried<typeof job>>;
export type ProcessReport = JobReport["processes"][number];
export type HostReport = JobReport["hosts"][number];

/** Something a process wrote. `position` counts the bytes that the job wrote before. */
const output = { position: varint, pid: varint, fd: varint, atMs: finite };

/** `secret` is the job's, as each side says it on this connection (CONTROL.md). */
const greeting = struct({ version: varint, secret: text(64) });

const request = union({
  /** First. */
  greet: [FIRST_TAG, greeting],
  look: [FIRST_TAG + 1, struct({ id: varint })],
  output: [FIRST_TAG + 2, struct({ id: varint, follow: bool })],
  /** No more of that output. */
  enough: [FIRST_TAG + 7, struct({ id: varint })],
  kill: [FIRST_TAG + 3, struct({ id: varint, pid: varint, signal: oneOf(SIGNALS) })],
  migrate: [FIRST_TAG + 4, struct({ id: varint, pid: varint, host: name })],
  attach: [FIRST_TAG + 5, struct({ id: varint })],
  checkpoint: [FIRST_TAG + 8, struct({ id: varint })],
  line: [FIRST_TAG + 6, struct({ line: optional(text(CONTROL_LIMITS.requestBytes)) })],
});

const answer = union({
  welcome: [FIRST_TAG + 30, greeting],
  report: [FIRST_TAG + 31, struct({ id: varint, job })],
  output: [FIRST_TAG + 32, struct({ id: varint, ...output, data: bytes(CONTROL_LIMITS.outputBytes) })],
  done: [FIRST_TAG + 33, struct({ id: varint })],
  failed: [FIRST_TAG + 34, struct({ id: varint, code: oneOf(ERROR_CODES), reason: words })],
  asks: [FIRST_TAG + 35, struct({})],
  piece: [FIRST_TAG + 36, struct({ id: varint, data: bytes(CONTROL_LIMITS.pieceBytes), last: bool })],
});

export type ControlRequest = Deep<Carried<typeof request>>;
export type ControlAnswer = Answer<Carried<typeof answer>>;
/** Bytes are no structure to be made readonly. */
type Answer<A> = A extends { data: Uint8Array } ? Readonly<A> : Deep<A>;

/** Whether a link's first message is a controller's. */
export const isControl = (message: Uint8Array) => (message[0] ?? 0) >= FIRST_TAG;

// The codecs read what they are given and change nothing of it.
export const encodeRequest = (r: ControlRequest): Uint8Array => encode(request, r as Carried<typeof request>);
export const encodeAnswer = (a: ControlAnswer): Uint8Array => encode(answer, a as Carried<typeof answer>);
export const decodeRequest = (input: Uint8Array): ControlRequest | Invalid => decode(request, input);
/** Byte fields are views into `input`. */
export const decodeAnswer = (input: Uint8Array): ControlAnswer | Invalid => decode(answer, input);
