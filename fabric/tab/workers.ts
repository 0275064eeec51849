/** Web Workers with executors in them, and the engine they boot: for every composition root in a page. */
import { RoostError } from "../base/errors.ts";
import { type Engine, loadEngine } from "../engine/index.ts";
import type { Endpoint } from "../host/executor-worker.ts";

/** Fetched and compiled once, when first needed; a failure is forgotten, so that the next wish tries again. */
export function engineAt(url: string | URL): () => Promise<Engine> {
  let engine: Promise<Engine> | undefined;
  return () => {
    engine ??= fetchEngine(url);
    engine.catch(() => {
      engine = undefined;
    });
    return engine;
  };
}

async function fetchEngine(url: string | URL): Promise<Engine> {
  const response = await fetch(url).catch((cause) => {
    throw new RoostError("EIO", `the engine cannot be fetched from ${url}; is its server reachable?`, {
      cause,
    });
  });
  if (!response.ok)
    throw new RoostError(
      "EIO",
      `the engine cannot be fetched from ${url} (HTTP ${response.status}); reload the page`,
    );
  return loadEngine(new Uint8Array(await response.arrayBuffer()));
}

/** The page's end of a worker that runs `executor.worker.ts`. */
export const endpointOf = (worker: Worker): Endpoint => ({
  post: (message) => worker.postMessage(message),
  onMessage: (receive) => worker.addEventListener("message", (event) => receive(event.data)),
  onEnd: (end) => worker.addEventListener("error", (event) => end(event.message || "it could not be loaded")),
  terminate: () => worker.terminate(),
});
