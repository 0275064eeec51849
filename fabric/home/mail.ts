/**
 * Mailboxes. They are here and not with the processes, so that a message never waits for a move: it is accepted
 * wherever its receiver is, or if that is nowhere.
 *
 * Promises: letters from one process to another are received in the order of sending; each is in a mailbox, or with its
 * sender for want of room, or received, and once received is an answer that outlives every host (answers.ts).
 */
import { RoostError } from "../base/errors.ts";
import { type CallNumber, type Pid, pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { type CallArgs, encodeAnswer, encodeError } from "../wire/calls.ts";
import type { Learned } from "../wire/messages.ts";
import { answer, remember } from "./answers.ts";
import type { Out } from "./effects.ts";
import type { HomeState, Letter, Process, Undelivered, Which } from "./state.ts";
import { touch, who } from "./tally.ts";

/** What a letter weighs beside its value. */
const LETTER_BYTES = 64;

export const letterBytes = (letter: Letter) => letter.value.length + letter.tag.length + LETTER_BYTES;

const noProcess = (pid: number) => new RoostError("ESRCH", `no process ${pid} is alive in this job`);

/** `checked`: all receivers must be alive. */
export function send(
  state: HomeState,
  p: Process,
  call: CallNumber,
  { to, tag, value }: CallArgs<"send">,
  checked: boolean,
  out: Out,
  nowMs: number,
): void {
  const receivers = to.map((id) => state.processes.get(pid(id)));
  const dead = receivers.findIndex((q) => !q || q.end);
  if (checked && dead >= 0) return answer(state, p, call, encodeError(noProcess(to[dead] ?? 0)), out, nowMs);
  const letter: Letter = { from: p.pid, sent: call, tag, value: value.slice(), end: undefined };
  const alive = receivers.flatMap((q) => (q && !q.end ? [q.pid] : []));
  const letters: Undelivered = { call, letter, to: new Set(alive) };
  p.undelivered.push(letters);
  deliverFrom(state, p, out, nowMs);
}

/** Delivers what a process has sent as far as there is room, and no letter before an earlier one to the same receiver. */
function deliverFrom(state: HomeState, p: Process, out: Out, nowMs: number): void {
  touch(state, p);
  const full = new Set<Pid>();
  for (const { letter, to } of p.undelivered)
    for (const id of to) {
      const receiver = state.processes.get(id);
      if (receiver && !receiver.end) {
        if (!deliver(state, receiver, letter, full.has(id), out, nowMs)) {
          full.add(id);
          continue;
        }
        tell(letter, receiver, out);
      }
      to.delete(id);
    }
  const done = p.undelivered.filter(({ to }) => to.size === 0);
  if (done.length === 0) return;
  const rest = p.undelivered.filter(({ to }) => to.size > 0);
  p.undelivered.splice(0, p.undelivered.length, ...rest);
  for (const { call } of done)
    if (call !== undefined && !p.end) answer(state, p, call, encodeAnswer("send", undefined), out, nowMs);
}

/** For people to see; what the home itself writes is told otherwise. */
function tell(letter: Letter, q: Process, out: Out): void {
  if (letter.end) return;
  const event = { type: "sent", pid: letter.from, to: q.pid, bytes: letter.value.length } as const;
  out({ type: "event", event });
}

/**
 * Into the hands of a receiver that waits for it, or into the mailbox. False: there is no room, or the letter is `behind`
 * another of its sender's for which there was none.
 */
function deliver(
  state: HomeState,
  q: Process,
  letter: Letter,
  behind: boolean,
  out: Out,
  nowMs: number,
): boolean {
  if (q.pending?.for === "letter" && fits(letter, q.pending.which)) {
    hand(state, q, q.pending.call, letter, out, nowMs);
    return true;
  }
  const full =
    behind ||
    q.mailbox.length >= LIMITS.mailboxLetters ||
    (q.mailbox.length > 0 && q.mailboxBytes + letterBytes(letter) > LIMITS.mailboxBytes);
  if (full) return false;
  q.mailbox.push(letter);
  q.mailboxBytes += letterBytes(letter);
  return true;
}

function hand(state: HomeState, q: Process, call: CallNumber, letter: Letter, out: Out, nowMs: number): void {
  answer(state, q, call, encodeAnswer("receive", { letter }), out, nowMs);
}

/**
 * What a host has handed over itself leaves the mailbox, and is an answer like others. False, and nothing is done: one of them is
 * not here. Its sender was ended, or begun again, before it was heard of: then it was never sent.
 */
export function handedOver(
  state: HomeState,
  q: Process,
  letters: Learned["letters"],
  out: Out,
  nowMs: number,
): boolean {
  if (letters.length === 0) return true;
  // Looked up once, and each given once: the list is a stranger's, and may be long.
  const here = new Map(q.mailbox.map((letter) => [nameOf(letter), letter]));
  const onTheWay = new Map<string, Undelivered>();
  for (const from of new Set(letters.map(({ from }) => from)))
    for (const one of state.processes.get(from)?.undelivered ?? [])
      if (one.to.has(q.pid)) onTheWay.set(nameOf(one.letter), one);
  const given = new Map<string, CallNumber>();
  for (const one of letters) {
    const name = nameOf(one);
    if (given.has(name) || !(here.has(name) || onTheWay.has(name))) return false;
    given.set(name, one.call);
  }
  // All of them first: what there is room for then may be delivered, and none of these may.
  const rest = q.mailbox.filter((letter) => !given.has(nameOf(letter)));
  q.mailbox.splice(0, q.mailbox.length, ...rest);
  q.mailboxBytes = rest.reduce((sum, letter) => sum + letterBytes(letter), 0);
  for (const [name, call] of given) {
    const undelivered = onTheWay.get(name);
    const letter = here.get(name) ?? undelivered?.letter;
    if (!letter) continue;
    if (undelivered) {
      tell(letter, q, out);
      undelivered.to.delete(q.pid);
    }
    remember(q, call, encodeAnswer("receive", { letter }));
  }
  for (const from of new Set(letters.map(({ from }) => from))) {
    const sender = state.processes.get(from);
    if (sender && sender.undelivered.length > 0) deliverFrom(state, sender, out, nowMs);
  }
  deliverTo(state, q, out, nowMs);
  return true;
}

/** Those that the home itself has written have none that a host could say. */
const nameOf = ({ from, sent }: Pick<Letter, "from" | "sent">) => `${from}/${sent}`;

const fits = ({ from, tag }: Letter, which: Which): boolean =>
  (which.from === -1 || which.from === from) && (which.tag === undefined || which.tag === tag);

export function receive(
  state: HomeState,
  q: Process,
  call: CallNumber,
  { from, tag, dueMs }: CallArgs<"receive">,
  out: Out,
  nowMs: number,
): void {
  const which = { from, tag };
  const at = q.mailbox.findIndex((letter) => fits(letter, which));
  const letter = q.mailbox[at];
  if (!letter) {
    q.pending = { for: "letter", call, which, dueMs };
    return deliverTo(state, q, out, nowMs); // what there was no room for may be the one
  }
  q.mailbox.splice(at, 1);
  q.mailboxBytes -= letterBytes(letter);
  hand(state, q, call, letter, out, nowMs);
  deliverTo(state, q, out, nowMs);
}

function deliverTo(state: HomeState, q: Process, out: Out, nowMs: number): void {
  for (const sender of [...who(state, "sending", true)])
    if (sender.undelivered.some(({ to }) => to.has(q.pid))) deliverFrom(state, sender, out, nowMs);
}

export function probe(q: Process, which: CallArgs<"probe">): Uint8Array {
  const letter = q.mailbox.find((letter) => fits(letter, which));
  const found = letter && { from: letter.from, tag: letter.tag, bytes: letter.value.length };
  return encodeAnswer("probe", { found });
}

export function notify(
  state: HomeState,
  p: Process,
  call: CallNumber,
  { pid: id, tag }: CallArgs<"notify">,
  out: Out,
  nowMs: number,
): void {
  const watched = state.processes.get(pid(id));
  if (!watched) {
    const sentence = `this job never had a process ${id}, or it ended long ago`;
    return answer(state, p, call, encodeError(new RoostError("ESRCH", sentence)), out, nowMs);
  }
  answer(state, p, call, encodeAnswer("notify", undefined), out, nowMs);
  watched.watchers.push({ pid: p.pid, tag });
  if (watched.end) tellWatchers(state, watched, out, nowMs);
}

/** After the end of `p`: nobody waits for room in its mailbox any more, and after all it has sent those who asked are told. */
export function closeMailbox(state: HomeState, p: Process, out: Out, nowMs: number): void {
  p.mailbox.length = 0;
  p.mailboxBytes = 0;
  tellWatchers(state, p, out, nowMs);
  deliverTo(state, p, out, nowMs);
}

function tellWatchers(state: HomeState, p: Process, out: Out, nowMs: number): void {
  const { status = 1, signal } = p.end ?? {};
  const value = new Uint8Array();
  const end = { pid: p.pid, status, signal, value };
  for (const { pid: watcher, tag } of p.watchers.splice(0))
    p.undelivered.push({
      call: undefined,
      letter: { from: p.pid, sent: undefined, tag, value, end },
      to: new Set([watcher]),
    });
  deliverFrom(state, p, out, nowMs);
}
