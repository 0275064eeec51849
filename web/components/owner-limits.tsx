/** What the owner gives, when, and to whom. Every change holds at once, and for all tabs of this browser. */
import { useSignal } from "@preact/signals";
import { type HostId, isHostId, type OwnerSettings, type Person } from "../../fabric/index.ts";
import type { Model } from "../model.ts";
import { withPerson } from "../owner-settings.ts";
import { count } from "../words.ts";

const MIB = 2 ** 20;

export function OwnerLimits({ model }: { model: Model }) {
  const { owner } = model;
  const settings = owner.settings.value;
  const { missing } = owner.state.value;
  return (
    <details class="limits" data-testid="limits">
      <summary>
        Limits and times <span class="label">{inShort(settings)}</span>
      </summary>
      <div class="limit-fields">
        <Give model={model} which="here" title="While you are here" />
        <Give model={model} which="away" title="While you are away" />
        <NumberRow
          label="You are away after"
          unit="min without input"
          testid="away-after"
          value={Math.round(settings.awayAfterMs / 60_000)}
          min={1}
          max={24 * 60}
          take={(minutes) => owner.change({ awayAfterMs: minutes * 60_000 })}
        />
        {owner.canAskForIdleness.value && (
          <button type="button" data-testid="ask-idle" onClick={() => owner.askForIdleness()}>
            Also notice when I use other programs…
          </button>
        )}
        <label class="row">
          <span>On battery</span>
          <select
            data-testid="battery"
            value={settings.onBattery}
            onChange={(event) =>
              owner.change({ onBattery: event.currentTarget.value as OwnerSettings["onBattery"] })
            }
          >
            <option value="never">never</option>
            <option value="charged">while well charged</option>
            <option value="always">always</option>
          </select>
        </label>
        <Check
          label="Only while this tab is in the background"
          on={settings.onlyHidden}
          set={(onlyHidden) => owner.change({ onlyHidden })}
        />
        <Check
          label="Also when data is to be saved, or the line is paid by use"
          on={settings.onMetered}
          set={(onMetered) => owner.change({ onMetered })}
        />
        <HoursFields model={model} />
        <NumberRow
          label="Memory of all guests"
          unit="MiB"
          testid="memory"
          value={Math.round(settings.memoryBytes / MIB)}
          min={16}
          max={65_536}
          take={(mib) => owner.change({ memoryBytes: mib * MIB })}
        />
        <NumberRow
          label="Traffic a day"
          unit="MiB"
          testid="traffic"
          value={settings.trafficBytesPerDay && Math.round(settings.trafficBytesPerDay / MIB)}
          min={0}
          max={10_000_000}
          take={(mib) => owner.change({ trafficBytesPerDay: mib > 0 ? mib * MIB : undefined })}
        />
        <People
          model={model}
          label="Serve only these (none: everyone)"
          testid="served"
          people={settings.servedOnly}
          set={(servedOnly) => owner.change({ servedOnly })}
        />
        <People
          model={model}
          label="Never serve these"
          testid="blocked"
          people={settings.blocked}
          set={(blocked) => owner.change({ blocked })}
        />
        <p class="label">
          People are known by their ids, which nobody else can have, whatever they are called. This tab’s is{" "}
          <code data-testid="own-id">{model.view.value.self.id}</code>
          {model.identityIsKept
            ? ": this browser keeps it."
            : ": it is new each time, because this browser keeps no keys for this page."}{" "}
          To deal only with people you know, you can also make a group (under <i>Invite…</i>).
        </p>
        {missing.map((sentence) => (
          <p key={sentence} class="label missing">
            {sentence}
          </p>
        ))}
      </div>
    </details>
  );
}

function inShort({ here, away }: OwnerSettings): string {
  if (here.workers === 0) return `${count(away.workers, "worker")}, only while you are away`;
  if (here.workers === away.workers) return count(here.workers, "worker");
  return `${count(here.workers, "worker")}, ${away.workers} while you are away`;
}

function Give({ model, which, title }: { model: Model; which: "here" | "away"; title: string }) {
  const { owner, processors } = model;
  const allowance = owner.settings.value[which];
  return (
    <fieldset class="give-fields">
      <legend>{title}</legend>
      <label>
        <input
          type="range"
          data-testid={`workers-${which}`}
          aria-label={`${title}: workers`}
          min={0}
          max={processors}
          value={allowance.workers}
          onInput={(event) =>
            owner.change({ [which]: { ...allowance, workers: event.currentTarget.valueAsNumber } })
          }
        />
        <output>{allowance.workers === 0 ? "nothing" : count(allowance.workers, "worker")}</output>
      </label>
      <label>
        <input
          type="range"
          data-testid={`share-${which}`}
          aria-label={`${title}: share of their time, in percent`}
          min={10}
          max={100}
          step={10}
          value={Math.round(allowance.share * 100)}
          disabled={allowance.workers === 0}
          onInput={(event) =>
            owner.change({ [which]: { ...allowance, share: event.currentTarget.valueAsNumber / 100 } })
          }
        />
        <output>{Math.round(allowance.share * 100)}% of their time</output>
      </label>
    </fieldset>
  );
}

const Check = ({ label, on, set }: { label: string; on: boolean; set: (on: boolean) => void }) => (
  <label class="check">
    <input type="checkbox" checked={on} onChange={(event) => set(event.currentTarget.checked)} />
    <span>{label}</span>
  </label>
);

function NumberRow({
  label,
  unit,
  value,
  min,
  max,
  take,
  testid,
}: {
  label: string;
  unit: string;
  value: number | undefined;
  min: number;
  max: number;
  take: (value: number) => void;
  testid: string;
}) {
  return (
    <label class="row">
      <span>{label}</span>
      <span>
        <input
          type="number"
          data-testid={testid}
          value={value ?? ""}
          placeholder="any"
          min={min}
          max={max}
          onChange={(event) => {
            const number = event.currentTarget.valueAsNumber;
            take(Number.isFinite(number) ? Math.min(max, Math.max(min, Math.round(number))) : min);
          }}
        />{" "}
        {unit}
      </span>
    </label>
  );
}

function HoursFields({ model }: { model: Model }) {
  const { owner } = model;
  const { hours } = owner.settings.value;
  const field = (which: "fromMinute" | "toMinute", label: string) => (
    <input
      type="time"
      aria-label={label}
      data-testid={which}
      value={hours ? timeOf(hours[which]) : ""}
      onChange={(event) => {
        const minute = minuteOf(event.currentTarget.value);
        const all = {
          fromMinute: 0,
          toMinute: 0,
          ...hours,
          ...(minute === undefined ? {} : { [which]: minute }),
        };
        owner.change({ hours: minute === undefined ? undefined : all });
      }}
    />
  );
  return (
    <div class="row">
      <span>Only between</span>
      <span>
        {field("fromMinute", "from")} and {field("toMinute", "until")}
      </span>
    </div>
  );
}

const timeOf = (minute: number) =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

function minuteOf(time: string): number | undefined {
  const [hours, minutes] = time.split(":").map(Number);
  return hours === undefined || minutes === undefined || time === "" ? undefined : hours * 60 + minutes;
}

function People({
  model,
  label,
  people,
  set,
  testid,
}: {
  model: Model;
  label: string;
  people: readonly Person[];
  set: (people: Person[]) => void;
  testid: string;
}) {
  const unknown = useSignal(false);
  const known = knownIn(model);
  const add = (typed: string) => {
    const called = known.filter(({ id, name }) => id === typed || name === typed);
    const [one, another] = called;
    const person = isHostId(typed) ? { id: typed, name: one?.name ?? typed.slice(0, 6) } : one;
    unknown.value = person === undefined || another !== undefined;
    if (person && !unknown.value) set(withPerson(people, person));
  };
  return (
    <div class="field people">
      <label class="field">
        <span>{label}</span>
        <input
          data-testid={testid}
          list={`known-${testid}`}
          placeholder="a name that is here, or an id"
          autocomplete="off"
          onChange={(event) => {
            const typed = event.currentTarget.value.trim();
            if (typed !== "") add(typed);
            if (!unknown.value) event.currentTarget.value = "";
          }}
        />
      </label>
      <datalist id={`known-${testid}`}>
        {known.map(({ id, name }) => (
          <option key={id} value={id} label={name} />
        ))}
      </datalist>
      {unknown.value && (
        <p class="label missing" role="status">
          Not one participant here is called so: give the id, which is under “Limits and times” in that tab.
        </p>
      )}
      {people.length > 0 && (
        <ul data-testid={`${testid}-list`} aria-label={label}>
          {people.map((person) => {
            const name = known.find(({ id }) => id === person.id)?.name ?? person.name;
            return (
              <li key={person.id ?? name}>
                <span>
                  <b>{name}</b>{" "}
                  <span class="label">
                    {person.id ? `${person.id.slice(0, 6)}…` : "whoever is called so"}
                  </span>
                </span>
                <button
                  type="button"
                  class="quiet"
                  aria-label={`Take ${name} off this list`}
                  onClick={() => set(people.filter((one) => one !== person))}
                >
                  ×
                </button>
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}

/** Participants that can be named: those on the relay, and those whose work is here. */
function knownIn(model: Model): { readonly id: HostId; readonly name: string }[] {
  const { self, directory, donor } = model.view.value;
  const known = new Map(directory.map(({ host, name }) => [host, name]));
  for (const { home, homeName } of donor.guests) if (home) known.set(home, homeName);
  known.delete(self.id);
  return Array.from(known, ([id, name]) => ({ id, name }));
}
