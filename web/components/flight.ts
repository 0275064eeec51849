/**
 * Lets things fly to where they are now: an element that was elsewhere in the container at the last look moves there
 * in a low arc; a new one comes out of its origin. Who prefers less motion sees them simply be there.
 */
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Spot {
  readonly x: number;
  readonly y: number;
  /** The place it was in: only a change of place is a flight. */
  readonly place: string;
}

const FLIGHT_MS = 520;

/**
 * Looks at `[data-flier]` elements (the value is their name; `data-place` where they are; `data-origin` whom a new
 * one comes from) whenever `arrangement` is different.
 */
export function useFlights(container: RefObject<HTMLElement | null>, arrangement: string): void {
  const last = useRef(new Map<string, Spot>());
  useLayoutEffect(() => {
    const root = container.current;
    if (!root) return;
    const before = last.current;
    const now = new Map<string, Spot>();
    const fliers = [...root.querySelectorAll<HTMLElement>("[data-flier]")];
    // All reading first, then all writing: one layout.
    for (const flier of fliers) {
      const { flier: name = "", place = "" } = flier.dataset;
      now.set(name, { ...offsetWithin(root, flier), place });
    }
    last.current = now;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const flier of fliers) {
      const { flier: name = "", origin = "" } = flier.dataset;
      const to = now.get(name);
      const known = before.get(name);
      const from = known ?? before.get(origin);
      if (!to || !from || known?.place === to.place) continue;
      fly(flier, from.x - to.x, from.y - to.y, known === undefined);
    }
  }, [arrangement]); // it stands for everything that moves
}

/** Where it is laid out, whatever animation it is in. */
function offsetWithin(root: HTMLElement, element: HTMLElement): { x: number; y: number } {
  let x = 0;
  let y = 0;
  let at: HTMLElement | null = element;
  while (at && at !== root) {
    x += at.offsetLeft;
    y += at.offsetTop;
    at = at.offsetParent instanceof HTMLElement ? at.offsetParent : null;
  }
  return { x, y };
}

function fly(element: HTMLElement, dx: number, dy: number, born: boolean): void {
  const lift = Math.min(28, Math.hypot(dx, dy) / 6);
  element.animate(
    [
      { translate: `${dx}px ${dy}px`, scale: born ? 0.5 : 1, zIndex: 1, opacity: born ? 0.4 : 1 },
      { translate: `${dx / 2}px ${dy / 2 - lift}px`, scale: 1.2, zIndex: 1, opacity: 1 },
      { translate: "none", scale: 1, zIndex: 1 },
    ],
    { duration: FLIGHT_MS, easing: "cubic-bezier(.35,.1,.25,1)" },
  );
}
