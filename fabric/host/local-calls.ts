/** Calls whose answer is here: what the host knows itself, what the home has lent, letters from processes beside. */
import { RoostError } from "../base/errors.ts";
import type { CallNumber } from "../base/ids.ts";
import type { Random } from "../base/ports.ts";
import { CALLS, type Call, encodeAnswer, encodeError } from "../wire/calls.ts";
import type { HandedLetters } from "./handed-letters.ts";
import type { KeptAnswers } from "./kept-answers.ts";
import type { Resident } from "./resident.ts";

export class LocalCalls {
  readonly #host: { readonly hostName: string; readonly random: Random };
  readonly #kept: KeptAnswers;
  readonly #letters: HandedLetters;

  constructor(
    host: { readonly hostName: string; readonly random: Random },
    kept: KeptAnswers,
    letters: HandedLetters,
  ) {
    this.#host = host;
    this.#kept = kept;
    this.#letters = letters;
  }

  /** The answer, which the process has learned then; undefined: the home is to give it. `asksHome`: wherever it may. */
  answer(
    p: Resident,
    number: CallNumber,
    call: Call,
    request: Uint8Array,
    asksHome: boolean,
  ): Uint8Array | undefined {
    const { where } = CALLS[call.name];
    if (where === "here" && !p.interrupted) {
      if (p.preemptEvery > 0) p.preemptSoon();
      const answer = this.#here(call);
      p.learned.answered(number, answer);
      return answer;
    }
    if (call.name === "receive") {
      const letter = this.#letters.receive(p.key, number, call.args, !asksHome);
      if (letter) p.learned.received(letter.learned);
      return letter?.answer;
    }
    const kept = where === "cached" && !asksHome ? this.#kept.find(p.home, request) : undefined;
    if (kept) p.learned.answeredAgain(number, kept.id);
    return kept?.answer;
  }

  #here(call: Call): Uint8Array {
    switch (call.name) {
      case "hostname":
        return encodeAnswer("hostname", { name: this.#host.hostName });
      case "random":
        return call.args.length > 65_536
          ? encodeError(new RoostError("EINVAL", "at most 65,536 random bytes a call; ask several times"))
          : encodeAnswer("random", { bytes: this.#host.random.bytes(call.args.length) });
      default:
        throw new Error(`bug: ${call.name} is not served here`);
    }
  }
}
