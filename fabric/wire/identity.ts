/**
 * Who a participant is, and how it shows that it is nobody else: an Ed25519 key pair (RFC 8032) of which its id is made,
 * and a signature over what both ends of a connection see of that very connection (channel binding, RFC 5056). A relay that
 * put itself in the middle would be two connections with other certificates, and could sign for neither. To the relay itself
 * it signs what that has just drawn at random.
 *
 * Checked in JavaScript rather than by WebCrypto, which pages that came over plain HTTP do not have. The platform may keep
 * the secret half where nobody can read it, and sign by itself (base/ports.ts, Signer).
 */
import { getPublicKey, hashes, sign, verify } from "@noble/ed25519";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { utf8Encode } from "../base/codec.ts";
import { RoostError } from "../base/errors.ts";
import { type HostId, hostId, idFromBytes, type JobId } from "../base/ids.ts";
import type { Binding, Signer } from "../base/ports.ts";
import type { Proof } from "./proof.ts";

hashes.sha512 = (message) => sha512(message) as Uint8Array<ArrayBuffer>;

export interface Identity extends Signer {
  readonly id: HostId;
}

/** Whoever has that signer is this participant, for ever. */
export const identityOf = (signer: Signer): Identity => ({
  id: idOf(signer.key),
  key: signer.key,
  sign: (words) => signer.sign(words),
});

/** `secret`: 32 random bytes, kept for as long as this participant is to be the same. */
export const identityFrom = (secret: Uint8Array): Identity =>
  identityOf({ key: getPublicKey(secret), sign: async (words) => sign(words, secret) });

/** 130 bits of the key's hash: as many as nobody finds another key for. */
const idOf = (key: Uint8Array): HostId => hostId(idFromBytes(sha256(key)));

/** Shows to the other end of this connection, and to nobody else, that this end has the identity's secret half. */
export const prove = async ({ key, sign }: Identity, binding: Binding): Promise<Proof> => ({
  key,
  signature: await sign(wordsOf("identity", binding.ours, binding.theirs)),
});

/** Whether the other end is that host. Bytes are hostile. */
export const proves = (host: HostId, proof: Proof, binding: Binding): boolean =>
  isBy(host, proof, wordsOf("identity", binding.theirs, binding.ours));

function isBy(host: HostId, { key, signature }: Proof, words: Uint8Array): boolean {
  if (idOf(key) !== host) return false;
  try {
    return verify(signature, words, key);
  } catch {
    return false; // no point of the curve
  }
}

/** Shows to a relay that this end has the identity's secret half. `challenge`: what the relay has drawn for this connection. */
export const proveToRelay = async ({ id, key, sign }: Identity, challenge: Uint8Array): Promise<Proof> => ({
  key,
  signature: await sign(wordsOf("relay", bytesToHex(challenge), id)),
});

/** Whether who answered that challenge is that host. */
export const provesToRelay = (host: HostId, proof: Proof, challenge: Uint8Array): boolean =>
  isBy(host, proof, wordsOf("relay", bytesToHex(challenge), host));

/** Shorter secrets could be found by trying: whoever is greeted has something to try against. */
const SECRET_CHARACTERS = 20;

/** What members of a group share, as a key. Throws RoostError EINVAL where it could be guessed. */
export function groupKey(secret: string): Uint8Array {
  if (secret.length < SECRET_CHARACTERS)
    throw new RoostError(
      "EINVAL",
      `a group's secret has at least ${SECRET_CHARACTERS} characters; draw them at random`,
    );
  return sha256(utf8Encode(secret));
}

/** What members know their group by in a relay's directory: it leads to nobody's secret, and proves nothing. */
export const groupName = (group: Uint8Array): string =>
  idFromBytes(hmac(sha256, group, utf8Encode("roost directory 1\n")));

/** Shows to the other end that this end knows the group's secret, without telling it. */
export const proveMember = (group: Uint8Array, { ours, theirs }: Binding): Uint8Array =>
  hmac(sha256, group, wordsOf("group", ours, theirs));

export function provesMember(group: Uint8Array, proof: Uint8Array, { ours, theirs }: Binding): boolean {
  const expected = hmac(sha256, group, wordsOf("group", theirs, ours));
  let differs = proof.length ^ expected.length;
  for (const [i, byte] of expected.entries()) differs |= byte ^ (proof[i] ?? 0);
  return differs === 0;
}

/**
 * The secret of a job whose home this participant is: the same in each life of its home (RFC 8032 signatures of the same words
 * are the same, on most platforms), so that its address stays good.
 */
export const secretOfJob = async ({ sign }: Identity, job: JobId): Promise<string> =>
  idFromBytes(sha256(await sign(utf8Encode(`roost job 1\n${job}\n`))));

/** Who knows a job's secret: who steers it, and its home. */
type Knower = "control" | "home";

/** How a secret is said to the other end: where somebody could be in between, so that it is of use on this connection only. */
export const sayable = (secret: string, binding: Binding | undefined, by: Knower): string =>
  binding ? bytesToHex(hmac(sha256, utf8Encode(secret), wordsOf(by, binding.ours, binding.theirs))) : secret;

/** Whether that is how the other end, being that one, says the secret. */
export const isSaid = (said: string, secret: string, binding: Binding | undefined, by: Knower): boolean =>
  said === sayable(secret, binding && { ours: binding.theirs, theirs: binding.ours }, by);

/** The signer's end first: what one end shows cannot be thrown back at it. */
const wordsOf = (
  what: "identity" | "relay" | "group" | Knower,
  signers: string,
  others: string,
): Uint8Array => utf8Encode(`roost ${what} 1\n${signers}\n${others}\n`);
