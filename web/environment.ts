/**
 * What a participant needs, in a tab: Web Workers, the built engine over HTTP, the relay by PeerJS, this browser's
 * clock. The page's one composition root.
 */
import { GUEST_LIBRARY } from "virtual:roost-guest";
import engineUrl from "../dist/engine/engine.wasm?url";
import { type Engine, loadEngine } from "../fabric/engine/index.ts";
import { type Endpoint, startExecutors } from "../fabric/host/executor-worker.ts";
import { type Environment, RoostError } from "../fabric/index.ts";
import { systemClock } from "../fabric/io/clock.ts";
import { systemRandom } from "../fabric/io/random.ts";
import { connectRelay } from "../fabric/io/rendezvous.ts";
import { platformOf } from "./names.ts";

let engine: Promise<Engine> | undefined;

/** Fetched and compiled once, when first needed; a failure is forgotten, so that the next wish tries again. */
function fetchEngine(): Promise<Engine> {
  engine ??= (async () => {
    const response = await fetch(engineUrl).catch((cause) => {
      throw new RoostError("EIO", "the engine cannot be fetched; is the relay reachable?", { cause });
    });
    if (!response.ok)
      throw new RoostError("EIO", `the engine cannot be fetched (HTTP ${response.status}); reload the page`);
    return loadEngine(new Uint8Array(await response.arrayBuffer()));
  })();
  engine.catch(() => {
    engine = undefined;
  });
  return engine;
}

function spawn(): Endpoint {
  const worker = new Worker(new URL("./executor.worker.ts", import.meta.url), { type: "module" });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: (receive) => worker.addEventListener("message", (event) => receive(event.data)),
    onEnd: (end) =>
      worker.addEventListener("error", (event) => end(event.message || "it could not be loaded")),
    terminate: () => worker.terminate(),
  };
}

const log = (sentence: string) => console.info(`roost: ${sentence}`);

/** The group named in the page's address, behind `#`: that part is sent to no server. */
export const groupInAddress = (address: Location): string | undefined =>
  new URLSearchParams(address.hash.slice(1)).get("group") ?? undefined;

/** `relay` is the address of the relay's page. */
export function tabEnvironment(name: string, relay: URL): Environment {
  return {
    name,
    platform: platformOf(navigator.userAgent),
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
    // Without WebRTC there is no way to any other host; this one is left.
    rendezvous: (host) =>
      globalThis.RTCPeerConnection ? connectRelay({ url: relay, host, log }) : undefined,
    log,
    group: groupInAddress(location),
  };
}
