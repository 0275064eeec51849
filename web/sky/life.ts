/**
 * One process's life as bars on a canvas: a stay for each, in its host's colour with its letter; thin while it was frozen
 * and its image flew; a diamond for each checkpoint, a tick for messages it sent. A canvas, because hundreds of
 * elements a row cost the browser a frame and more whenever many processes move.
 */
import type { ProcessView } from "../../fabric/index.ts";
import type { HostMarks } from "../places.ts";
import type { Marks } from "../trace.ts";

export interface Life {
  readonly process: Pick<ProcessView, "bornMs" | "endedMs" | "stays">;
  readonly moments: Marks | undefined;
  /** Where the axis begins, and how long it is. */
  readonly fromMs: number;
  readonly spanMs: number;
}

/** What all lives of a table have in common. */
export interface Look {
  /** Of the canvas, in CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** Of its own pixels to those. */
  readonly ratio: number;
  readonly line: string;
  readonly ink: string;
  readonly surface: string;
  /** For the letter on a bar. */
  readonly onMark: string;
  readonly lightness: string;
}

type Stay = ProcessView["stays"][number];

/** Narrower bars have no room for a letter, in CSS pixels. */
const LETTER_WIDTH_MIN = 15;
const BAR_WIDTH_MIN = 1;
/** Moments closer than this, in CSS pixels, are one. */
const MOMENT_APART = 2;

/** The page's own colours, as they are now. */
export function lookOf(table: Element, width: number, height: number): Look {
  const style = getComputedStyle(table);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return {
    width,
    height,
    ratio: Math.min(2, devicePixelRatio || 1),
    line: read("--line"),
    ink: read("--ink"),
    surface: read("--surface"),
    onMark: read("--mark-ink"),
    lightness: read("--mark-light"),
  };
}

export function drawLife(canvas: HTMLCanvasElement, life: Life, marks: HostMarks, look: Look): void {
  const { width, height, ratio } = look;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.round(height * ratio)];
  const c = canvas.getContext("2d");
  if (!c) return;
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  const { process, moments, fromMs, spanMs } = life;
  const x = (ms: number) => (width * Math.min(spanMs, Math.max(0, ms - fromMs))) / spanMs;
  const endMs = process.endedMs ?? fromMs + spanMs;
  const middle = height / 2;

  c.fillStyle = look.line;
  c.fillRect(x(process.bornMs), middle - 0.5, x(endMs) - x(process.bornMs), 1);
  const bars = process.stays.map((stay, n) => {
    const running = x(stay.runningMs ?? stay.leftMs ?? endMs);
    const left = Math.max(running + BAR_WIDTH_MIN, x(stay.leftMs ?? endMs));
    return { stay, mark: marks.markOf(stay.host), frozen: x(frozenAt(process.stays, n)), running, left };
  });
  let inked = Number.NaN;
  // One colour after the other: reading a colour takes longer than drawing a bar.
  for (const { stay, mark, frozen, running, left } of bars.toSorted((a, b) => a.mark.hue - b.mark.hue)) {
    if (mark.hue !== inked) c.fillStyle = `oklch(${look.lightness} 0.115 ${mark.hue})`;
    inked = mark.hue;
    if (running > frozen) c.fillRect(frozen, middle - 1.5, running - frozen, 3);
    if (stay.runningMs !== undefined) c.fillRect(running, 1.5, left - running, height - 3);
  }
  c.font = "700 11px system-ui, sans-serif";
  c.textBaseline = "middle";
  c.fillStyle = look.onMark;
  for (const { stay, mark, running, left } of bars)
    if (stay.runningMs !== undefined && left - running >= LETTER_WIDTH_MIN)
      c.fillText(mark.letter, running + 4, middle + 0.5, left - running - 5);
  c.fillStyle = look.ink;
  for (const at of apart(moments?.sent, x)) c.fillRect(at, 0, 1.5, height / 3);
  c.fillStyle = look.surface;
  c.strokeStyle = look.ink;
  for (const at of apart(moments?.saved, x)) {
    c.beginPath();
    c.moveTo(at, middle - 4);
    c.lineTo(at + 4, middle);
    c.lineTo(at, middle + 4);
    c.lineTo(at - 4, middle);
    c.closePath();
    c.fill();
    c.stroke();
  }
}

/** On which stay, or on the way to which, a process was then. */
export const stayAt = (stays: readonly Stay[], atMs: number): Stay | undefined =>
  stays.findLast((_, n) => frozenAt(stays, n) <= atMs);

/** When the process stood still to come here: at the place before, if there was one. */
function frozenAt(stays: readonly Stay[], n: number): number {
  const { runningMs, freezeMs, placedMs } = stays[n] ?? { placedMs: 0 };
  if (runningMs !== undefined && freezeMs !== undefined) return runningMs - freezeMs;
  return stays[n - 1]?.leftMs ?? placedMs;
}

/** Where to draw moments, so that none hides another. */
function apart(times: readonly number[] | undefined, x: (ms: number) => number): number[] {
  const drawn: number[] = [];
  for (const ms of times ?? [])
    if (x(ms) - (drawn.at(-1) ?? Number.NEGATIVE_INFINITY) >= MOMENT_APART) drawn.push(x(ms));
  return drawn;
}
