/** The owner's side: consent in plain words, what runs here and for whom, and how to get the tab back. */
import type { Model } from "../model.ts";
import { age, bytes, count, duration } from "../words.ts";
import { History } from "./history.tsx";
import { OwnerLimits } from "./owner-limits.tsx";
import { ReceiptCard } from "./receipts.tsx";

export function DonateCard({ model }: { model: Model }) {
  const { donor } = model.view.value;
  const { wish } = model.owner.state.value;
  const guests = guestsOf(model);
  const off = wish.kind === "off" && donor.state !== "leaving" && guests.length === 0;
  const look = donor.state === "leaving" ? "leaving" : donor.state === "donating" ? "donating" : wish.kind;
  return (
    <section class="card donate-card" aria-labelledby="donate-title" data-state={look}>
      <h2 id="donate-title">Give this tab</h2>
      {off ? <Consent model={model} /> : <Given model={model} />}
      <ReceiptCard model={model} />
      <OwnerLimits model={model} />
      <History model={model} />
    </section>
  );
}

const guestsOf = (model: Model) => model.view.value.donor.guests.filter((guest) => !guest.own);

function Consent({ model }: { model: Model }) {
  const { wish } = model.owner.state.value;
  const given = model.owner.receipts.value.length > 0;
  const reason = wish.kind === "off" ? wish.reason : "";
  const unreachable = model.view.value.relay.state === "none";
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
      <button
        type="button"
        class="big give"
        data-testid="donate"
        disabled={unreachable}
        onClick={() => model.owner.donate()}
      >
        Donate this tab{given ? " again" : ""}
      </button>
      <p class="why" data-testid="why">
        {unreachable
          ? "Nobody can send work here without WebRTC."
          : reason === "not donating"
            ? "Nothing runs here before you press it."
            : `Nothing runs here: ${reason}.`}
      </p>
    </>
  );
}

function Given({ model }: { model: Model }) {
  const { owner } = model;
  const { donor, traffic } = model.view.value;
  const { wish, decision } = owner.state.value;
  const guests = guestsOf(model);
  const since = owner.sinceMs.value;
  const leaving = donor.state === "leaving";
  const resting = wish.kind === "paused" || wish.kind === "snoozed";
  return (
    <>
      <div class="donor-now">
        <p class="now" data-testid="donor-state" role="status">
          {headline(model, guests.length)}
        </p>
        {/* Not read out by itself: it counts seconds. */}
        <p class="why" data-testid="why">
          {reasonInWords(model, guests.length)}
        </p>
      </div>
      <button
        type="button"
        class="big take"
        data-testid="reclaim"
        disabled={leaving}
        title="Everything stops at once and moves elsewhere; nothing comes until you donate again."
        onClick={() => owner.reclaim()}
      >
        Reclaim now{" "}
        <span class="keys">
          <kbd>Esc</kbd> <kbd>Esc</kbd>
        </span>
      </button>
      <div class="choices">
        {resting || wish.kind === "off" || wish.kind === "finishing" ? (
          <button type="button" data-testid="donate" disabled={leaving} onClick={() => owner.donate()}>
            {resting ? "Resume" : "Donate again"}
          </button>
        ) : (
          <button
            type="button"
            data-testid="pause"
            title="Everything stands still at once. If you do not resume within a minute, what is here moves elsewhere."
            onClick={() => owner.pause()}
          >
            Pause
          </button>
        )}
        <button
          type="button"
          data-testid="snooze"
          disabled={leaving || wish.kind === "snoozed"}
          title="Everything leaves now; work is taken again in an hour, by itself."
          onClick={() => owner.snooze()}
        >
          Snooze 1 h
        </button>
        <button
          type="button"
          data-testid="finish"
          disabled={leaving || wish.kind === "finishing"}
          title="Takes nothing more; what is here goes on to its end, and then this tab is yours."
          onClick={() => owner.finish()}
        >
          Finish, then stop
        </button>
      </div>
      {guests.length > 0 && <GuestList model={model} guests={guests} />}
      <p class="label">
        {[
          since !== undefined && `given for ${age(model.nowMs.value - since)}`,
          decision && decision.workers > 0 && count(decision.workers, "worker"),
          traffic.inBytes + traffic.outBytes > 0 &&
            `${bytes(traffic.inBytes)} in, ${bytes(traffic.outBytes)} out`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </>
  );
}

function headline(model: Model, guests: number): string {
  const { donor } = model.view.value;
  const { wish } = model.owner.state.value;
  const here = guests === 0 ? "nothing is here" : `${count(guests, "guest")} here`;
  if (donor.state === "leaving") return "Taken back: everything is stopped and moving out";
  switch (wish.kind) {
    case "off":
      return `Stopping: ${here}`;
    case "paused":
      return guests === 0 ? "Paused" : `Paused: ${count(guests, "guest stands", "guests stand")} still`;
    case "snoozed":
      return "Snoozed";
    case "finishing":
      return `Finishing: ${here}`;
    case "on":
      if (donor.state === "starting") return "Starting the engine…";
      return donor.state === "donating" ? `Donating: ${here}` : `Waiting: ${here}`;
  }
}

/** Why things are as they are, always. */
function reasonInWords(model: Model, guests: number): string {
  const { donor } = model.view.value;
  const { decision } = model.owner.state.value;
  const reason = decision?.reason ?? donor.reason;
  const taking = decision?.taking ?? donor.state === "donating";
  if (!taking && guests === 0) return `Nothing runs here: ${reason}.`;
  if (guests > 0) return `${capital(reason)}.`;
  if (model.view.value.relay.state !== "online")
    return `${capital(reason)}. New work comes once the relay can be reached.`;
  return `${capital(reason)}. No program on this relay wants a host right now.`;
}

const capital = (sentence: string) => sentence.charAt(0).toUpperCase() + sentence.slice(1);

type Guests = Model["view"]["value"]["donor"]["guests"];

const GuestList = ({ model, guests }: { model: Model; guests: Guests }) => (
  <ul
    class="guests scroll"
    data-testid="guests"
    aria-label="Processes of other people’s programs in this tab"
  >
    {guests.map((guest) => (
      <li key={`${guest.job} ${guest.pid}`} data-testid={`guest-${guest.pid}`}>
        <span>
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
        </span>
        <button
          type="button"
          class="quiet block"
          title={`Never serve ${guest.homeName} again; what it has here starts again elsewhere.`}
          aria-label={`Block ${guest.homeName}`}
          onClick={() => model.owner.block({ id: guest.home, name: guest.homeName })}
        >
          Block
        </button>
      </li>
    ))}
  </ul>
);
