/** The fabric, alive: hosts as places, and in them the processes of the job that is looked at. */
import { useRef } from "preact/hooks";
import type { ProcessView } from "../../fabric/index.ts";
import type { Model } from "../model.ts";
import { type Guest, type Place, placesOf } from "../places.ts";
import { count } from "../words.ts";
import { useFlights } from "./flight.ts";
import { type Glyph, glyphOf, HostMark, StateGlyph } from "./icons.tsx";
import { TabName } from "./tab-name.tsx";

export type OpenProcess = (pid: number, from: Element) => void;

const LEGEND: readonly (readonly [Glyph, string])[] = [
  ["running", "running"],
  ["blocked", "waiting"],
  ["moving", "flying"],
  ["stopped", "stopped"],
];

/** With more processes than this in one place, they are drawn smaller. */
const CHIPS_ROOMY_MAX = 20;

export function FabricPanel({ model, open }: { model: Model; open: OpenProcess }) {
  const container = useRef<HTMLDivElement>(null);
  const job = model.job.value;
  const { waiting, resting, ...active } = placesOf(model.view.value, job);
  // In the order of their letters, so that a place never jumps.
  const places = active.places.toSorted((a, b) => model.marks.orderOf(a.id) - model.marks.orderOf(b.id));
  useFlights(
    container,
    places
      .map((place) => `${place.id}:${place.processes.map((p) => p.pid).join()}`)
      .concat(waiting.map((p) => String(p.pid)))
      .join(" "),
  );
  const alive = (job?.processes ?? []).some((p) => p.state !== "ended");
  const most = Math.max(...places.map((place) => place.processes.length + place.guests.length));
  const alone = places.length + resting.length === 1;
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
      </div>
      <div class="places" ref={container} data-dense={most > CHIPS_ROOMY_MAX}>
        {places.map((place) => (
          <PlaceCard key={place.id} place={place} model={model} open={open} />
        ))}
        {alone && (
          <p class="place invitation">
            No other host is here. Open this page in another tab, or on another machine, and donate it.
          </p>
        )}
        {waiting.length > 0 && (
          <section class="place waiting" data-testid="waiting" aria-label="Waiting for a host">
            <h3>Waiting for a host</h3>
            <div class="chips">
              {waiting.map((process) => (
                <Chip key={process.pid} process={process} place="" open={open} />
              ))}
            </div>
          </section>
        )}
      </div>
      {resting.length > 0 && (
        <p class="resting label">
          Not taking work:
          {resting.map(({ id, name, note }) => (
            <span key={id} data-testid={`host-${id}`} data-name={name} data-count={0} title={note}>
              <HostMark mark={model.marks.markOf(id)} /> {name}
            </span>
          ))}
        </p>
      )}
    </section>
  );
}

function takersInWords(places: readonly Place[]): string {
  const takers = places.filter((place) => !place.here && place.taking).length;
  return takers === 0 ? "" : `${count(takers, "other host takes", "other hosts take")} work`;
}

function PlaceCard({ place, model, open }: { place: Place; model: Model; open: OpenProcess }) {
  const { id, name, platform, here, slots, note, processes, endedCount, guests } = place;
  const mark = model.marks.markOf(id);
  return (
    <section
      class="place"
      style={{ "--hue": mark.hue }}
      data-testid={`host-${id}`}
      data-name={name}
      data-here={here}
      data-count={processes.length}
      aria-label={`${here ? "This tab" : name}: ${count(processes.length, "process", "processes")}`}
    >
      <header>
        <HostMark mark={mark} />
        <h3>{here ? <TabName model={model} /> : name}</h3>
      </header>
      <p class="label">
        {here && <b class="tag">this tab</b>}
        {[here ? "" : platform, slots ? count(slots, "worker") : ""].filter(Boolean).join(" · ")}
      </p>
      <div class="chips">
        {processes.map((process) => (
          <Chip key={process.pid} process={process} place={id} open={open} />
        ))}
        {guests.map((guest) => (
          <GuestChip key={`${guest.job} ${guest.pid}`} guest={guest} />
        ))}
      </div>
      <p class="label foot">
        {[note, endedCount > 0 ? `${endedCount} ended here` : ""].filter(Boolean).join(" · ")}
      </p>
    </section>
  );
}

const Chip = ({ process, place, open }: { process: ProcessView; place: string; open: OpenProcess }) => (
  <button
    type="button"
    class="chip"
    data-testid={`chip-${process.pid}`}
    data-state={process.state}
    data-flier={process.pid}
    data-place={place}
    data-origin={process.ppid}
    aria-label={`Process ${process.pid}: ${process.detail}`}
    title={process.detail}
    onClick={(event) => open(process.pid, event.currentTarget)}
  >
    <StateGlyph glyph={glyphOf(process)} />
    {process.pid}
  </button>
);

const GuestChip = ({ guest }: { guest: Guest }) => (
  <span class="chip guest" title={`${guest.jobName}, process ${guest.pid}, for ${guest.homeName}`}>
    <StateGlyph glyph={guest.leaving ? "moving" : "running"} />
    {guest.jobName} {guest.pid}
  </span>
);
