/** AbortController and AbortSignal, on the event library's EventTarget. */
import { Event, EventTarget } from "event-target-shim";
import { DOMException } from "./exception.ts";
import { setTimeout } from "./loop.ts";

type AbortListener = ((event: Event) => unknown) | null;
/** Only a controller, `abort`, `timeout` and `any` make signals. */
const KEY = Symbol("AbortSignal");

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown;
  #onabort: AbortListener = null;

  constructor(key?: symbol) {
    super();
    if (key !== KEY) throw new TypeError("AbortSignal: make one with new AbortController().signal");
  }
  get aborted() {
    return this.#aborted;
  }
  get reason() {
    return this.#reason;
  }
  get onabort(): AbortListener {
    return this.#onabort;
  }
  set onabort(listener: AbortListener) {
    if (this.#onabort) this.removeEventListener("abort", this.#onabort);
    this.#onabort = typeof listener === "function" ? listener : null;
    if (this.#onabort) this.addEventListener("abort", this.#onabort);
  }
  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }
  /** The library's own way in: programs abort through a controller. */
  static fire(signal: AbortSignal, reason: unknown, key: symbol) {
    if (key !== KEY || signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason =
      reason === undefined ? new DOMException("This operation was aborted", "AbortError") : reason;
    signal.dispatchEvent(new Event("abort"));
  }
  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal(KEY);
    AbortSignal.fire(signal, reason, KEY);
    return signal;
  }
  static timeout(ms: number): AbortSignal {
    const signal = new AbortSignal(KEY);
    setTimeout(
      () => AbortSignal.fire(signal, new DOMException("The operation timed out", "TimeoutError"), KEY),
      ms,
    );
    return signal;
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const result = new AbortSignal(KEY);
    for (const signal of signals) {
      if (signal.aborted) AbortSignal.fire(result, signal.reason, KEY);
      else signal.addEventListener("abort", () => AbortSignal.fire(result, signal.reason, KEY));
    }
    return result;
  }
}

export class AbortController {
  readonly signal = new AbortSignal(KEY);
  abort(reason?: unknown) {
    AbortSignal.fire(this.signal, reason, KEY);
  }
}
