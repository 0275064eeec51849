/**
 * Every message between a job's home and the hosts that run its processes: one union, one codec.
 * WIRE.md beside this file says what each means and in which order they come.
 */

import { fromHex, hex } from "../base/bytes.ts";
import {
  atMost,
  bool,
  branded,
  bytes,
  type Carried,
  type Codec,
  decode,
  encode,
  exactly,
  finite,
  type Invalid,
  list,
  oneOf,
  optional,
  struct,
  text,
  union,
  varint,
} from "../base/codec.ts";
import { ERROR_CODES } from "../base/errors.ts";
import {
  type BaseId,
  type CachedId,
  type CallNumber,
  type Epoch,
  type HostId,
  type ImageId,
  imageId,
  type JobId,
  type Pid,
} from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { proof } from "./proof.ts";

/** Raised whenever a message changes its form or meaning; hosts of different versions refuse each other. */
export const PROTOCOL_VERSION = 10;

const id = <T extends HostId | JobId | BaseId>() => branded<T>(text(64));

/** A hash, as its 32 bytes behind a 0; another name as text. */
const imageName: Codec<ImageId> = {
  write: (to, name) => {
    if (!/^[0-9a-f]{64}$/.test(name)) return to.text(name, 64);
    to.u8(0);
    to.raw(fromHex(name));
  },
  read: (from) => {
    const length = from.varint();
    return imageId(length === 0 ? hex(from.raw(32)) : from.text(atMost(length, 64, "bytes")));
  },
};
const words = text(1024);

/** Which stay of which process a message speaks of. A message with another epoch than the home's is refused. */
const stay = {
  job: id<JobId>(),
  pid: branded<Pid>(varint),
  epoch: branded<Epoch>(varint),
};

/** What a process has used in this stay, for the owner and the author to see: CPU time; memory; interrupt polls since birth. */
const usage = { cpuMs: finite, memoryBytes: varint, polls: varint };
const used = struct(usage);
export type Used = Carried<typeof used>;

/** Names in a chain: those of its images' parts. */
const CHAIN_MAX = LIMITS.imageChain * LIMITS.imageParts;

/** An image, or a part of one, as `encodeImage` made it. */
const image = struct({ id: imageName, bytes: bytes(LIMITS.messageBytes) });
export type EncodedImage = Carried<typeof image>;
/** Those of a snapshot's chain that the receiver is thought to lack. */
const images = list(image, CHAIN_MAX);

/** A process, stopped: its memory and what memory cannot hold. */
export const snapshot = struct({
  /** The images that make up its memory: the first whole, each other what changed since the one before. */
  chain: list(imageName, CHAIN_MAX),
  /** System calls made so far; the next one has this number. */
  calls: branded<CallNumber>(varint),
  /** Stopped inside call number `calls - 1`, whose answer is not in the image. */
  waiting: bool,
  /** Interrupt polls and calls so far: what was learned of the clock before is of no more use. */
  moment: varint,
  /** The latest time the process has seen: the next host's clock starts no earlier. */
  clockMs: finite,
});
export type Snapshot = Carried<typeof snapshot>;

/**
 * What a running process learned from outside that a second run of it could not find out for itself.
 * With its image, this makes it repeatable: the home keeps it and gives it to the next host.
 */
const learned = struct({
  /** Answers to system calls, by call number. */
  answers: list(struct({ call: branded<CallNumber>(varint), answer: bytes(LIMITS.callBytes) }), 1 << 20),
  /** Calls that the host answered with what it had kept. The home has those answers too, until the host has forgotten them. */
  cached: list(struct({ call: branded<CallNumber>(varint), id: branded<CachedId>(varint) }), 1 << 20),
  /** Letters that the host handed over itself: call `call` was answered with what `from` sent with its call `sent`. */
  letters: list(
    struct({
      call: branded<CallNumber>(varint),
      from: branded<Pid>(varint),
      sent: branded<CallNumber>(varint),
    }),
    1 << 20,
  ),
  /** Values of the clock, each with the moment (polls and calls so far) at which it was first read. */
  clock: list(struct({ moment: varint, now: finite }), 1 << 22),
});
export type Learned = Carried<typeof learned>;

const cachedIds = list(branded<CachedId>(varint), 1 << 16);

/** Behind the version, which comes first for ever. */
const greeting = struct({
  base: id<BaseId>(),
  host: id<HostId>(),
  name: text(LIMITS.nameBytes),
  platform: text(LIMITS.nameBytes),
  /** That this end is `host`; on every link that leaves the process. */
  proof: optional(proof),
  /** That this end is of a group. */
  member: optional(exactly(32)),
});
type Proven = "proof" | "member";
type Greeting = Omit<Carried<typeof greeting>, Proven> & Partial<Pick<Carried<typeof greeting>, Proven>>;
/** Of another version nothing is looked at, so that any two can tell each other which they are. */
const FROM_ANOTHER_VERSION: Greeting = {
  base: "" as BaseId,
  host: "" as HostId,
  name: "",
  platform: "",
};
const hello: Codec<{ protocol: number } & Greeting> = {
  write: (to, value) => {
    to.varint(value.protocol);
    greeting.write(to, { proof: undefined, member: undefined, ...value });
  },
  read: (from) => {
    const protocol = from.varint();
    if (protocol === PROTOCOL_VERSION) return { protocol, ...greeting.read(from) };
    from.raw(from.left);
    return { protocol, ...FROM_ANOTHER_VERSION };
  },
};

const message = union({
  /** First on every link, from both sides. */
  hello: [1, hello],

  // home → host
  place: [
    10,
    struct({
      ...stay,
      /** Exactly one of `program` and `snapshot`. */
      program: optional(struct({ source: text(LIMITS.programBytes), fileName: words })),
      snapshot: optional(snapshot),
      images,
      /** For Math.random, when the process has not drawn yet: 8 bytes. */
      seed: optional(bytes(8)),
      learned,
      jobName: words,
      zone: words,
      /** The home's clock when this left. */
      now: finite,
      memoryBytesMax: varint,
      /** Move at every Kth interrupt poll and every system call; 0: only when asked. */
      preemptEvery: varint,
      paused: bool,
    }),
  ],
  reply: [
    11,
    struct({
      ...stay,
      call: branded<CallNumber>(varint),
      answer: bytes(LIMITS.callBytes),
      now: finite,
      /** The host may give this answer to the same request again, for LIMITS.cachedMs or until `stale`. */
      cached: optional(branded<CachedId>(varint)),
      /** To `receive`: there is no other letter for it, neither in its mailbox nor for want of room on the way. */
      noMail: bool,
    }),
  ],
  /** Send a snapshot, but keep running. */
  save: [12, struct(stay)],
  /** Send the process back. */
  recall: [13, struct(stay)],
  /** Forget the process: it ended, or lives elsewhere. `to` is where, in words, for the owner's receipt. */
  release: [14, struct({ ...stay, to: words })],
  /** SIGSTOP and SIGCONT. */
  pause: [15, struct({ ...stay, paused: bool })],
  /** A signal waits for a handler of the process: its next call must wait for the answer, posted or not. */
  interrupt: [16, struct(stay)],
  /** Not to be given again, by any process of the job; `forgotten` confirms it. */
  stale: [17, struct({ job: id<JobId>(), cached: cachedIds })],

  /** A process will come that continues these images: have them at hand, and say `prepared`. */
  prepare: [
    18,
    struct({
      job: id<JobId>(),
      chain: list(imageName, CHAIN_MAX),
      images,
      memoryBytesMax: varint,
    }),
  ],

  /** The images that came `ahead` and end with this one are here: the snapshot may be told. */
  got: [19, struct({ ...stay, image: imageName })],

  // host → home
  /**
   * What the host takes; sent after hello and when it changes. `reason` says in words why it takes nothing; this home's
   * processes may have `memoryBytes` of linear memory there together.
   */
  status: [30, struct({ slots: varint, memoryBytes: varint, reason: words })],
  refuse: [31, struct({ ...stay, code: oneOf(ERROR_CODES), reason: words })],
  /** The process is about to execute its first instruction here: then, by the home's clock as the host knows it. */
  running: [32, struct({ ...stay, runningMs: finite })],
  call: [
    33,
    struct({
      ...stay,
      call: branded<CallNumber>(varint),
      request: bytes(LIMITS.callBytes),
      /** Whether the process is blocked until the answer is there. */
      waits: bool,
      learned,
      /** With a fork: the memory of parent and child alike, stopped in this very call. */
      snapshot: optional(snapshot),
      images,
      /** From the guest's call until this was ready to leave. */
      tookMs: finite,
    }),
  ],
  /** Images of a snapshot that is told when these have been `got`: they give way to all else, and nobody waits for them. */
  ahead: [40, struct({ ...stay, images })],
  /** `learned`: the letters that were handed over before. */
  saved: [34, struct({ ...stay, snapshot, images, learned, tookMs: finite })],
  /**
   * The host runs it no further, keeps it frozen until `release`, and asks the home to place it. Without a snapshot
   * where the home has one that is as good: the process has not begun, or has just forked.
   */
  returned: [
    35,
    struct({
      ...stay,
      snapshot: optional(snapshot),
      images,
      learned,
      why: oneOf(["reclaimed", "recalled", "preempted"]),
      /** When it stopped, by the home's clock as the host knows it. */
      stoppedMs: finite,
      /** Its last; undefined where it has not begun. */
      used: optional(used),
    }),
  ],
  /** It can never go on, through its own doing. */
  failed: [36, struct({ ...stay, code: oneOf(ERROR_CODES), reason: text(64 * 1024) })],
  forgotten: [38, struct({ job: id<JobId>(), cached: cachedIds })],
  /** It has the images that end with this one at hand, or cannot have them. */
  prepared: [39, struct({ job: id<JobId>(), image: imageName })],
  usage: [37, struct({ ...stay, ...usage })],
});

export type Message = Carried<typeof message>;
export type MessageOf<T extends Message["type"]> = Extract<Message, { type: T }>;
export type Stay = { readonly job: JobId; readonly pid: Pid; readonly epoch: Epoch };

export const encodeMessage = (m: Message): Uint8Array => encode(message, m);
/** Byte fields are views into `input`. */
export const decodeMessage = (input: Uint8Array): Message | Invalid => decode(message, input);

/** Whether nobody waits for it: it may be overtaken by whatever is sent after it. */
export const givesWay = ({ type }: Message): boolean => type === "ahead" || type === "prepare";

export const NOTHING_LEARNED: Learned = Object.freeze({
  answers: [],
  cached: [],
  letters: [],
  clock: [],
});

export const stayOf = ({ job, pid, epoch }: Stay): Stay => ({ job, pid, epoch });
