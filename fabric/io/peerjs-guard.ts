/**
 * PeerJS trusts what the signalling server sends: a malformed message throws where nobody catches it, which would
 * end a Node process. This is what stands before it. It reaches into PeerJS 1.5.5, hence the exact version.
 */
import type { DataConnection, Peer, PeerOptions } from "peerjs";

/** Connections of one peer, open or under way; a hostile one could otherwise make any number of them. */
const CONNECTIONS_MAX = 512;
/** Messages for connections that are not known (yet): PeerJS would keep them for ever. */
const STRAYS_MAX = 256;

interface Inside {
  _handleMessage(message: unknown): void;
  emitError(type: "webrtc", sentence: string): void;
  readonly _lostMessages: Map<string, unknown[]>;
  readonly _connections: Map<string, unknown[]>;
}

/** PeerJS looks for WebRTC when it is imported: not before it is needed, and after Node's was put in place. */
export async function newPeer(id: string, options: PeerOptions): Promise<Peer> {
  const peerjs = await import("peerjs");
  // Node gets the CommonJS build, whose names are inside its default.
  const { Peer } = "Peer" in peerjs ? peerjs : (peerjs as { default: typeof import("peerjs") }).default;
  const peer = new Peer(id, { debug: 0, ...options });
  const inside = peer as unknown as Inside;
  const handle = inside._handleMessage.bind(peer);
  inside._handleMessage = (message) => {
    if (!wellFormed(message)) return;
    if (message.type === "OFFER" && total(inside._connections) >= CONNECTIONS_MAX) return;
    if (total(inside._lostMessages) > STRAYS_MAX) inside._lostMessages.clear();
    try {
      handle(message);
    } catch (error) {
      // An offer may ask for one connection more than a browser makes; those that there are go on.
      inside.emitError("webrtc", String(error));
    }
  };
  return peer;
}

function total(lists: Map<string, unknown[]>): number {
  let sum = 0;
  for (const { length } of lists.values()) sum += length;
  return sum;
}

/** A candidate that comes too late rejects a promise that PeerJS does not look at. */
export function tame(connection: DataConnection): void {
  const handle = connection.handleMessage.bind(connection);
  connection.handleMessage = async (message) => {
    await handle(message).catch(() => {});
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function wellFormed(message: unknown): message is { type: string } {
  if (!isObject(message)) return false;
  const { type, src, payload } = message;
  switch (type) {
    case "OPEN":
    case "ID-TAKEN":
    case "INVALID-KEY":
      return true;
    case "ERROR":
      return isObject(payload) && typeof payload.msg === "string";
    case "EXPIRE":
      return typeof src === "string";
    case "OFFER":
    case "ANSWER":
    case "CANDIDATE":
      return typeof src === "string" && isSignal(type, payload);
    default:
      // LEAVE among them: whether a link has ended is for its two ends to say.
      return false;
  }
}

function isSignal(type: "OFFER" | "ANSWER" | "CANDIDATE", payload: unknown): boolean {
  if (!isObject(payload)) return false;
  const { connectionId, candidate, sdp, serialization } = payload;
  if (typeof connectionId !== "string" || payload.type !== "data") return false;
  if (type === "CANDIDATE") return isObject(candidate);
  if (!isObject(sdp) || typeof sdp.sdp !== "string" || sdp.type !== type.toLowerCase()) return false;
  return type === "ANSWER" || serialization === "raw";
}
