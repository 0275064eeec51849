/**
 * WebRTC and WebSocket for Node, under the names that browsers have, so that `connectRelay` works there unchanged.
 * Nothing is loaded until it is asked for: the binary module keeps threads of its own.
 */
import type { RTCPeerConnection as NodePeerConnection } from "node-datachannel/polyfill";

/** Returns what ends WebRTC in this process; without that, Node does not exit by itself. */
export async function installNodeRtc(): Promise<() => void> {
  const [native, rtc, { WebSocket }] = await Promise.all([
    import("node-datachannel"),
    import("node-datachannel/polyfill"),
    import("ws"),
  ]);
  const { RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = rtc satisfies {
    RTCPeerConnection: typeof NodePeerConnection;
  };
  Object.assign(globalThis, { WebSocket, RTCPeerConnection, RTCSessionDescription, RTCIceCandidate });
  return () => native.cleanup();
}
