/** The editor, once it is loaded; a plain field where it cannot be. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { EditorHandle } from "../editor/editor.ts";
import type { Fault } from "../faults.ts";

export function Editor({
  text,
  label,
  fault,
  onInput,
  onRun,
}: {
  text: string;
  label: string;
  fault: Fault | undefined;
  onInput: (text: string) => void;
  onRun: () => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const handle = useRef<EditorHandle | undefined>(undefined);
  const state = useSignal<"loading" | "ready" | "missing">("loading");
  /** Texts typed here that have not come back through `text`, oldest first. */
  const typed = useRef<string[]>([]);
  const latest = useRef({ text, onInput, onRun });
  latest.current = { text, onInput, onRun };

  useEffect(() => {
    let gone = false;
    import("../editor/editor.ts").then(
      ({ mountEditor }) => {
        if (gone || !host.current) return;
        handle.current = mountEditor(host.current, {
          text: latest.current.text,
          label,
          onInput: (text) => {
            typed.current.push(text);
            latest.current.onInput(text);
          },
          onRun: () => latest.current.onRun(),
        });
        state.value = "ready";
      },
      () => {
        state.value = "missing"; // offline, and never loaded before
      },
    );
    return () => {
      gone = true;
      handle.current?.close();
      handle.current = undefined;
    };
  }, [label, state]);

  useEffect(() => {
    // What was typed here comes back by and by, while typing goes on: only another's text is shown.
    const at = typed.current.indexOf(text);
    if (at < 0) handle.current?.show(text);
    typed.current = at < 0 ? [] : typed.current.slice(at + 1);
  }, [text]);
  useEffect(() => {
    if (state.value === "ready") handle.current?.mark(fault ? [fault] : []);
  }, [fault?.line, fault?.message, state.value]);

  if (state.value === "missing")
    return (
      <textarea
        data-testid="source"
        aria-label={label}
        spellcheck={false}
        autocapitalize="off"
        rows={12}
        value={text}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    );
  return (
    <div class="editor" ref={host} aria-busy={state.value === "loading"}>
      {state.value === "loading" && <pre class="editor-loading">{text}</pre>}
    </div>
  );
}
