/** What a job has done to the world: lines that came out, calls that were heard. Each once, and in no second run another. */
import type { CallNumber, Pid } from "../../fabric/base/ids.ts";
import { Violation } from "./copies.ts";

export class Effects {
  readonly lines: string[] = [];
  /** What the home says of processes in trouble. */
  readonly complaints: string[] = [];
  readonly #printed = new Set<string>();
  readonly #asked = new Map<Pid, Uint8Array[]>();

  print(fd: number, text: string): void {
    for (const line of text.trimEnd().split("\n")) {
      if (fd !== 1) {
        this.complaints.push(line);
        if (!line.includes("was lost with its host")) throw new Violation(line);
        continue;
      }
      if (this.#printed.has(line)) throw new Violation(`printed twice: ${line}`);
      this.#printed.add(line);
      this.lines.push(line);
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
}
