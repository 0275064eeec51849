/**
 * What a participant needs, in a tab: Web Workers, the built engine over HTTP, the relay by PeerJS, this browser's
 * clock. The page's one composition root.
 */
import { GUEST_LIBRARY } from "virtual:roost-guest";
import engineUrl from "../dist/engine/engine.wasm?url";
import { startExecutors } from "../fabric/host/executor-worker.ts";
import type { Environment } from "../fabric/index.ts";
import { systemClock } from "../fabric/io/clock.ts";
import { systemRandom } from "../fabric/io/random.ts";
import { connectRelay } from "../fabric/io/rendezvous.ts";
import { endpointOf, engineAt } from "../fabric/tab/workers.ts";
import { groupInAddress } from "./address.ts";
import type { KeptIdentity } from "./kept-identity.ts";
import { platformOf } from "./names.ts";

const engine = engineAt(engineUrl);
const spawn = () =>
  endpointOf(new Worker(new URL("../fabric/tab/executor.worker.ts", import.meta.url), { type: "module" }));

const log = (sentence: string) => console.info(`roost: ${sentence}`);

/** `relay` is the address of the relay's page. `identity` undefined: somebody new. */
export function tabEnvironment(name: string, relay: URL, identity?: KeptIdentity): Environment {
  return {
    name,
    platform: platformOf(navigator.userAgent),
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
    // Without WebRTC there is no way to any other host; this one is left.
    rendezvous: (self) =>
      globalThis.RTCPeerConnection ? connectRelay({ url: relay, self, log }) : undefined,
    log,
    group: groupInAddress(location),
    signer: identity?.signer,
  };
}
