/** A worker thread that runs processes, on a machine whose clock is wrong by `workerData.skewMs`. */
import { parentPort, workerData } from "node:worker_threads";
import { must } from "../../fabric/base/errors.ts";
import { serveExecutor } from "../../fabric/host/executor-worker.ts";
import { systemRandom } from "../../fabric/io/random.ts";
import { skewedClock } from "./skewed-clock.ts";

const owner = must(parentPort, "owner: this file runs as a worker thread");
serveExecutor(
  {
    post: (message) => owner.postMessage(message),
    onMessage: (receive) => owner.on("message", receive),
    onEnd: () => {},
    terminate: () => owner.close(),
  },
  skewedClock(workerData.skewMs),
  systemRandom,
  setImmediate, // as fabric/edge/executor.worker.ts says why
);
