/** Standard input of a job that has no terminal: lines that people give, to processes that ask for them. */
export class LineInput {
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  /** Given before anybody asked. */
  readonly #early: string[] = [];
  #ended = false;
  readonly #listeners = new Set<() => void>();

  /** Whether there will be no more lines than those. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether somebody waits for a line. */
  get asks(): boolean {
    return this.#waiting.length > 0;
  }

  /** Lines that nobody has asked for yet. */
  get early(): readonly string[] {
    return this.#early;
  }

  /** Calls back when somebody begins to wait. Returns what ends that. */
  onAsk(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  readLine(): Promise<string | undefined> {
    const early = this.#early.shift();
    if (early !== undefined || this.#ended) return Promise.resolve(early);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      for (const listener of this.#listeners) listener();
    });
  }

  /** A line without its end; undefined is the end of all input. */
  give(line: string | undefined): void {
    if (this.#ended) return;
    if (line === undefined) {
      this.#ended = true;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
      return;
    }
    const next = this.#waiting.shift();
    if (next) next(line);
    else this.#early.push(line);
  }
}
