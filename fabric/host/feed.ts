/** Callbacks as an async iterable: what is pushed waits in order until it is taken. */
export class Feed<T> {
  #queue: T[] = [];
  #over = false;
  #error: unknown;
  #wake = () => {};

  push(value: T): void {
    if (this.#over) return;
    this.#queue.push(value);
    this.#wake();
  }

  /** What waits is still taken; then the iteration ends, with `error` if there is one. */
  end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake();
  }

  /** For one reader. Ends with the signal's reason when that is aborted; `onEnd` is called however it ends. */
  async *read(signal?: AbortSignal, onEnd: () => void = () => {}): AsyncGenerator<T, void, undefined> {
    const abort = () => {
      this.#queue = [];
      this.end(signal?.reason);
    };
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    try {
      for (;;) {
        const next = this.#queue.splice(0);
        for (const value of next) {
          yield value;
          if (signal?.aborted) break;
        }
        if (this.#queue.length > 0) continue;
        if (this.#over) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#error !== undefined) throw this.#error;
    } finally {
      signal?.removeEventListener("abort", abort);
      onEnd();
    }
  }
}
