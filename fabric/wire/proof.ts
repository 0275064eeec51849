/** That a participant is who it says, as data; identity.ts makes and checks it. */
import { type Carried, exactly, struct } from "../base/codec.ts";

/** The public key of which its id is made, and a signature (RFC 8032). */
export const proof = struct({ key: exactly(32), signature: exactly(64) });
export type Proof = Carried<typeof proof>;
