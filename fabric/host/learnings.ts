/**
 * What a process has learned on this host that its home does not know yet: answers given here, and, with its clock, when it was.
 * It rides on the next call, so that nothing the process does depends on something that a second run would not be told.
 */
import type { CachedId, CallNumber } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import { type Learned, NOTHING_LEARNED, type Snapshot } from "../wire/messages.ts";
import type { ProcessClock } from "./process-clock.ts";

export class Learnings {
  readonly #clock: ProcessClock;
  #answers: Learned["answers"] = [];
  #answersBytes = 0;
  /** Answers that were kept, and given again. */
  #cached: Learned["cached"] = [];
  /** Letters that were handed over here. */
  #letters: Learned["letters"] = [];

  constructor(clock: ProcessClock) {
    this.#clock = clock;
  }

  answered(call: CallNumber, answer: Uint8Array): void {
    this.#answers.push({ call, answer });
    this.#answersBytes += answer.length;
  }

  answeredAgain(call: CallNumber, id: CachedId): void {
    this.#cached.push({ call, id });
  }

  received(letter: Learned["letters"][number]): void {
    this.#letters.push(letter);
  }

  /** The home will not have these any more: what was given of them is told in full. */
  dropped(answers: ReadonlyMap<CachedId, Uint8Array>): void {
    for (const { call, id } of this.#cached) {
      const answer = answers.get(id);
      if (answer) this.answered(call, answer);
    }
    this.#cached = this.#cached.filter(({ id }) => !answers.has(id));
  }

  /** Worth a snapshot that has it. */
  get isLong(): boolean {
    return this.#length > 1;
  }
  /** The one that has it takes too long. */
  get isTooLong(): boolean {
    return this.#length > 2;
  }

  /** As a part of what it may be before a snapshot is taken. */
  get #length(): number {
    const lists = [this.#answers, this.#cached, this.#letters, this.#clock.learned];
    const entries = lists.reduce((sum, { length }) => sum + length, 0);
    return Math.max(entries / LIMITS.logEntries, this.#answersBytes / LIMITS.logBytes);
  }

  /** To be told now. */
  take(): Learned {
    const learned = {
      answers: taken(this.#answers),
      cached: taken(this.#cached),
      letters: taken(this.#letters),
      clock: taken(this.#clock.learned),
    };
    this.#answersBytes = 0;
    return learned;
  }

  /** To be told with a snapshot: the home drops those letters only when it hears of them. */
  lettersBefore({ calls }: Snapshot): Learned {
    return { ...NOTHING_LEARNED, letters: this.#letters.filter(({ call }) => call < calls) };
  }

  /** A snapshot that has left has what came before it. Not sooner: calls made meanwhile go out before it. */
  forgetBefore({ calls, moment }: Snapshot): void {
    this.#answers = this.#answers.filter(({ call }) => call >= calls);
    this.#answersBytes = this.#answers.reduce((sum, { answer }) => sum + answer.length, 0);
    this.#cached = this.#cached.filter(({ call }) => call >= calls);
    this.#letters = this.#letters.filter(({ call }) => call >= calls);
    this.#clock.learned = this.#clock.learned.filter((reading) => reading.moment >= moment); // it may be read once more
  }
}

const NOTHING: never[] = [];

/** All of a list, which is empty then. What is often the same object is cheap to say to another thread. */
const taken = <T>(list: T[]): T[] => (list.length === 0 ? NOTHING : list.splice(0));
