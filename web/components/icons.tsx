/** Drawings: the nest (the mark of Roost, also the tab's icon) and a glyph for each state of a process. */
import type { ProcessView } from "../../fabric/index.ts";

/** What this tab is doing for others. */
export type Mood = "idle" | "donating" | "working" | "paused" | "reclaimed";

const EGG = '<ellipse cx="8.8" cy="7.7" rx="2.9" ry="3.8" transform="rotate(-8 8.8 7.7)"/>';
const EGGS = `${EGG}<ellipse cx="15.4" cy="8.1" rx="2.7" ry="3.4" transform="rotate(10 15.4 8.1)"/>`;

/** The nest fills with what it holds: nothing, an egg to be, two eggs, or a bird that flies off. */
const CONTENT: Record<Mood, string> = {
  idle: "",
  donating: `<g fill="none" stroke="currentColor" stroke-width="1.6">${EGG}</g>`,
  working: `<g fill="currentColor" stroke="none">${EGGS}</g>`,
  paused: '<path d="M9.4 3.6v6.2M14.6 3.6v6.2" stroke-width="2.6"/>',
  reclaimed: '<path d="M6.4 6.2c2.6-3.8 5.4-3 6.2.6 1.4-3.6 4.4-4.4 6.8-1.4"/>',
};

const nest = (mood: Mood) =>
  `<g fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round">${CONTENT[mood]}<path d="M1.8 11.8c4.6 5 15.8 5 20.4 0M2.8 16.6c4.6 3.4 13 3.4 18-1M8.2 21.2c3 .8 6.4.4 9-.8"/></g>`;

export const Nest = ({ mood }: { mood: Mood }) => (
  <svg class="nest" viewBox="0 0 24 24" aria-hidden="true" dangerouslySetInnerHTML={{ __html: nest(mood) }} />
);

const ICON_COLOUR: Record<Mood, string> = {
  idle: "#7c8a82",
  donating: "#1f8a63",
  working: "#1f8a63",
  paused: "#a06a00",
  reclaimed: "#c2571a",
};

/** The tab's icon, as an address. */
export function iconOf(mood: Mood): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" color="${ICON_COLOUR[mood]}">${nest(mood)}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

export type Glyph = Exclude<ProcessView["state"], "ended"> | "done" | "failed";

export const glyphOf = (process: ProcessView): Glyph =>
  process.state !== "ended" ? process.state : process.status === 0 ? "done" : "failed";

const GLYPHS: Record<Glyph, string> = {
  running: '<circle cx="6" cy="6" r="4" fill="currentColor"/>',
  blocked: '<circle cx="6" cy="6" r="3.6"/><path d="M6 3.9V6l1.5 1"/>',
  moving: '<path d="M.8 6.4C2.6 2.6 5 3 6 6c1-3 3.4-3.4 5.2.4"/>',
  unplaced: '<circle cx="6" cy="6" r="4" stroke-dasharray="2 2.2"/>',
  stopped: '<path d="M4 3v6M8 3v6" stroke-width="2"/>',
  done: '<path d="M2.5 6.4 5 8.8l4.5-5.4"/>',
  failed: '<path d="m3 3 6 6M9 3 3 9"/>',
};

export const StateGlyph = ({ glyph }: { glyph: Glyph }) => (
  <svg
    class="glyph"
    data-glyph={glyph}
    viewBox="0 0 12 12"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    aria-hidden="true"
    dangerouslySetInnerHTML={{ __html: GLYPHS[glyph] }}
  />
);

/** A host's letter in its colour. */
export const HostMark = ({ mark }: { mark: { letter: string; hue: number } }) => (
  <span class="mark" style={{ "--hue": mark.hue }} aria-hidden="true">
    {mark.letter}
  </span>
);
