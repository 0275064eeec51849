/**
 * The one table of system calls: number, name, codecs, and where each is served. Guest stubs, the host's
 * dispatch and the home's handlers all come from it.
 *
 * `where`:
 *  - "home"   forwarded to the job's home; the process is blocked until the answer is there
 *  - "cached" forwarded, unless the host has been given an answer to the same request that it may give again
 *  - "posted" forwarded, but not waited for: the host answers `undefined` at once and the home gets it in order
 *  - "here"   answered by the host it runs on; the home learns the answer with the next forwarded call,
 *             so that a process that must run again gets the same one
 * When a signal waits for the process its next call goes to the home in any case, and is waited for.
 *
 * A request is the call's number (varint) and its arguments. An answer is 0 and the result, or 1 and an error, or 2: make
 * the call again. In front of it may stand 3 and the signals that the process has handlers for.
 */
import {
  bool,
  bytes,
  type Carried,
  type Codec,
  decode,
  f64,
  Invalid,
  int,
  list,
  nothing,
  oneOf,
  optional,
  type Reader,
  struct,
  text,
  varint,
  Writer,
} from "../base/codec.ts";
import { ERROR_CODES, RoostError } from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";

export const SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGKILL",
  "SIGSTOP",
  "SIGCONT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGCHLD",
] as const;
export type SignalName = (typeof SIGNALS)[number];

/** What is done to a file when it is opened; Node's flag strings. */
export const OPEN_FLAGS = ["r", "r+", "w", "wx", "w+", "wx+", "a", "ax", "a+", "ax+"] as const;

const path = text(LIMITS.pathBytes);
const data = bytes(LIMITS.dataBytes);
const name = text(LIMITS.nameBytes);
const number = varint;

export const fileStat = struct({
  kind: oneOf(["file", "directory"]),
  size: number,
  /** Milliseconds since 1970. */
  modified: f64,
});

export const childEnd = struct({
  pid: number,
  status: int,
  signal: optional(oneOf(SIGNALS)),
  /** Encoded by the guest that exited, decoded by the guest that waits: opaque on the way. Empty: no value. */
  value: data,
});
export type ChildEnd = Carried<typeof childEnd>;

/** Compared byte for byte. */
const tag = text(LIMITS.nameBytes);

const pids = list(number, LIMITS.processesPerJobMost);
const letter = struct({ to: pids, tag, value: data });

/** `member`: the rank of who gets it (-1: everybody), or, in answers, of who gave it. */
const parcel = struct({ member: int, data });

/** Encoded by guests, opaque to others: fields are equal when their bytes are. `type` is what a formal asks for. */
const field = { type: text(64), data };

/** Whatever a process must know of itself that a copy of its memory cannot tell it. */
const identity = struct({
  pid: number,
  ppid: number,
  argv: list(text(LIMITS.pathBytes), 4096),
  env: list(struct({ name, value: text(LIMITS.pathBytes) }), LIMITS.environment),
});

const call = <A, R, const W extends "home" | "cached" | "posted" | "here">(
  number: number,
  where: W,
  args: Codec<A>,
  answer: Codec<R>,
) => ({ number, where, args, answer });

export const CALLS = {
  // Processes
  /** Ends the process; never answered. */
  exit: call(0, "home", struct({ status: int, value: data }), nothing),
  /** `child` is the new pid in the parent and 0 in the child. `self` and `parent` are those of the one who is told. */
  fork: call(1, "home", struct({ on: text(64) }), struct({ child: number, self: number, parent: number })),
  /** `pid` -1: any child. `dueMs` (the clock of `Date.now`) undefined: for ever. Answers undefined when it is past. */
  wait: call(2, "home", struct({ pid: int, dueMs: optional(f64) }), struct({ end: optional(childEnd) })),
  /** `pid` -1: all processes of the job but the caller. */
  kill: call(3, "home", struct({ pid: int, signal: oneOf(SIGNALS) }), nothing),
  identify: call(4, "home", nothing, identity),
  hosts: call(
    5,
    "home",
    nothing,
    struct({ hosts: list(struct({ id: name, name, free: bool }), 4096), here: name }),
  ),
  /** Moves the caller; empty: wherever the home thinks best. Answered on the new host. */
  migrate: call(6, "home", struct({ host: name }), nothing),
  hostname: call(7, "here", nothing, struct({ name })),
  /** Blocks until `dueMs` (the clock of `Date.now`). */
  sleep: call(8, "home", struct({ dueMs: f64 }), nothing),
  /** Random bytes of the host's cryptographic source; at most 65,536. */
  random: call(9, "here", struct({ length: number }), struct({ bytes: data })),
  /** Whether the process has a handler for the signal, or leaves it to what the signal does by itself. */
  handle: call(10, "home", struct({ signal: oneOf(SIGNALS), handled: bool }), nothing),
  // Terminal
  /** 1 is stdout, 2 is stderr. */
  print: call(20, "posted", struct({ fd: number, data }), nothing),
  /** A line without its end; undefined at the end of input. */
  readLine: call(21, "home", nothing, struct({ line: optional(text(LIMITS.dataBytes)) })),
  // Files
  open: call(30, "home", struct({ path, flags: oneOf(OPEN_FLAGS) }), struct({ fd: number })),
  /** `position` undefined: at the shared offset, which advances. An empty answer is the end of the file. */
  read: call(
    31,
    "home",
    struct({ fd: number, length: number, position: optional(number) }),
    struct({ data }),
  ),
  write: call(
    32,
    "home",
    struct({ fd: number, data, position: optional(number) }),
    struct({ written: number }),
  ),
  close: call(33, "home", struct({ fd: number }), nothing),
  stat: call(34, "cached", struct({ path }), fileStat),
  readDirectory: call(
    35,
    "cached",
    struct({ path }),
    struct({ entries: list(struct({ name, kind: oneOf(["file", "directory"]) }), 1 << 20) }),
  ),
  makeDirectory: call(36, "home", struct({ path, recursive: bool }), nothing),
  unlink: call(37, "home", struct({ path }), nothing),
  rename: call(38, "home", struct({ from: path, to: path }), nothing),
  /** A whole file in one round trip. */
  readFile: call(39, "cached", struct({ path }), struct({ data })),
  /** Writes a whole file ("w"), creates it ("wx") or appends to it ("a"), in one round trip. */
  writeFile: call(40, "home", struct({ path, flags: oneOf(["w", "wx", "a"]), data }), nothing),
  // Messages
  /** To each of `to`, all of which must be alive. Blocks while a mailbox is full. */
  send: call(50, "home", letter, nothing),
  /** The same, where it was seen before that they were alive: what is sent to those that have ended is lost. */
  post: call(51, "posted", letter, nothing),
  /** The first letter that fits. `from` -1: anybody's; `tag` undefined: any. */
  receive: call(
    52,
    "home",
    struct({ from: int, tag: optional(tag), dueMs: optional(f64) }),
    struct({ letter: optional(struct({ from: number, tag, value: data, end: optional(childEnd) })) }),
  ),
  /** Looks for such a letter, and leaves it. */
  probe: call(
    53,
    "home",
    struct({ from: int, tag: optional(tag) }),
    struct({ found: optional(struct({ from: number, tag, bytes: number })) }),
  ),
  /** When that process ends, or if it has, a letter from it comes that says how. */
  notify: call(54, "home", struct({ pid: number, tag }), nothing),
  // Groups
  join: call(60, "home", struct({ group: name }), struct({ rank: number })),
  leave: call(61, "home", struct({ group: name }), nothing),
  /** Their pids, in the order of their ranks; and the caller's rank, if it is one of them. */
  members: call(62, "home", struct({ group: name }), struct({ members: pids, rank: optional(number) })),
  /**
   * Blocks until `count` members (0: all there are) have called it, for the same purpose `what`; each gets what the
   * others addressed to its rank. Only the parcels of rank `giver` count (-1: everybody's).
   */
  meet: call(
    63,
    "home",
    struct({
      group: name,
      what: name,
      giver: int,
      count: number,
      parcels: list(parcel, LIMITS.processesPerJobMost),
    }),
    struct({ rank: number, parcels: list(parcel, LIMITS.processesPerJobMost) }),
  ),
  // The tuple space
  out: call(70, "home", struct({ fields: list(struct(field), LIMITS.tupleFields) }), nothing),
  /** A tuple that fits; `remove`: and is taken; `wait`: when there is one. */
  find: call(
    71,
    "home",
    struct({
      template: list(struct({ type: optional(field.type), data: optional(field.data) }), LIMITS.tupleFields),
      remove: bool,
      wait: bool,
    }),
    struct({ fields: optional(list(data, LIMITS.tupleFields)) }),
  ),
} as const;

export type CallName = keyof typeof CALLS;
export type CallArgs<N extends CallName> = Carried<(typeof CALLS)[N]["args"]>;
export type CallAnswer<N extends CallName> = Carried<(typeof CALLS)[N]["answer"]>;
export type Call = { [N in CallName]: { readonly name: N; readonly args: CallArgs<N> } }[CallName];

const byNumber = new Map<number, CallName>(
  (Object.keys(CALLS) as CallName[]).map((name) => [CALLS[name].number, name]),
);

export function encodeCall<N extends CallName>(name: N, args: CallArgs<N>): Uint8Array {
  const to = new Writer();
  to.varint(CALLS[name].number);
  (CALLS[name].args as Codec<CallArgs<N>>).write(to, args);
  return to.finish();
}

/** Reads a request. Hostile bytes give the error to answer: ENOSYS or EINVAL. */
export function decodeCall(request: Uint8Array): Call | RoostError {
  if (request.length > LIMITS.callBytes)
    return new RoostError(
      "EINVAL",
      `a system call of ${request.length} bytes, where ${LIMITS.callBytes} are allowed; pass less at a time`,
    );
  const call = decode(anyCall, request);
  if (call instanceof Invalid) return new RoostError("EINVAL", `a malformed system call (${call.reason})`);
  return typeof call === "number"
    ? new RoostError("ENOSYS", `this version has no system call ${call}; update this host`)
    : (call as Call);
}

/** By its number, which is all that is told of one that is not known. */
const anyCall = {
  read(from: Reader): { name: CallName; args: unknown } | number {
    const number = from.varint();
    const name = byNumber.get(number);
    if (name) return { name, args: CALLS[name].args.read(from) };
    from.raw(from.left);
    return number;
  },
};

const failure = struct({ code: oneOf(ERROR_CODES), message: text(64 * 1024) });

export function encodeAnswer<N extends CallName>(name: N, answer: CallAnswer<N>): Uint8Array {
  const to = new Writer();
  to.u8(0);
  (CALLS[name].answer as Codec<CallAnswer<N>>).write(to, answer);
  return to.finish();
}

/** `error.message` begins with its code; on the wire the two are apart. */
export function encodeError(error: RoostError): Uint8Array {
  const to = new Writer();
  to.u8(1);
  failure.write(to, { code: error.code, message: error.message.slice(error.code.length + 2) });
  return to.finish();
}

/** Instead of a result: a signal came while the process was blocked. It has changed nothing. */
const AGAIN = 2;
export const CALL_AGAIN: Uint8Array = Uint8Array.of(AGAIN);
const SIGNALLED = 3;
const signals = list(oneOf(SIGNALS), SIGNALS.length);

/** `names` are the signals that have come for handlers of the process. */
export function withSignals(names: readonly SignalName[], answer: Uint8Array): Uint8Array {
  if (names.length === 0) return answer;
  const to = new Writer();
  to.u8(SIGNALLED);
  signalled.write(to, { signals: [...names], answer });
  return to.finish();
}

/** For the guest: which signals came, and the answer without them; undefined: the call is to be made again. */
export function takeSignals(given: Uint8Array): {
  readonly signals: readonly SignalName[];
  readonly answer: Uint8Array | undefined;
} {
  if (given[0] !== SIGNALLED) return { signals: NO_SIGNALS, answer: again(given) };
  const parts = decode(signalled, given.subarray(1));
  if (parts instanceof Invalid) return { signals: [], answer: given }; // `decodeAnswer` says what is wrong
  return { signals: parts.signals, answer: again(parts.answer) };
}

const NO_SIGNALS: readonly SignalName[] = [];
const again = (answer: Uint8Array) => (answer[0] === AGAIN ? undefined : answer);

const signalled: Codec<{ signals: SignalName[]; answer: Uint8Array }> = {
  write: (to, parts) => {
    signals.write(to, parts.signals);
    to.raw(parts.answer);
  },
  read: (from) => ({ signals: signals.read(from), answer: from.raw(from.left) }),
};

/** For the guest: the result, or the RoostError to throw. */
export function decodeAnswer<N extends CallName>(name: N, answer: Uint8Array): CallAnswer<N> | RoostError {
  if (answer[0] === 1) {
    const error = decode(failure, answer, 1);
    return error instanceof Invalid
      ? new RoostError("EIO", `the answer to ${name} is damaged (${error.reason})`)
      : new RoostError(error.code, error.message);
  }
  const codec = CALLS[name].answer as Codec<CallAnswer<N>>;
  if (codec === nothing && answer.length === 1 && answer[0] === 0) return undefined as CallAnswer<N>;
  const result = decode(codec, answer, 1);
  return result instanceof Invalid
    ? new RoostError("EIO", `the answer to ${name} is damaged (${result.reason})`)
    : result;
}
