/** What the relay bears, with the reason for each number. Limits of the protocol itself are in wire/directory.ts. */
export const RELAY_LIMITS = {
  /** Connections to the directory that may exist at once: hosts, and some that have not said who they are. */
  connections: 1_200,
  /** Of one address: both connections of a hundred hosts, an office or a school behind one router. */
  connectionsPerAddress: 256,
  /** New ones of one address: all of them at once after a restart, and then as they come and go. */
  openingsAtOnce: 256,
  openingsPerSecond: 20,
  /** Messages to the directory: a host answers one question a second and announces a few changes. */
  messagesPerSecond: 20,
  messagesAtOnce: 40,
  /** Changes of one host that everybody is told at once; and a second, after that, with what it said last. */
  changesAtOnce: 5,
  changesPerSecond: 1,
  /** The list is sent this often at most; as often, leases are looked at. */
  tickMs: 100,
  /** A connection that takes its messages this slowly is closed; it may come back. */
  unsentBytes: 4 * 1024 * 1024,
  /** One signalling message. A session description has 1–3 KB, with many candidates 10. */
  signalBytes: 64 * 1024,
  /** Signalling of one host: a home that links to fifty hosts at once sends 300 KB. */
  signalBytesPerSecond: 128 * 1024,
  signalBytesAtOnce: 1024 * 1024,
  /** Signalling that a host has not taken yet. */
  unsentSignalBytes: 1024 * 1024,
  /** A relay that is to end lets those who are connecting finish: until nothing was forwarded for a while, or so long. */
  drainQuietMs: 500,
  drainMs: 5_000,
  /** Credentials of TURN servers are good for an hour. */
  renewIceMs: 1_800_000,
  /** From its goodbye to the end of a connection that does not answer it; and to that of all that is left, when the relay ends. */
  farewellMs: 500,
  goodbyeMs: 1_000,
} as const;

/** So much at once, and so much a second in the long run. */
export class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #atMs: number;

  constructor(most: number, perSecond: number, nowMs: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
    this.#atMs = nowMs;
  }

  isFull(nowMs: number): boolean {
    return this.#left + ((nowMs - this.#atMs) * this.#perSecond) / 1000 >= this.#most;
  }

  /** False when `amount` is more than is left; then nothing is taken. */
  take(amount: number, nowMs: number): boolean {
    this.#left = Math.min(this.#most, this.#left + ((nowMs - this.#atMs) * this.#perSecond) / 1000);
    this.#atMs = nowMs;
    if (amount > this.#left) return false;
    this.#left -= amount;
    return true;
  }
}
