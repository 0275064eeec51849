/**
 * Workers that all tabs of one browser share, by Web Locks: a worker is a named lock. A tab that is closed, or
 * crashes, gives its locks back without a word.
 */

const NAME = "roost-worker-";

export class TabBudget {
  /** By number of the lock; what releases it. */
  readonly #held = new Map<number, () => void>();
  /** Asked for and not answered: taken for granted until it is refused. */
  readonly #asked = new Set<number>();
  readonly #refused = new Set<number>();
  #wanted = 0;

  /** Locks are numbered from 0, so that all tabs together have no more workers than the tab that may have most. */
  want(workers: number): number {
    if (!("locks" in navigator)) return workers;
    this.#wanted = workers;
    for (const [number, release] of this.#held)
      if (number >= workers) {
        this.#held.delete(number);
        release();
      }
    for (let number = 0; number < workers; number++)
      if (!this.#held.has(number) && !this.#asked.has(number)) this.#ask(number);
    const hoped = [...this.#asked].filter((number) => number < workers && !this.#refused.has(number));
    return this.#held.size + hoped.length;
  }

  #ask(number: number): void {
    this.#asked.add(number);
    navigator.locks
      .request(NAME + number, { ifAvailable: true }, (lock) => {
        this.#asked.delete(number);
        if (!lock) return void this.#refused.add(number);
        this.#refused.delete(number);
        if (number >= this.#wanted) return;
        return new Promise<void>((release) => this.#held.set(number, release));
      })
      .catch(() => this.#asked.delete(number)); // the page is going away
  }
}
