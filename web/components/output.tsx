/** What the job prints, as it comes, and a line to answer it. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Model } from "../model.ts";
import type { Run } from "../run.ts";
import { count } from "../words.ts";
import { saveBlob } from "./result.tsx";

/** More lines are not drawn: the page would be slow, and nobody reads them. All that are kept can be saved. */
const LINES_SHOWN = 600;

const STREAM_WORD = { out: "", err: "err", in: "in" } as const;

export function Output({ model, run }: { model: Model; run: Run }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const version = model.outputVersion.value;
  const ended = model.job.value?.endedMs !== undefined;
  const lines = run.lines;
  const shown = lines.slice(-LINES_SHOWN);
  const hidden = run.droppedLines + lines.length - shown.length;

  useLayoutEffect(() => {
    if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [version, run]); // new output is what scrolls

  return (
    <section class="output-panel" aria-labelledby="output-title">
      <div class="output-head">
        <h3 id="output-title" class="label">
          Output
        </h3>
        {lines.length > 0 && (
          <button
            type="button"
            class="quiet"
            data-testid="save-output"
            title={`Save ${count(lines.length, "line")} as a file`}
            onClick={() => saveBlob(new Blob([textOf(run)], { type: "text/plain" }), `${run.order.name}.txt`)}
          >
            Save
          </button>
        )}
      </div>
      <div
        class="output scroll"
        data-testid="output"
        ref={box}
        role="log"
        aria-labelledby="output-title"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={({ currentTarget: b }) => {
          atEnd.current = b.scrollHeight - b.scrollTop - b.clientHeight < 24;
        }}
      >
        {hidden > 0 && <div class="line label">{count(hidden, "earlier line")} not shown</div>}
        {lines.length === 0 && (
          <div class="line label">{ended ? "nothing was printed" : "nothing printed yet"}</div>
        )}
        {shown.map((line) => (
          <div key={line.number} class="line" data-stream={line.stream}>
            {line.stream !== "out" && <span class="stream">{STREAM_WORD[line.stream]}</span>}
            {line.text || "\u00a0"}
          </div>
        ))}
      </div>
      {run.asksForInput && <InputLine run={run} />}
    </section>
  );
}

/** All lines that are kept, and how many are not. */
function textOf({ lines, droppedLines }: Run): string {
  const dropped = droppedLines > 0 ? [`… ${count(droppedLines, "earlier line")} not kept`] : [];
  return [...dropped, ...lines.map(({ text }) => text), ""].join("\n");
}

const InputLine = ({ run }: { run: Run }) => (
  <form
    class="input-line"
    onSubmit={(event) => {
      event.preventDefault();
      const form = event.currentTarget;
      run.type(String(new FormData(form).get("line")));
      form.reset();
    }}
  >
    <label class="unseen" for="input-line">
      The program waits for a line of input
    </label>
    <input
      id="input-line"
      name="line"
      data-testid="input"
      autocomplete="off"
      placeholder="the program waits for a line"
    />
    <button type="submit" class="second">
      Send
    </button>
    <button type="button" class="second" title="No more input will come" onClick={() => run.type(undefined)}>
      End of input
    </button>
  </form>
);
