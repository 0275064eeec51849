/** Messages as tests make them. */
import { Invalid } from "../../fabric/base/codec.ts";
import { epoch, jobId, pid } from "../../fabric/base/ids.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageOf,
  NOTHING_LEARNED,
} from "../../fabric/wire/messages.ts";

export const JOB = jobId("job");

/** As it arrives on a link. Undefined where the other side would have ended the link. */
export function received(message: Message): Message | undefined {
  const back = decodeMessage(encodeMessage(message));
  return back instanceof Invalid ? undefined : back;
}

/** Of process `n`, by a home that says what the test wants. */
export function placeOf(n: number, changes: Partial<MessageOf<"place">> = {}): MessageOf<"place"> {
  return {
    type: "place",
    job: JOB,
    pid: pid(n),
    epoch: epoch(1),
    program: { source: "", fileName: "x.js" },
    snapshot: undefined,
    images: [],
    seed: undefined,
    learned: NOTHING_LEARNED,
    jobName: "job",
    zone: "UTC",
    now: 0,
    memoryBytesMax: 2 ** 25,
    preemptEvery: 0,
    paused: false,
    ...changes,
  };
}
