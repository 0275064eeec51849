/** What the owner of a host allows the work of others, now. The owner's own jobs are not bound by it. */

export interface Terms {
  /** Whether more of it is taken. */
  readonly taking: boolean;
  /** Why not, in words; the home passes it on to the author. */
  readonly reason: string;
  /** On how many executors it may be: what is on the others leaves. */
  readonly workers: number;
  /** Of an executor's time, in (0, 1]. */
  readonly share: number;
  /** Linear memory of all of it together, in bytes: beyond it the newest leaves and nothing more is taken. Their images may be as much again. */
  readonly memoryBytes: number;
  /** It stays here and stands still. */
  readonly held: boolean;
}

export const NO_TERMS: Terms = {
  taking: false,
  reason: "not donating",
  workers: Number.POSITIVE_INFINITY,
  share: 1,
  memoryBytes: Number.POSITIVE_INFINITY,
  held: false,
};
