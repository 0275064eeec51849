/** What a participant needs, in a page that uses the package: Web Workers, the engine from beside the built module. */
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { RoostError } from "../base/errors.ts";
import type { HostId } from "../base/ids.ts";
import { type Engine, loadEngine } from "../engine/index.ts";
import { type Endpoint, startExecutors } from "../host/executor-worker.ts";
import { BrowserSensors } from "../io/browser-sensors.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";
import { connectRelay } from "../io/rendezvous.ts";
import type { Surroundings } from "../library.ts";

let engine: Promise<Engine> | undefined;

/** Fetched and compiled once, when first needed; a failure is forgotten, so that the next wish tries again. */
function fetchEngine(): Promise<Engine> {
  engine ??= (async () => {
    // Written so that bundlers see a file that belongs to this one.
    const url = new URL("../engine/engine.wasm", import.meta.url);
    const response = await fetch(url).catch((cause) => {
      throw new RoostError("EIO", `the engine cannot be fetched from ${url}`, { cause });
    });
    if (!response.ok)
      throw new RoostError("EIO", `the engine cannot be fetched from ${url} (HTTP ${response.status})`);
    return loadEngine(new Uint8Array(await response.arrayBuffer()));
  })();
  engine.catch(() => {
    engine = undefined;
  });
  return engine;
}

function spawn(): Endpoint {
  const worker = new Worker(new URL("./executor.worker.js", import.meta.url), { type: "module" });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (receive) => worker.addEventListener("message", (event) => receive(event.data)),
    onEnd: (end) =>
      worker.addEventListener("error", (event) => end(event.message || "it could not be loaded")),
    terminate: () => worker.terminate(),
  };
}

export const TAB: Surroundings = {
  clock: systemClock,
  processors: navigator.hardwareConcurrency || 1,
  environment: ({ name, log, rendezvous }) => ({
    name: name ?? "a page",
    platform: navigator.userAgent,
    clock: systemClock,
    random: systemRandom,
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    async startExecutors(count, hostName) {
      return startExecutors(count, spawn, {
        engine: await fetchEngine(),
        guestLibrary: GUEST_LIBRARY,
        hostName,
      });
    },
    rendezvous: rendezvous ?? (() => undefined),
    log,
  }),
  connect: (relay: URL, self: HostId, log) => connectRelay({ url: relay, host: self, log }),
  sensors: () => new BrowserSensors(),
  close: () => {},
};
