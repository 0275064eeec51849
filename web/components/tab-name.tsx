/** What others call this tab: pressed, it can be changed. */
import { useSignal } from "@preact/signals";
import type { Model } from "../model.ts";

export function TabName({ model }: { model: Model }) {
  const editing = useSignal(false);
  const { name } = model.view.value.self;
  if (!editing.value)
    return (
      <button
        type="button"
        class="quiet"
        data-testid="tab-name"
        disabled={!model.canRename()}
        title={
          model.canRename()
            ? "What others call this tab. Click to change."
            : "The name can change when nothing runs here."
        }
        onClick={() => {
          editing.value = true;
        }}
      >
        {name}
      </button>
    );
  return (
    <form
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
