/** What a detached job leaves behind: the answers that somebody would have got who read its output to the end. */
import { Invalid } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import type { OutputLog } from "../host/output-log.ts";
import { type ControlAnswer, decodeAnswer, encodeAnswer, type JobReport } from "../wire/control.ts";

/** Each answer as its length (4 bytes, little-endian) and its bytes. */
export function record(log: OutputLog, job: JobReport): Uint8Array {
  const parts: Uint8Array[] = [];
  const add = (answer: ControlAnswer) => {
    const bytes = encodeAnswer(answer);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    parts.push(length, bytes);
  };
  for (let entry = log.from(0); entry; entry = log.from(entry.position + entry.data.length))
    add({ type: "output", id: 0, ...entry });
  add({ type: "report", id: 0, job });
  return Buffer.concat(parts);
}

export type Recorded = Extract<ControlAnswer, { type: "output" | "report" }>;

/** Throws RoostError when the file is damaged. */
export function* replay(recording: Uint8Array): Generator<Recorded> {
  const view = new DataView(recording.buffer, recording.byteOffset, recording.byteLength);
  for (let at = 0; at < recording.length; ) {
    const length = at + 4 <= recording.length ? view.getUint32(at, true) : 0;
    const answer = decodeAnswer(recording.subarray(at + 4, at + 4 + length));
    if (answer instanceof Invalid || (answer.type !== "output" && answer.type !== "report"))
      throw new RoostError("EIO", "its recording is damaged");
    yield answer;
    at += 4 + length;
  }
}
