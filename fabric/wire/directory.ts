/**
 * What a host and the relay's directory say to each other over the WebSocket `/directory`: one binary frame a
 * message. DIRECTORY.md beside this file says what each means. Bytes from either side are hostile until decoded.
 */
import {
  bool,
  branded,
  type Carried,
  type Codec,
  decode,
  encode,
  exactly,
  Invalid,
  list,
  oneOf,
  struct,
  text,
  union,
} from "../base/codec.ts";
import type { HostId } from "../base/ids.ts";
import type { Presence } from "../base/ports.ts";
import { proof } from "./proof.ts";

/** Raised whenever a message changes its form or meaning. */
export const DIRECTORY_VERSION = 5;

/** Where on the relay things are. PeerJS appends a `peerjs` of its own to the path it is given. */
export const DIRECTORY_PATH = "/directory";
export const SIGNALLING_PATH = "/peerjs";

export const DIRECTORY_LIMITS = {
  /** One message to the relay; an announcement has at most 400. */
  requestBytes: 1024,
  /** Hosts of one relay: the list goes to everybody who comes, and every change to everybody. */
  hosts: 1_000,
  /** What a relay draws for each connection. */
  challengeBytes: 32,
  /** STUN and TURN servers that a relay may name: every one costs each new link its questions. */
  iceServers: 8,
  /** The relay asks for a sign of life this often: a hidden page's own timers may sleep for a minute. */
  askMs: 1_000,
  /** Silent this long, a host leaves the list, and a relay is taken for lost. */
  leaseMs: 5_000,
} as const;

const id = branded<HostId>(text(26));
/** `group`: what its members know it by (identity.ts); empty without one. Anybody can claim it; links prove it. */
const presence = { name: text(64), platform: text(128), taking: bool, group: text(26) };

const entry: Codec<Presence> = struct({ host: id, ...presence });

const REFUSALS = ["EAGAIN", "EEXIST", "EINVAL", "EPERM", "EVERSION"] as const;

/**
 * The version comes first for ever, and nothing behind it is looked at when it is not ours, so that two versions
 * can always tell each other which they are.
 */
const helloOfOurs = struct({ host: id });
const hello: Codec<{ version: number; host: HostId }> = {
  write: (to, value) => {
    to.varint(value.version);
    helloOfOurs.write(to, value);
  },
  read: (from) => {
    const version = from.varint();
    if (version === DIRECTORY_VERSION) return { version, ...helloOfOurs.read(from) };
    from.raw(from.left);
    return { version, host: "" as HostId };
  },
};

const toRelay = union({
  hello: [0, hello],
  announce: [1, struct(presence)],
  alive: [2, struct({})],
  proof: [3, proof],
});
export type ToRelay = Carried<typeof toRelay>;

const ICE_URL_BYTES = 256;
/** As RTCIceServer has them; both are empty for STUN. */
const iceServer = struct({ url: text(ICE_URL_BYTES), username: text(128), credential: text(128) });
export type IceServer = Carried<typeof iceServer>;

const fromRelay = union({
  /** Like `hello`, never changed: every version must understand it. */
  refused: [0, struct({ code: oneOf(REFUSALS), reason: text(1024) })],
  welcome: [1, struct({ ticket: text(64) })],
  hosts: [2, struct({ hosts: list(entry, DIRECTORY_LIMITS.hosts) })],
  ask: [3, struct({})],
  /** New and changed entries, and who has left. */
  changes: [
    4,
    struct({ entries: list(entry, DIRECTORY_LIMITS.hosts), left: list(id, 2 * DIRECTORY_LIMITS.hosts) }),
  ],
  /** For links that are made from now on. */
  ice: [5, struct({ servers: list(iceServer, DIRECTORY_LIMITS.iceServers) })],
  /** To be signed by who said hello. */
  challenge: [6, struct({ challenge: exactly(DIRECTORY_LIMITS.challengeBytes) })],
});
export type FromRelay = Carried<typeof fromRelay>;
export type Refusal = (typeof REFUSALS)[number];

export const encodeToRelay = (message: ToRelay): Uint8Array => encode(toRelay, message);
export const encodeFromRelay = (message: FromRelay): Uint8Array => encode(fromRelay, message);

export function decodeToRelay(bytes: Uint8Array): ToRelay | Invalid {
  const message = decode(toRelay, bytes);
  if (message instanceof Invalid || message.type !== "hello" || message.version !== DIRECTORY_VERSION)
    return message;
  if (!isHostId(message.host)) return new Invalid("a host's id is 26 characters of a–z and 2–7");
  return message;
}

export function decodeFromRelay(bytes: Uint8Array): FromRelay | Invalid {
  const message = decode(fromRelay, bytes);
  if (message instanceof Invalid) return message;
  if (message.type === "ice" && !message.servers.every(isIceServer))
    return new Invalid("a STUN or TURN server that is none");
  const entries =
    message.type === "hosts" ? message.hosts : message.type === "changes" ? message.entries : [];
  return entries.every(({ host }) => isHostId(host)) ? message : new Invalid("an id that is none");
}

/** One that a browser takes, which would else refuse every link. */
const isIceServer = ({ url, username, credential }: IceServer): boolean =>
  isIceUrl(url) && (url.startsWith("stun:") || (username !== "" && credential !== ""));

const ICE_URL = /^(stun|turns?):(?:[\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?(\?transport=(?:udp|tcp))?$/;

/** What browsers and Node's WebRTC take of RFC 7064 and 7065. */
export function isIceUrl(url: string): boolean {
  const [, scheme, port = "3478", transport] = ICE_URL.exec(url) ?? [];
  const isPort = Number(port) > 0 && Number(port) < 65_536;
  return scheme !== undefined && isPort && !(scheme === "stun" && transport) && url.length <= ICE_URL_BYTES;
}

export const isHostId = (text: string): text is HostId => /^[a-z2-7]{26}$/.test(text);

/** Cuts a text to what a field holds, at a whole character. */
export function fitting(words: string, bytesMax: number): string {
  let out = "";
  let left = bytesMax;
  for (const character of words) {
    const point = character.codePointAt(0) ?? 0;
    left -= point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (left < 0) break;
    out += character;
  }
  return out;
}
