/** The whole page, and what is true of all of it: the tab's title and icon, and the key that takes the tab back. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Model } from "../model.ts";
import { count } from "../words.ts";
import { DonateCard } from "./donate-card.tsx";
import { type Anchor, FabricPanel } from "./fabric-panel.tsx";
import { Header } from "./header.tsx";
import { iconOf, type Mood } from "./icons.tsx";
import { JobPanel } from "./job-panel.tsx";
import { LaunchCard } from "./launch-card.tsx";
import { type MenuTarget, ProcessMenu } from "./process-menu.tsx";

/** Two presses of Escape this close together are meant. */
const DOUBLE_PRESS_MS = 700;

export function App({ model }: { model: Model }) {
  const menu = useSignal<MenuTarget | undefined>(undefined);
  const mood = moodOf(model);
  const title = titleOf(model);
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    document.querySelector<HTMLLinkElement>("link[rel=icon]")?.setAttribute("href", iconOf(mood));
  }, [mood]);
  useReclaimKey(model);

  const open = (pid: number, from: Anchor) => {
    menu.value = { pid, from };
  };
  const trouble = model.trouble.value;
  return (
    <>
      <Header model={model} mood={mood} />
      {model.view.value.relay.state === "none" && (
        <p class="trouble" role="alert">
          This browser has no WebRTC (or it is switched off), so no other tab can be reached: switch it on, or
          use another browser. Programs you launch still run here.
        </p>
      )}
      {trouble && (
        <p class="trouble" role="alert" data-testid="trouble">
          {trouble}
        </p>
      )}
      <main>
        <div class="side">
          <DonateCard model={model} />
          <LaunchCard model={model} />
        </div>
        <div class="stage">
          {isNew(model) && <Welcome />}
          <FabricPanel model={model} open={open} />
          <JobPanel model={model} open={open} />
        </div>
      </main>
      {menu.value && (
        <ProcessMenu
          model={model}
          target={menu.value}
          close={() => {
            menu.value = undefined;
          }}
        />
      )}
    </>
  );
}

/** Nothing was donated or launched here yet. */
const isNew = (model: Model) =>
  model.run.value === undefined &&
  model.owner.receipts.value.length === 0 &&
  model.owner.state.value.wish.kind === "off";

const Welcome = () => (
  <ol class="welcome" aria-label="How it works">
    <li>
      <b>Some tabs donate.</b> Each offers a worker or two, in a sealed interpreter.
    </li>
    <li>
      <b>One tab runs a program.</b> It forks; the children fly to idle tabs in the middle of what they do.
    </li>
    <li>
      <b>An owner comes back.</b> One press, and the work leaves that tab and goes on elsewhere from the very
      instruction where it stopped.
    </li>
  </ol>
);

/** Escape, twice: it works in text fields too, and nobody does it by accident. */
function useReclaimKey(model: Model): void {
  useEffect(() => {
    let lastMs = Number.NEGATIVE_INFINITY;
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.repeat) return;
      const twice = event.timeStamp - lastMs < DOUBLE_PRESS_MS;
      lastMs = twice ? Number.NEGATIVE_INFINITY : event.timeStamp;
      if (twice && isGiven(model)) model.owner.reclaim();
    };
    addEventListener("keydown", onKey, { capture: true });
    return () => removeEventListener("keydown", onKey, { capture: true });
  }, [model]);
}

const guestsOf = (model: Model) => model.view.value.donor.guests.filter((guest) => !guest.own).length;

const isGiven = (model: Model) => model.owner.state.value.wish.kind !== "off" || guestsOf(model) > 0;

function moodOf(model: Model): Mood {
  const { donor } = model.view.value;
  const { wish } = model.owner.state.value;
  if (donor.state === "leaving") return "reclaimed";
  if (wish.kind === "paused" || wish.kind === "snoozed" || donor.held) return "paused";
  if (guestsOf(model) > 0) return "working";
  if (wish.kind !== "off") return "donating";
  return model.owner.receipts.value.length > 0 ? "reclaimed" : "idle";
}

function titleOf(model: Model): string {
  const { donor, jobs } = model.view.value;
  const guests = guestsOf(model);
  const job = jobs.findLast((j) => j.endedMs === undefined);
  const { wish } = model.owner.state.value;
  if (wish.kind === "paused" || wish.kind === "snoozed") return `❚❚ ${wish.kind} – Roost`;
  if (guests > 0) return `● ${count(guests, "guest")} – Roost`;
  if (job) return `▶ ${job.name}: ${count(job.processes.length, "process", "processes")} – Roost`;
  if (donor.state === "donating") return "○ donating – Roost";
  if (wish.kind !== "off") return "◌ waiting – Roost";
  return "Roost";
}
