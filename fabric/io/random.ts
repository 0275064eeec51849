import type { Random } from "../base/ports.ts";

/** This machine's cryptographic source, at most 65,536 bytes a call. */
export const systemRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
