/**
 * STUN and TURN servers that a relay names to its hosts, for pairs of them between which nothing else gets through. TURN
 * servers with credentials of an hour, made of a secret that the relay shares with them (draft-uberti-behave-turn-rest-00:
 * coturn's `use-auth-secret` and `static-auth-secret`).
 */
import { createHmac } from "node:crypto";
import { RoostError } from "../fabric/base/errors.ts";
import type { HostId } from "../fabric/base/ids.ts";
import { DIRECTORY_LIMITS, type IceServer, isIceUrl } from "../fabric/wire/directory.ts";

/** How long credentials let somebody in. Who is in may stay. */
const LIFETIME_S = 3_600;

export interface Ice {
  /** What the host is to be told now. */
  serversFor(host: HostId, nowMs: number): IceServer[];
}

/** `secret`: of the TURN servers. Throws RoostError EINVAL, with what to do. */
export function iceServers(urls: readonly string[], secret: string | undefined): Ice {
  if (urls.length > DIRECTORY_LIMITS.iceServers)
    throw new RoostError(
      "EINVAL",
      `at most ${DIRECTORY_LIMITS.iceServers} STUN and TURN servers can be named`,
    );
  const wrong = urls.find((url) => !isIceUrl(url));
  if (wrong !== undefined)
    throw new RoostError(
      "EINVAL",
      `"${wrong}" is no STUN or TURN server; write stun:HOST[:PORT], or turn:HOST[:PORT] with ?transport=tcp if need be`,
    );
  if (urls.some(isTurn) && !secret)
    throw new RoostError(
      "EINVAL",
      "a TURN server needs ROOST_TURN_SECRET in the environment: what coturn calls static-auth-secret",
    );
  return {
    serversFor: (host, nowMs) =>
      urls.map((url) =>
        isTurn(url) && secret
          ? { url, ...credentials(secret, host, nowMs) }
          : { url, username: "", credential: "" },
      ),
  };
}

const isTurn = (url: string) => url.startsWith("turn");

function credentials(secret: string, host: HostId, nowMs: number) {
  const username = `${Math.floor(nowMs / 1000) + LIFETIME_S}:${host}`;
  return { username, credential: createHmac("sha1", secret).update(username).digest("base64") };
}
