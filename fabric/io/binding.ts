/** What a WebRTC connection is bound to: the certificates that DTLS holds its ends to, as their descriptions name them. */
import type { Binding } from "../base/ports.ts";

/** Undefined where either description names no certificate, or leaves a choice of several. */
export function bindingOf({ localDescription, remoteDescription }: RTCPeerConnection): Binding | undefined {
  const ours = fingerprintIn(localDescription?.sdp ?? "");
  const theirs = fingerprintIn(remoteDescription?.sdp ?? "");
  return ours && theirs ? { ours, theirs } : undefined;
}

/**
 * Calls `then` when both descriptions are there. Chromium is told of an accepted answer by one thread and of an open channel
 * by another: to the calling page it says one time in some thousands that the channel is open first.
 */
export function whenDescribed(connection: RTCPeerConnection, then: () => void): void {
  const look = () => {
    if (!connection.localDescription?.sdp || !connection.remoteDescription?.sdp) return;
    connection.removeEventListener("signalingstatechange", look);
    then();
  };
  connection.addEventListener("signalingstatechange", look);
  look();
}

/** DTLS is content with any that is named, so there must not be a second, which somebody on the way could have added. */
function fingerprintIn(sdp: string): string | undefined {
  const lines = [...sdp.matchAll(/^a=fingerprint:\s*(\S+)\s+(\S+)\s*$/gim)];
  const named = new Set(
    lines.map(([, algorithm = "", digest = ""]) => `${algorithm} ${digest}`.toLowerCase()),
  );
  const [only] = named;
  return named.size === 1 ? only : undefined;
}
