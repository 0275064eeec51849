/** Words to take elsewhere: a click selects all of them; a button copies them where there is a clipboard, which pages over plain HTTP have none of. */
import { useSignal } from "@preact/signals";

export function Copyable({ words, testId }: { words: string; testId: string }) {
  const copied = useSignal(false);
  const { clipboard } = navigator as { readonly clipboard?: Clipboard };
  return (
    <p class="row">
      <code data-testid={testId}>{words}</code>
      {clipboard && (
        <button
          type="button"
          class="second"
          onClick={async () => {
            await clipboard.writeText(words);
            copied.value = true;
          }}
          onBlur={() => {
            copied.value = false;
          }}
        >
          {copied.value ? "Copied" : "Copy"}
        </button>
      )}
    </p>
  );
}
