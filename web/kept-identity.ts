/**
 * Who this tab is, the next time too: Ed25519 keys that this browser keeps and nobody can read, and for each what the
 * participant is called. Tabs that are open at once are different participants: a tab holds a lock on its key, and takes
 * the one it had before, or the first that no tab holds.
 *
 * Where storage, locks or such keys are missing (plain HTTP among it), the tab is somebody new each time.
 */
import type { Signer, Store } from "../fabric/index.ts";

export interface KeptIdentity {
  readonly signer: Signer;
  readonly name: string;
  saveName(name: string): void;
}

interface Record {
  readonly privateKey: CryptoKey;
  readonly publicKey: Uint8Array;
  readonly name: string;
}

const NUMBER_KEY = "roost-identity";
/** A page that is reloaded lets go of its key in a moment; in a tab that was duplicated the other one never does. */
const RELOAD_MS = 2_000;
const TABS_MAX = 256;

const keyOf = (number: number) => `identity ${number}`;
const lockOf = (number: number) => `roost-identity-${number}`;

/** `firstName`: what a participant that is new here is called. */
export async function keptIdentity(store: Store, firstName: () => string): Promise<KeptIdentity | undefined> {
  try {
    const number = await holdNumber();
    let record = recordFrom(await store.get<unknown>(keyOf(number)));
    if (!record) {
      record = await newRecord(firstName());
      await store.set(keyOf(number), record);
    }
    const { privateKey, publicKey, name } = record;
    return {
      signer: {
        key: publicKey,
        sign: async (words) =>
          new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, words.slice().buffer)),
      },
      name,
      saveName: (name) => void store.set(keyOf(number), { ...record, name }).catch(() => {}),
    };
  } catch {
    return undefined;
  }
}

/** The number of the key that is this tab's until it goes. */
async function holdNumber(): Promise<number> {
  const before = sessionStorage.getItem(NUMBER_KEY);
  if (before !== null && (await hold(Number(before), { signal: AbortSignal.timeout(RELOAD_MS) })))
    return Number(before);
  for (let number = 0; number < TABS_MAX; number++)
    if (await hold(number, { ifAvailable: true })) {
      sessionStorage.setItem(NUMBER_KEY, String(number));
      return number;
    }
  throw new Error("more tabs than keys");
}

function hold(number: number, options: LockOptions): Promise<boolean> {
  return new Promise((resolve) => {
    navigator.locks
      .request(lockOf(number), options, (lock) => {
        resolve(lock !== null);
        // A page that goes says so, rather than leaving it to the browser: the one that follows asks at once.
        return lock && new Promise<void>((release) => addEventListener("pagehide", () => release()));
      })
      .catch(() => resolve(false));
  });
}

async function newRecord(name: string): Promise<Record> {
  const pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return { privateKey: pair.privateKey, publicKey, name };
}

/** Another version of the page may have written it. */
function recordFrom(found: unknown): Record | undefined {
  const { privateKey, publicKey, name } = (found ?? {}) as Partial<Record>;
  return privateKey instanceof CryptoKey && publicKey instanceof Uint8Array && typeof name === "string"
    ? { privateKey, publicKey, name }
    : undefined;
}
