/** Messages between the processes of a job: PVM's verbs. In order from each sender, each exactly once. */
import type { SignalName } from "../wire/calls.ts";
import { type ChildEnd, checkedPid, childEnd, dueIn } from "./processes.ts";
import { call, callWith, invalid, request } from "./system.ts";
import { decodeValue, encodeValue } from "./value.ts";

export type Tag = string | number;
export interface Message {
  from: number;
  tag: Tag;
  value: unknown;
}
interface Which {
  from?: number | undefined;
  tag?: Tag | undefined;
}

/** Those that were alive when something was sent to them: what they end without having read is lost, as it always is. */
const seenAlive = new Set<number>();

export function send(to: number | readonly number[], tag: Tag, value?: unknown) {
  post(to, wireTag(tag, "send"), encodeValue(value));
}

/** The way of all letters, the library's own too. */
export function post(to: number | readonly number[], tag: string, value: Uint8Array) {
  const pids =
    typeof to === "number"
      ? [checkedPid(to, "send")]
      : Array.from(new Set(to), (pid) => checkedPid(pid, "send"));
  if (pids.every((pid) => seenAlive.has(pid))) {
    call("post", { to: pids, tag, value });
    return;
  }
  call("send", { to: pids, tag, value });
  for (const pid of pids) seenAlive.add(pid);
}

export function recv(options?: Which & { timeout?: number }): Message | null {
  const { letter } = options ? call("receive", asked(options)) : callWith("receive", anyLetter());
  if (!letter) return null;
  const { from, tag, value, end } = letter;
  if (end) seenAlive.delete(from);
  return { from, tag: programTag(tag), value: end ? howItEnded(childEnd(end)) : decodeValue(value) };
}

const asked = (options: Which & { timeout?: number }) => ({
  ...which(options, "recv"),
  dueMs: dueIn(options.timeout, "recv: `timeout`"),
});

/** What `recv()` says: made once. */
let any: ArrayBuffer | undefined;
const anyLetter = () => (any ??= request("receive", asked({})));

export function probe(options: Which = {}): { from: number; tag: Tag; bytes: number } | null {
  const { found } = call("probe", which(options, "probe"));
  return found ? { from: found.from, tag: programTag(found.tag), bytes: found.bytes } : null;
}

export function notify(pid: number, tag: Tag = "exit") {
  call("notify", { pid: checkedPid(pid, "notify"), tag: wireTag(tag, "notify") });
}

/** What it gave to `exit` is for its parent, and for that only once. */
const howItEnded = ({
  pid,
  status,
  signal,
}: ChildEnd): { pid: number; status: number; signal: SignalName | null } => ({
  pid,
  status,
  signal,
});

function which({ from, tag }: Which, who: string): { from: number; tag: string | undefined } {
  return {
    from: from === undefined || from === -1 ? -1 : checkedPid(from, who),
    tag: tag === undefined ? undefined : wireTag(tag, who),
  };
}

const NUMBER = "#";
const TEXT = "$";

/** 1 and "1" are two tags. */
function wireTag(tag: Tag, who: string): string {
  if (typeof tag === "string") return TEXT + tag;
  if (typeof tag === "number" && !Number.isNaN(tag)) return NUMBER + String(tag);
  throw invalid(`${who}: a tag is a string or a number, not ${typeof tag}`);
}

function programTag(tag: string): Tag {
  return tag[0] === NUMBER ? Number(tag.slice(1)) : tag.slice(1);
}
