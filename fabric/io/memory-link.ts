/**
 * Links between parties of one process. Messages arrive when their sender has done what it is about, as they would from a network:
 * at the end of its task, and so without waiting for whatever else the thread has to do; and what comes of what comes of them, in a
 * task of its own, so that no two parties can keep the thread to themselves.
 */
import type { Link, LinkEnd } from "../base/ports.ts";

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
    if (!this.#ended && other) later(() => !other.#ended && other.onMessage(message));
  }

  close(reason: string): void {
    const { other } = this;
    later(() => this.#end({ reason }));
    if (other) later(() => other.#end({ reason }));
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
const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;
let isPlanned = false;

/** In the order of the calls. */
function later(run: () => void): void {
  // Nothing overtakes what waits for a task.
  if (depth < DEPTH_MAX && waiting.length === 0) {
    const its = depth + 1;
    return queueMicrotask(() => runAt(its, run));
  }
  waiting.push(run);
  plan();
}

function runAt(its: number, run: () => void): void {
  depth = its;
  try {
    run();
  } finally {
    depth = 0;
  }
}

/** A task without the delays of timers. The channel is made when first used, so that importing this keeps no process alive. */
function plan(): void {
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = runAll;
  }
  if (waiting.length === 0) return release(channel.port1);
  if (isPlanned) return;
  isPlanned = true;
  hold(channel.port1);
  channel.port2.postMessage(0);
}

/** What is there when a task begins is run by that task, what comes of it by the next. */
function runAll(): void {
  isPlanned = false;
  try {
    for (let left = waiting.length; left > 0; left--) waiting.shift()?.();
  } finally {
    plan(); // also where one failed: the others come all the same
  }
}

/** Node's ports keep the process alive unless told not to; browsers' have no such method. */
const release = (port: MessagePort | undefined) => (port as { unref?: () => void } | undefined)?.unref?.();
const hold = (port: MessagePort) => (port as { ref?: () => void }).ref?.();
