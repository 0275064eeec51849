/** The part of that package that is used here: its own types cannot be reached through its package.json. */
declare module "event-target-shim" {
  export class Event {
    constructor(type: string, init?: { bubbles?: boolean; cancelable?: boolean });
    readonly type: string;
    readonly defaultPrevented: boolean;
    preventDefault(): void;
    stopImmediatePropagation(): void;
  }
  type Listener = ((event: Event) => unknown) | { handleEvent(event: Event): unknown } | null;
  export class EventTarget {
    addEventListener(type: string, listener: Listener, options?: boolean | { once?: boolean }): void;
    removeEventListener(type: string, listener: Listener): void;
    dispatchEvent(event: Event): boolean;
  }
}
