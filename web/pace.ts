/**
 * Spreads drawing over frames: when hundreds of rows are different at once, the first are drawn at once and the rest a few
 * in each frame that follows, oldest wish first, each as it is by then. Nothing is dropped.
 */

/** What can be drawn again with what it was given last. */
export interface Drawn {
  forceUpdate(): void;
}

export class Pace {
  readonly #atOnce: number;
  readonly #aFrame: number;
  readonly #waiting = new Set<Drawn>();
  #left: number;
  #frame = 0;

  constructor(atOnce: number, aFrame: number) {
    this.#atOnce = this.#left = atOnce;
    this.#aFrame = aFrame;
  }

  /** Whether it may be drawn now; otherwise it will be. */
  admits(one: Drawn): boolean {
    this.#plan();
    if (this.#waiting.has(one)) return false;
    if (this.#left > 0) {
      this.#left--;
      return true;
    }
    this.#waiting.add(one);
    return false;
  }

  /** It is gone. */
  forget(one: Drawn): void {
    this.#waiting.delete(one);
  }

  #plan(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    const next = [...this.#waiting].slice(0, this.#aFrame);
    for (const one of next) {
      this.#waiting.delete(one);
      one.forceUpdate();
    }
    this.#left = this.#waiting.size > 0 ? 0 : this.#atOnce;
    if (this.#waiting.size > 0) this.#plan();
  }
}
