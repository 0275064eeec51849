/** A worker of a tab: guests run here, and nowhere near the page. */
import { type Endpoint, serveExecutor } from "../host/executor-worker.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";

const owner: Endpoint = {
  post: (message) => self.postMessage(message),
  onMessage: (receive) => self.addEventListener("message", (event) => receive(event.data)),
  onEnd: () => {}, // a worker does not outlive its page
  terminate: () => self.close(),
};

serveExecutor(owner, systemClock, systemRandom);
