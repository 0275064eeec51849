/**
 * Letters between processes of one executor, handed over without waiting for the home. The home hears of both ends in their order:
 * of the letter as of any other, and with what its receiver `learned` that it was received. Its mailbox is the one that counts.
 *
 * Promises: no letter overtakes another of its sender's, wherever that was sent from; none is handed over that the home
 * may give too; and letters from elsewhere wait no longer than LIMITS.handedMs for those from here.
 */
import { type CallNumber, type Pid, pid } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock } from "../base/ports.ts";
import type { HomeLink, StayKey } from "../kernel/executor-messages.ts";
import { type CallArgs, encodeAnswer } from "../wire/calls.ts";
import type { Learned } from "../wire/messages.ts";

interface Letter {
  readonly from: Pid;
  readonly sent: CallNumber;
  readonly tag: string;
  readonly value: Uint8Array;
}

/** A process, wherever it is. */
type Name = `${HomeLink}/${Pid}`;

interface Box {
  readonly home: HomeLink;
  readonly pid: Pid;
  /** When it came here, counted in what the home has said. */
  readonly came: number;
  /**
   * At that point there was nothing for it at the home: what senders who were here by then have sent since is in `letters`, all of
   * it. Undefined: that is not known.
   */
  empty: { readonly at: number; readonly untilMs: number } | undefined;
  letters: Letter[];
  bytes: number;
  /** The call in which it waits for a letter from its home. */
  asks: CallNumber | undefined;
  /** To whom its calls have sent that the home has not confirmed. */
  readonly sent: Map<CallNumber, readonly Name[]>;
}

export class HandedLetters {
  readonly #clock: Clock;
  readonly #boxes = new Map<StayKey, Box>();
  readonly #byName = new Map<Name, Box>();
  /** Letters from here that the home has not confirmed, to each. */
  readonly #underWay = new Map<Name, number>();
  #said = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called in the order in which the home says such things, as is `answered`. */
  came(key: StayKey, home: HomeLink, pid: Pid): void {
    const none = { empty: undefined, letters: [], bytes: 0, asks: undefined, sent: new Map() };
    const box: Box = { home, pid, came: this.#said++, ...none };
    this.#boxes.set(key, box);
    this.#byName.set(nameOf(box), box);
  }

  /** Its home has heard of all that it sent, or will never. */
  left(key: StayKey): void {
    const box = this.#boxes.get(key);
    if (!box) return;
    this.#boxes.delete(key);
    if (this.#byName.get(nameOf(box)) === box) this.#byName.delete(nameOf(box));
    for (const to of box.sent.values()) this.#arrived(to);
  }

  /** `noMail`: and there was nothing for it at the home. */
  answered(key: StayKey, call: CallNumber, noMail: boolean): void {
    const box = this.#boxes.get(key);
    if (!box) return;
    this.#arrived(box.sent.get(call) ?? []);
    box.sent.delete(call);
    if (box.asks === call) box.asks = undefined;
    if (noMail && box.asks === undefined && !this.#underWay.has(nameOf(box)))
      box.empty = { at: this.#said++, untilMs: this.#clock.monotonic() + LIMITS.handedMs };
  }

  /** `posted`: it does not wait for the home. Who waits may be told that the letter cannot be sent. */
  sent(key: StayKey, call: CallNumber, { to, tag, value }: CallArgs<"post">, posted: boolean): void {
    const sender = this.#boxes.get(key);
    if (!sender) return;
    const names = to.map((id) => nameOf({ home: sender.home, pid: pid(id) }));
    sender.sent.set(call, names);
    for (const name of names) {
      this.#underWay.set(name, (this.#underWay.get(name) ?? 0) + 1);
      const box = this.#byName.get(name);
      if (!box) continue;
      box.bytes += value.length;
      if (posted && box.empty && box.empty.at > sender.came && box.bytes <= LIMITS.handedBytes)
        box.letters.push({ from: sender.pid, sent: call, tag, value });
      else close(box);
    }
  }

  /**
   * The first that fits, with the answer to a call that receives it. Undefined, as always unless it `mayBeHere`: the home is to be
   * asked, and has them all.
   */
  receive(
    key: StayKey,
    call: CallNumber,
    { from, tag }: CallArgs<"receive">,
    mayBeHere: boolean,
  ): { readonly answer: Uint8Array; readonly learned: Learned["letters"][number] } | undefined {
    const box = this.#boxes.get(key);
    if (!box) return undefined;
    const inTime = mayBeHere && box.empty && box.empty.untilMs > this.#clock.monotonic();
    const fits = (letter: Letter) =>
      (from === -1 || letter.from === from) && (tag === undefined || letter.tag === tag);
    const at = inTime ? box.letters.findIndex(fits) : -1;
    const letter = box.letters[at];
    if (!letter) {
      box.asks = call;
      return void close(box);
    }
    box.letters.splice(at, 1);
    box.bytes -= letter.value.length;
    const { sent, ...rest } = letter;
    const answer = encodeAnswer("receive", { letter: { ...rest, end: undefined } });
    return { answer, learned: { call, from: letter.from, sent } };
  }

  #arrived(names: readonly Name[]): void {
    for (const name of names) {
      const left = (this.#underWay.get(name) ?? 0) - 1;
      if (left > 0) this.#underWay.set(name, left);
      else this.#underWay.delete(name);
    }
  }
}

const nameOf = ({ home, pid }: Pick<Box, "home" | "pid">): Name => `${home}/${pid}`;

function close(box: Box): void {
  box.empty = undefined;
  box.letters = [];
  box.bytes = 0;
}
