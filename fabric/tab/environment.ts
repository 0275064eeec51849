/** What a participant needs, in a page that uses the package: Web Workers, the engine from beside the built module. */
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { startExecutors } from "../host/executor-worker.ts";
import { BrowserSensors } from "../io/browser-sensors.ts";
import { systemClock } from "../io/clock.ts";
import { systemRandom } from "../io/random.ts";
import { connectRelay } from "../io/rendezvous.ts";
import type { Surroundings } from "../library.ts";
import { endpointOf, engineAt } from "./workers.ts";

// Written so that bundlers see files that belong to this one.
const engine = engineAt(new URL("../engine/engine.wasm", import.meta.url));
const spawn = () =>
  endpointOf(new Worker(new URL("./executor.worker.js", import.meta.url), { type: "module" }));

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
        engine: await engine(),
        guestLibrary: GUEST_LIBRARY,
        hostName,
      });
    },
    rendezvous: rendezvous ?? (() => undefined),
    log,
  }),
  connect: (url, self, log) => connectRelay({ url, self, log }),
  sensors: () => new BrowserSensors(),
  close: () => {},
};
