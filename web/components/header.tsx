/** The top of the page: what this is, what this tab is called, and whether the relay is there. */
import { useSignal } from "@preact/signals";
import type { Model } from "../model.ts";
import { age } from "../words.ts";
import { type Mood, Nest } from "./icons.tsx";

export const Header = ({ model, mood }: { model: Model; mood: Mood }) => (
  <header class="top">
    <Nest mood={mood} />
    <h1>Roost</h1>
    <p class="tagline">Programs that fork across browser tabs, and leave when you want yours back.</p>
    <TabName model={model} />
    <RelayChip model={model} />
  </header>
);

function TabName({ model }: { model: Model }) {
  const editing = useSignal(false);
  const { name } = model.view.value.self;
  if (!editing.value)
    return (
      <button
        type="button"
        class="quiet tab-name"
        data-testid="tab-name"
        disabled={!model.canReconfigure()}
        title={
          model.canReconfigure()
            ? "What others call this tab. Click to change."
            : "The name can change when nothing runs here."
        }
        onClick={() => {
          editing.value = true;
        }}
      >
        <span class="label">this tab</span> {name}
      </button>
    );
  return (
    <form
      class="tab-name"
      onSubmit={(event) => {
        event.preventDefault();
        model.setName(String(new FormData(event.currentTarget).get("name")));
        editing.value = false;
      }}
    >
      <input
        name="name"
        aria-label="What others call this tab"
        value={name}
        maxLength={60}
        ref={(input) => input?.select()}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          editing.value = false;
        }}
        onBlur={(event) => event.currentTarget.form?.requestSubmit()}
      />
    </form>
  );
}

export function RelayChip({ model }: { model: Model }) {
  const { state, sentence } = relayInWords(model);
  return (
    <p class="relay" data-testid="relay" data-state={state} role="status">
      <span class="dot" aria-hidden="true" />
      {sentence}
    </p>
  );
}

function relayInWords(model: Model): { state: string; sentence: string } {
  const { relay } = model.view.value;
  switch (relay.state) {
    case "none":
      return { state: "none", sentence: "no relay: this tab is on its own" };
    case "online":
      return { state: "online", sentence: "relay: online" };
    case "connecting": {
      if (!model.hasBeenOnline.value) return { state: "connecting", sentence: "relay: connecting…" };
      const gone = age(model.nowMs.value - relay.sinceMs);
      return {
        state: "lost",
        sentence: `Relay lost ${gone} ago – links that exist keep working; reconnecting`,
      };
    }
  }
}
