/** The fabric, alive: hosts as places, and in them the processes of the job that is looked at, on a canvas above. */
import { useSignal } from "@preact/signals";
import { Component } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { HostId, ProcessView } from "../../fabric/index.ts";
import { groupInAddress, invitationTo } from "../address.ts";
import type { Model } from "../model.ts";
import { type Guest, type Place, placesOf } from "../places.ts";
import { type Box, heightFor, type Scale, scaleFor, spotIn } from "../sky/layout.ts";
import { Sky, type Sprite } from "../sky/sky.ts";
import { count } from "../words.ts";
import { type Glyph, glyphOf, HostMark, StateGlyph } from "./icons.tsx";
import { Invite } from "./invite.tsx";
import { TabName } from "./tab-name.tsx";

/** What was pressed: something opens beside it. */
export type Anchor = Pick<Element, "getBoundingClientRect">;
export type OpenProcess = (pid: number, from: Anchor) => void;

const LEGEND: readonly (readonly [Glyph, string])[] = [
  ["running", "running"],
  ["blocked", "waiting"],
  ["moving", "flying"],
  ["stopped", "stopped"],
];

/** Cards by how many there are: the least width of one, the gap between two, what surrounds a yard, in CSS pixels. */
const CARDS = [
  { most: 24, size: "roomy", width: 236, gap: 12, around: 30 },
  { most: 90, size: "small", width: 132, gap: 8, around: 18 },
  { most: Number.POSITIVE_INFINITY, size: "tiny", width: 78, gap: 5, around: 12 },
] as const;

/** Processes that no host has. */
const NOWHERE = "";
const keyOf = (pid: number) => `p${pid}`;
const keyOfGuest = (guest: Guest) => `g${guest.job} ${guest.pid}`;

export function FabricPanel({ model, open }: { model: Model; open: OpenProcess }) {
  const container = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  const job = model.job.value;
  const { strangers } = model.view.value;
  const { waiting, resting, ...active } = placesOf(model.view.value, job);
  // In the order of their letters, so that a place never jumps.
  const places = active.places.toSorted((a, b) => model.marks.orderOf(a.id) - model.marks.orderOf(b.id));
  const alive = (job?.processes ?? []).some((p) => p.state !== "ended");
  const most = Math.max(
    waiting.length,
    ...places.map((place) => place.processes.length + place.guests.length),
  );
  const alone = places.length + resting.length === 1;

  const shown = places.length + (waiting.length > 0 || alone ? 1 : 0);
  const card = CARDS.find((kind) => shown <= kind.most) ?? CARDS[2];
  const columns = Math.max(1, Math.floor((width.value + card.gap) / (card.width + card.gap)));
  const cardWidth = (width.value - card.gap * (columns - 1)) / columns;
  const yardWidth = cardWidth - card.around;
  const scale = scaleFor(most, places.length);
  const heightOf = (n: number) => Math.max(card.size === "roomy" ? 34 : 18, heightFor(n, yardWidth, scale));

  useLayoutEffect(() => {
    const box = container.current;
    if (!box) return;
    const measure = () => {
      width.value = box.clientWidth;
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, [width]);

  return (
    <section class="fabric" aria-labelledby="fabric-title">
      <div class="title-row">
        <h2 id="fabric-title">
          The fabric <span class="label">{takersInWords(places)}</span>
        </h2>
        {alive && (
          <ul class="legend label" aria-label="What the signs mean">
            {LEGEND.map(([glyph, word]) => (
              <li key={glyph}>
                <StateGlyph glyph={glyph} /> {word}
              </li>
            ))}
          </ul>
        )}
        <Invite />
      </div>
      <div
        class="places"
        ref={container}
        data-size={card.size}
        style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gap: `${card.gap}px` }}
      >
        {places.map((place) => (
          <PlaceCard
            key={place.id}
            model={model}
            place={place}
            yardHeight={heightOf(place.processes.length + place.guests.length)}
          />
        ))}
        {alone && (
          <p class="place invitation">
            No other host is here. Open this page{" "}
            <a href={invitationTo(location)} target="_blank" rel="noopener" data-testid="another-tab">
              in another tab
            </a>
            , or on another machine, and donate it.
          </p>
        )}
        {waiting.length > 0 && (
          <section class="place waiting" data-testid="waiting" aria-label="Waiting for a host">
            <h3>Waiting for a host</h3>
            <div class="yard" data-yard={NOWHERE} style={{ height: `${heightOf(waiting.length)}px` }} />
          </section>
        )}
        <Flights
          model={model}
          container={container}
          places={places}
          waiting={waiting}
          scale={scale}
          open={open}
        />
      </div>
      {resting.length > 0 && (
        <p class="resting label">
          Not taking work:
          {resting.slice(0, 60).map(({ id, name, note }) => (
            <span key={id} data-testid={`host-${id}`} data-name={name} data-count={0} title={note}>
              <HostMark mark={model.marks.markOf(id)} /> {name}
            </span>
          ))}
          {resting.length > 60 && ` and ${resting.length - 60} more`}
        </p>
      )}
      {strangers > 0 && (
        <p class="resting label" data-testid="strangers">
          {strangersInWords(strangers)}
        </p>
      )}
    </section>
  );
}

function takersInWords(places: readonly Place[]): string {
  const takers = places.filter((place) => !place.here && place.taking).length;
  return takers === 0 ? "" : `${count(takers, "other host takes", "other hosts take")} work`;
}

/** Who is on the relay and has nothing to do with this tab: no place to send anything. */
function strangersInWords(n: number): string {
  const others = count(n, "other host on this relay", "other hosts on this relay");
  if (groupInAddress(location) !== undefined)
    return `${others} ${n === 1 ? "is" : "are"} not in this group: nothing goes there or comes from there.`;
  return `${others} ${n === 1 ? "keeps to its group" : "keep to their groups"}: nothing goes there or comes from there.`;
}

interface PlaceProps {
  readonly model: Model;
  readonly place: Place;
  readonly yardHeight: number;
}

/** Drawn again only when something of it is different: there may be hundreds. */
class PlaceCard extends Component<PlaceProps> {
  override shouldComponentUpdate(next: PlaceProps): boolean {
    return next.place.here || signOf(next) !== signOf(this.props);
  }

  override render({ model, place, yardHeight }: PlaceProps) {
    const { id, name, platform, here, slots, note, processes, endedCount } = place;
    const mark = model.marks.markOf(id);
    return (
      <section
        class="place"
        style={{ "--hue": mark.hue }}
        title={here ? undefined : [name, platform, note].filter(Boolean).join(" · ")}
        data-testid={`host-${id}`}
        data-place={id}
        data-name={name}
        data-here={here}
        data-count={processes.length}
        aria-label={`${here ? "This tab" : name}: ${count(processes.length, "process", "processes")}`}
      >
        <header>
          <HostMark mark={mark} />
          <h3>{here ? <TabName model={model} /> : name}</h3>
        </header>
        <p class="label about">
          {here && <b class="tag">this tab</b>}
          {[here ? "" : platform, slots ? count(slots, "worker") : ""].filter(Boolean).join(" · ")}
        </p>
        <div class="yard" data-yard={id} style={{ height: `${yardHeight}px` }} />
        <p class="label foot">
          {[note, endedCount > 0 ? `${endedCount} ended here` : ""].filter(Boolean).join(" · ")}
        </p>
      </section>
    );
  }
}

const signOf = ({ place, yardHeight }: PlaceProps) =>
  [
    place.name,
    place.platform,
    place.slots,
    place.note,
    place.processes.length,
    place.endedCount,
    yardHeight,
  ].join("|");

/** The canvas, and what the pointer does with what is on it: open, or drag to another place. */
function Flights({
  model,
  container,
  places,
  waiting,
  scale,
  open,
}: {
  model: Model;
  container: { readonly current: HTMLDivElement | null };
  places: readonly Place[];
  waiting: readonly ProcessView[];
  scale: Scale;
  open: OpenProcess;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const sky = useRef<Sky | undefined>(undefined);
  const latest = useRef({ model, open });
  latest.current = { model, open };
  const still = useMemo(() => matchMedia("(prefers-reduced-motion: reduce)"), []);

  useLayoutEffect(() => {
    const box = container.current;
    if (!canvas.current || !box) return;
    const made = new Sky(canvas.current, () => still.matches);
    sky.current = made;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const repaint = () => made.repaint();
    dark.addEventListener("change", repaint);
    const unwatch = latest.current.model.onMessage((from, to) => made.spark(keyOf(from), keyOf(to)));
    const release = usePointer(box, made, {
      press: (sprite, at) => {
        if (!sprite.foreign) latest.current.open(Number(sprite.key.slice(1)), at);
      },
      drop: (sprite, place) => {
        const { model } = latest.current;
        const run = model.run.value;
        if (run) model.move(run, Number(sprite.key.slice(1)), place as HostId);
      },
    });
    return () => {
      dark.removeEventListener("change", repaint);
      unwatch();
      release();
      made.close();
      sky.current = undefined;
    };
  }, [container, still]);

  useLayoutEffect(() => {
    const box = container.current;
    if (!box || !sky.current) return;
    const yards = new Map<string, Box>();
    // All reading at once: one layout.
    for (const yard of box.querySelectorAll<HTMLElement>("[data-yard]"))
      yards.set(yard.dataset.yard ?? "", {
        x: yard.offsetLeft,
        y: yard.offsetTop,
        width: yard.offsetWidth,
        height: yard.offsetHeight,
      });
    const sprites: Sprite[] = [];
    const add = (place: string, n: number, sprite: Omit<Sprite, "x" | "y" | "place">) => {
      const yard = yards.get(place);
      if (yard) sprites.push({ ...sprite, place, ...spotIn(yard, n, scale) });
    };
    for (const { id, processes, guests } of places) {
      const { hue } = model.marks.markOf(id);
      processes.forEach((p, n) => {
        add(id, n, spriteOf(p, hue));
      });
      guests.forEach((guest, n) => {
        add(id, processes.length + n, {
          key: keyOfGuest(guest),
          origin: undefined,
          glyph: guest.leaving ? "moving" : "running",
          hue,
          label: String(guest.pid),
          foreign: true,
        });
      });
    }
    waiting.forEach((p, n) => {
      add(NOWHERE, n, spriteOf(p, undefined));
    });
    sky.current.show({ sprites, scale, width: box.clientWidth, height: box.clientHeight });
  });

  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: it takes no focus; everything on it is in the table of processes
  return <canvas class="sky" ref={canvas} aria-hidden="true" />;
}

const spriteOf = (p: ProcessView, hue: number | undefined): Omit<Sprite, "x" | "y" | "place"> => ({
  key: keyOf(p.pid),
  origin: keyOf(p.ppid),
  glyph: glyphOf(p),
  hue,
  label: String(p.pid),
  foreign: false,
});

/** A pointer must go this far before it drags, in CSS pixels. */
const DRAG_FROM = 5;

/** Pointer events of the container, for what is on the canvas above it. Returns what ends that. */
function usePointer(
  box: HTMLElement,
  sky: Sky,
  act: { press(sprite: Sprite, at: Anchor): void; drop(sprite: Sprite, place: string): void },
): () => void {
  const end = new AbortController();
  let held: { sprite: Sprite; x: number; y: number; dragging: boolean } | undefined;
  const pointOf = (event: PointerEvent) => {
    const { left, top } = box.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const placeAt = (event: PointerEvent) =>
    document.elementFromPoint(event.clientX, event.clientY)?.closest<HTMLElement>("[data-place]");
  const mark = (place: HTMLElement | null | undefined) => {
    for (const element of box.querySelectorAll<HTMLElement>("[data-drop]"))
      if (element !== place) delete element.dataset.drop;
    if (place) place.dataset.drop = "true";
  };
  const on = <K extends "pointerdown" | "pointermove" | "pointerup" | "pointercancel">(
    type: K,
    listener: (event: PointerEvent) => void,
  ) => box.addEventListener(type, listener, { signal: end.signal });
  on("pointerdown", (event) => {
    const { x, y } = pointOf(event);
    const sprite = event.button === 0 ? sky.at(x, y) : undefined;
    if (!sprite) return;
    held = { sprite, x, y, dragging: false };
    box.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  on("pointermove", (event) => {
    const { x, y } = pointOf(event);
    if (!held) {
      const sprite = sky.at(x, y);
      box.style.cursor = sprite && !sprite.foreign ? "pointer" : "";
      return;
    }
    held.dragging ||= !held.sprite.foreign && Math.hypot(x - held.x, y - held.y) >= DRAG_FROM;
    if (!held.dragging) return;
    sky.drag(held.sprite.key, x, y);
    box.style.cursor = "grabbing";
    mark(placeAt(event));
  });
  const release = (event: PointerEvent) => {
    if (!held) return;
    const { sprite, dragging } = held;
    held = undefined;
    sky.drag(undefined);
    box.style.cursor = "";
    const place = placeAt(event)?.dataset.place;
    mark(undefined);
    if (event.type === "pointercancel") return;
    if (!dragging) {
      const { clientX, clientY } = event;
      act.press(sprite, { getBoundingClientRect: () => new DOMRect(clientX - 8, clientY - 8, 16, 16) });
    } else if (place !== undefined && place !== sprite.place) act.drop(sprite, place);
  };
  on("pointerup", release);
  on("pointercancel", release);
  return () => end.abort();
}
