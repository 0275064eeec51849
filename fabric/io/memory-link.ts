/**
 * Links between parties of one process. Messages arrive when their sender has done what it is about, as they would from a network:
 * at the end of its task, and so without waiting for whatever else the thread has to do; and what comes of what comes of them, in a
 * task of its own, so that no two parties can keep the thread to themselves.
 */
import type { Link, LinkEnd } from "../base/ports.ts";
import { inNextTask } from "./tasks.ts";

export function linkPair(): [Link, Link] {
  const a = new MemoryEnd();
  const b = new MemoryEnd();
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryEnd implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onEnd: (end: LinkEnd) => void = () => {};
  readonly queuedBytes = 0;
  other: MemoryEnd | undefined;
  #ended = false;

  send(message: Uint8Array): void {
    const { other } = this;
    if (!this.#ended && other) soon(() => !other.#ended && other.onMessage(message));
  }

  close(reason: string): void {
    const { other } = this;
    soon(() => this.#end({ reason }));
    if (other) soon(() => other.#end({ reason }));
  }

  #end(how: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd(how);
  }
}

/** A message that came of a message that came of … so many is left to the next task. */
const DEPTH_MAX = 4;
/** Of the message that is being received; 0 outside. */
let depth = 0;
/** Messages that wait for a task. */
let waiting = 0;

/** In the order of the calls. */
function soon(run: () => void): void {
  // Nothing overtakes what waits for a task.
  if (depth < DEPTH_MAX && waiting === 0) {
    const its = depth + 1;
    return queueMicrotask(() => runAt(its, run));
  }
  waiting++;
  inNextTask(() => {
    waiting--;
    run();
  });
}

function runAt(its: number, run: () => void): void {
  depth = its;
  try {
    run();
  } finally {
    depth = 0;
  }
}
