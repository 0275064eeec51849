/** The owner's side: consent in plain words, what runs here and for whom, and how to get the tab back. */
import type { Model } from "../model.ts";
import { age, bytes, count, duration } from "../words.ts";
import { ReceiptCard } from "./receipts.tsx";

export function DonateCard({ model }: { model: Model }) {
  const { donor } = model.view.value;
  const guests = donor.guests.filter((guest) => !guest.own);
  const off = donor.state === "off" && guests.length === 0;
  return (
    <section class="card donate-card" aria-labelledby="donate-title" data-state={donor.state}>
      <h2 id="donate-title">Give this tab</h2>
      {off ? <Consent model={model} /> : <Donating model={model} />}
      <ReceiptCard model={model} />
    </section>
  );
}

function Consent({ model }: { model: Model }) {
  const { reason } = model.view.value.donor;
  const given = model.receipts.value.length > 0;
  return (
    <>
      {!given && (
        <dl class="consent" data-testid="consent">
          <dt>What will run</dt>
          <dd>
            Programs that people on <b>{model.relayName}</b> launch. You see each, and whose it is.
          </dd>
          <dt>In what cage</dt>
          <dd>
            An interpreter inside WebAssembly, in a background worker: no network, no files, no sight of this
            page.
          </dd>
          <dt>How to stop</dt>
          <dd>
            <i>Reclaim</i>, or <kbd>Esc</kbd> <kbd>Esc</kbd>: work halts at once and moves elsewhere. Or close
            the tab.
          </dd>
        </dl>
      )}
      <button type="button" class="big give" data-testid="donate" onClick={() => model.donate()}>
        Donate this tab{given ? " again" : ""}
      </button>
      <Workers model={model} />
      <p class="why" data-testid="why">
        {reason === "not donating"
          ? "Nothing runs here before you press it."
          : `Nothing runs here: ${reason}.`}
      </p>
    </>
  );
}

function Workers({ model }: { model: Model }) {
  const { workers } = model.settings.value;
  const { workersMax } = model;
  return (
    <label class="workers">
      <span>At most</span>
      <input
        type="range"
        data-testid="workers"
        min={1}
        max={workersMax}
        value={workers}
        disabled={workersMax === 1 || !model.canReconfigure()}
        onInput={(event) => model.setWorkers(event.currentTarget.valueAsNumber)}
      />
      <output>
        {count(workers, "worker")} <span class="label">of {count(workersMax, "processor")}</span>
      </output>
    </label>
  );
}

function Donating({ model }: { model: Model }) {
  const { donor } = model.view.value;
  const guests = donor.guests.filter((guest) => !guest.own);
  const since = model.donatingSinceMs.value;
  return (
    <>
      <p class="now" data-testid="donor-state" role="status">
        {headline(donor.state, guests.length)}
      </p>
      <button
        type="button"
        class="big take"
        data-testid="reclaim"
        disabled={donor.state === "leaving"}
        onClick={() => model.reclaim()}
      >
        Reclaim now{" "}
        <span class="keys">
          <kbd>Esc</kbd> <kbd>Esc</kbd>
        </span>
      </button>
      {donor.state === "donating" ? (
        <button
          type="button"
          class="second"
          data-testid="pause"
          title="Takes no more work; what is here may finish."
          onClick={() => model.pause()}
        >
          Pause: take no more
        </button>
      ) : (
        <button
          type="button"
          class="second"
          data-testid="donate"
          disabled={donor.state !== "off"}
          onClick={() => model.donate()}
        >
          Donate again
        </button>
      )}
      {guests.length > 0 ? (
        <GuestList guests={guests} />
      ) : (
        <p class="why" data-testid="why">
          {donor.state === "donating"
            ? "Nothing runs here: no program on this relay wants a host right now."
            : donor.reason}
        </p>
      )}
      <p class="label">
        {since !== undefined && `Donating for ${age(model.nowMs.value - since)} · `}
        {count(donor.workers, "worker")}
      </p>
    </>
  );
}

function headline(state: string, guests: number): string {
  const holds = guests === 0 ? "nothing is here" : `${count(guests, "guest")} here`;
  if (state === "starting") return "Starting the engine…";
  if (state === "leaving") return "Reclaimed: everything is stopped and moving out";
  if (state === "off") return `Paused: takes no more, ${holds}`;
  return `Donating: ${holds}`;
}

type Guests = Model["view"]["value"]["donor"]["guests"];

const GuestList = ({ guests }: { guests: Guests }) => (
  <ul
    class="guests scroll"
    data-testid="guests"
    aria-label="Processes of other people’s programs in this tab"
  >
    {guests.map((guest) => (
      <li key={`${guest.job} ${guest.pid}`} data-testid={`guest-${guest.pid}`}>
        <b>{guest.jobName}</b> process {guest.pid}, for <b>{guest.homeName}</b>
        <span class="label">
          {[
            guest.cpuMs > 0 ? `${duration(guest.cpuMs)} of CPU` : "",
            guest.memoryBytes > 0 ? bytes(guest.memoryBytes) : "",
            guest.leaving
              ? "leaving"
              : guest.hereMs < 1000
                ? "just arrived"
                : `here for ${age(guest.hereMs)}`,
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </li>
    ))}
  </ul>
);
