/** A worker thread that runs processes. */
import { parentPort } from "node:worker_threads";
import { must } from "../base/errors.ts";
import { serveExecutor } from "../host/executor-worker.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";

const owner = must(parentPort, "owner: this file runs as a worker thread");
serveExecutor(
  {
    post: (message) => owner.postMessage(message),
    onMessage: (receive) => owner.on("message", receive),
    onEnd: () => {},
    terminate: () => owner.close(),
  },
  systemClock,
  systemRandom,
  // Not a MessageChannel: Node takes up to 1,000 messages of one port before it looks at another, and so a process that
  // computes would keep the owner's commands waiting for 1,000 slices.
  setImmediate,
);
