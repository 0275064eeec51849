/** What a job has done to the world: lines that came out, calls that were heard. Each once, and in no second run another. */
import { utf8Decode } from "../../fabric/base/codec.ts";
import type { CallNumber, Pid } from "../../fabric/base/ids.ts";
import type { SavedHome } from "../../fabric/home/saved.ts";
import type { SavedJob } from "../../fabric/host/saved-job.ts";
import { Violation } from "./copies.ts";

export class Effects {
  stdout = "";
  readonly #printsOnce: boolean;
  readonly #printed = new Set<string>();
  readonly #asked = new Map<Pid, Uint8Array[]>();

  /** `printsOnce`: the program never prints a line twice. */
  constructor(printsOnce: boolean) {
    this.#printsOnce = printsOnce;
  }

  print(fd: number, text: string): void {
    if (fd === 1) this.stdout += text;
    for (const line of text.trimEnd().split("\n")) {
      // What the home says of a process in trouble. That one is poison is said where one is.
      if (fd !== 1 && !line.includes("was lost with its host")) throw new Violation(line);
      if (this.#printsOnce && this.#printed.has(line)) throw new Violation(`printed twice: ${line}`);
      this.#printed.add(line);
    }
  }

  asked(pid: Pid, call: CallNumber, request: Uint8Array): void {
    const asked = this.#asked.get(pid) ?? [];
    this.#asked.set(pid, asked);
    const before = asked[call];
    if (before === undefined) asked[call] = request;
    else if (before.length !== request.length || before.some((byte, n) => byte !== request[n]))
      throw new Violation(`process ${pid} made another call ${call} when it ran again`);
  }

  /** Another home goes on from what was kept: the output that is a part of that, and the calls that it knows of. */
  goBackTo({ home, output }: SavedJob): void {
    this.stdout = "";
    this.#printed.clear();
    for (const { fd, data } of output) this.print(fd, utf8Decode(data));
    const known = new Map(home.processes.map((p) => [p.pid, callsKnown(p)]));
    for (const [pid, asked] of this.#asked) {
      const p = known.get(pid);
      if (p === undefined) this.#asked.delete(pid);
      else asked.length = Math.min(asked.length, p);
    }
  }
}

/** How many calls of a process its home has heard of. */
function callsKnown({ snapshot, answers, pending, undelivered }: SavedHome["processes"][number]): number {
  const numbers = [...answers, ...undelivered, ...(pending ? [pending] : [])];
  return Math.max(snapshot?.calls ?? 0, ...numbers.map(({ call = -1 }) => call + 1));
}
