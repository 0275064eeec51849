/** The top of the page: what this is, and whether the relay is there. */
import type { Model } from "../model.ts";
import { age } from "../words.ts";
import { type Mood, Nest } from "./icons.tsx";

export const Header = ({ model, mood }: { model: Model; mood: Mood }) => (
  <header class="top">
    <Nest mood={mood} />
    <h1>Roost</h1>
    <p class="tagline">Programs that fork across browser tabs, and leave when you want yours back.</p>
    <RelayChip model={model} />
  </header>
);

/** A relay on the same machine answers in milliseconds, one far away in a second. */
const NO_ANSWER_MS = 4_000;

function RelayChip({ model }: { model: Model }) {
  const { state, sentence, agoInWords } = relayInWords(model);
  return (
    <p class="relay" data-testid="relay" data-state={state} role="status">
      <span class="dot" aria-hidden="true" />
      {sentence}
      {/* Not read out each second. */}
      {agoInWords && <span aria-hidden="true"> {agoInWords}</span>}
    </p>
  );
}

function relayInWords(model: Model): { state: string; sentence: string; agoInWords?: string } {
  const { relay } = model.view.value;
  switch (relay.state) {
    case "none":
      return { state: "none", sentence: "this browser has no WebRTC: programs run in this tab only" };
    case "online":
      return { state: "online", sentence: "relay: online" };
    case "connecting": {
      if (!model.hasBeenOnline.value) {
        if (model.nowMs.value - relay.sinceMs < NO_ANSWER_MS)
          return { state: "connecting", sentence: "relay: connecting…" };
        return {
          state: "lost",
          sentence: `No relay answers at ${model.relayName}: programs run in this tab only. Is it running, and is there a network? Trying again`,
        };
      }
      return {
        state: "lost",
        sentence: "Relay lost – links that exist keep working; reconnecting",
        agoInWords: `(for ${age(model.nowMs.value - relay.sinceMs)})`,
      };
    }
  }
}
