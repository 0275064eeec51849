/** Where things stand in the yards of places: pure arithmetic, in CSS pixels. */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** How large processes are drawn, so that all have room. `width` and `height` of the cell each stands in. */
export interface Scale {
  readonly width: number;
  readonly height: number;
  /** Whether there is room for a number beside the sign. */
  readonly numbered: boolean;
}

const SCALES: readonly (Scale & { readonly most: number })[] = [
  { most: 18, width: 50, height: 27, numbered: true },
  { most: 60, width: 37, height: 21, numbered: true },
  { most: 160, width: 15, height: 15, numbered: false },
  { most: Number.POSITIVE_INFINITY, width: 9, height: 9, numbered: false },
];

/** One scale for all places, by the fullest of them; hosts in great numbers get small yards. */
export function scaleFor(most: number, places: number): Scale {
  const crowded = places > 24 ? 2 : 0;
  const found = SCALES.findIndex((scale) => most <= scale.most);
  const at = Math.min(
    SCALES.length - 1,
    Math.max(found < 0 ? SCALES.length - 1 : found, most > 0 ? crowded : 0),
  );
  return SCALES[at] ?? { width: 9, height: 9, numbered: false };
}

const columnsIn = (width: number, scale: Scale) => Math.max(1, Math.floor(width / scale.width));

/** The height a yard of this width needs for so many. */
export const heightFor = (count: number, width: number, scale: Scale): number =>
  Math.ceil(count / columnsIn(width, scale)) * scale.height;

/** The middle of the nth cell, row by row. */
export function spotIn(yard: Box, n: number, scale: Scale): { readonly x: number; readonly y: number } {
  const columns = columnsIn(yard.width, scale);
  return {
    x: yard.x + (n % columns) * scale.width + scale.width / 2,
    y: yard.y + Math.floor(n / columns) * scale.height + scale.height / 2,
  };
}
