/** The author's side: a program, its arguments, the files it works on, and Run. */
import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Fault, faultIn } from "../faults.ts";
import { filesDropped, filesPicked, type GivenFiles } from "../given-files.ts";
import type { Model } from "../model.ts";
import { OWN, PROGRAMS, type Program } from "../programs.ts";
import type { Order } from "../run.ts";
import type { Snippet } from "../snippets.ts";
import { bytes, count, splitArguments } from "../words.ts";
import { Editor } from "./editor.tsx";

export function LaunchCard({ model }: { model: Model }) {
  const settings = model.settings.value;
  const program = PROGRAMS.find((p) => p.id === settings.program);
  const id = program?.id ?? OWN;
  const args = settings.args[id] ?? program?.args ?? "";
  const busy = useSignal(false);

  const run = async () => {
    busy.value = true;
    model.trouble.value = "";
    try {
      await model.launch(await orderOf(model, program, splitArguments(args)));
    } catch (error) {
      model.trouble.value = `The program could not be loaded (${error instanceof Error ? error.message : String(error)}); is the relay reachable?`;
    }
    busy.value = false;
    // On a narrow page what happens next is further down.
    if (innerWidth <= 860) document.querySelector(".stage")?.scrollIntoView();
  };
  const take = (files: GivenFiles) => {
    const [only] = files;
    if (only && files.size === 1 && /\.m?js$/.test(only[0])) openProgram(model, ...only);
    else model.giveFiles(files);
  };

  const dragged = useDroppedFiles((data) => {
    filesDropped(data).then(take, (error) => complain(model, error));
  });

  return (
    <section class="card launch-card" aria-labelledby="launch-title" data-dragged={dragged.value}>
      <h2 id="launch-title">Run a program</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit();
        }}
      >
        <div class="fields">
          <label class="field">
            <span class="label">Program</span>
            <select
              data-testid="example"
              value={id}
              onChange={(event) => model.changeSettings({ program: event.currentTarget.value })}
            >
              {PROGRAMS.map((p) => (
                <option key={p.id} value={p.id}>
                  {p.title}
                </option>
              ))}
              <option value={OWN}>my own…</option>
            </select>
          </label>
          <label class="field">
            <span class="label">Arguments</span>
            <input
              data-testid="args"
              value={args}
              placeholder={program?.argsHint ?? ""}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              onInput={(event) =>
                model.changeSettings({ args: { ...settings.args, [id]: event.currentTarget.value } })
              }
            />
          </label>
        </div>
        {program ? (
          <p class="summary">
            {program.summary}{" "}
            <button
              type="button"
              class="quiet link"
              data-testid="read"
              onClick={() => copyToEditor(model, program)}
            >
              Read and change it
            </button>
          </p>
        ) : (
          <OwnProgram model={model} run={run} />
        )}
        {(program?.sample || !program || model.files.value.size > 0) && (
          <Files model={model} program={program} take={take} />
        )}
        <button type="submit" class="big run" data-testid="run" disabled={busy.value}>
          {busy.value ? "Starting…" : "Run"}
        </button>
      </form>
    </section>
  );
}

/**
 * Files may be dropped anywhere: a browser would leave the page for one that misses its place, and the editor would
 * write it into the program. Whether some are held over the page.
 */
function useDroppedFiles(take: (data: DataTransfer) => void): ReadonlySignal<boolean> {
  const dragged = useSignal(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const end = new AbortController();
    const on = (
      type: "dragover" | "dragleave" | "drop",
      act: (event: DragEvent, data: DataTransfer) => void,
    ) =>
      addEventListener(
        type,
        (event) => {
          const { dataTransfer } = event;
          if (dataTransfer?.types.includes("Files")) act(event, dataTransfer);
        },
        { signal: end.signal, capture: true },
      );
    on("dragover", (event, data) => {
      event.preventDefault();
      data.dropEffect = "copy";
      dragged.value = true;
    });
    on("dragleave", (event) => {
      if (event.relatedTarget === null) dragged.value = false;
    });
    on("drop", (event, data) => {
      event.preventDefault();
      event.stopPropagation();
      dragged.value = false;
      latest.current(data);
    });
    return () => end.abort();
  }, [dragged]);
  return dragged;
}

async function orderOf(model: Model, program: Program | undefined, args: readonly string[]): Promise<Order> {
  const given = model.files.value;
  if (!program) {
    const { ownSource, ownFileName } = model.settings.value;
    const name = ownFileName.replace(/\.m?js$/, "");
    const source = ownSource ?? (await import("../snippets.ts")).FIRST_SNIPPET;
    return { name, source, fileName: ownFileName, args, files: given };
  }
  const files = program.sample && given.size === 0 ? await program.sample.files() : given;
  return { name: program.title, source: await program.source(), fileName: program.fileName, args, files };
}

/** More is no text that somebody wrote, and an editor would be slow with it. */
const OPENED_BYTES_MAX = 2 << 20;

function openProgram(model: Model, fileName: string, content: Uint8Array): void {
  if (content.length > OPENED_BYTES_MAX || content.includes(0)) {
    const what = content.includes(0) ? "is no text in UTF-8" : `has ${bytes(content.length)}`;
    model.trouble.value = `${fileName} ${what}: it was not opened. A program here is text of at most ${bytes(OPENED_BYTES_MAX)}.`;
    return;
  }
  model.changeSettings({
    program: OWN,
    ownFileName: fileName,
    ownSource: new TextDecoder().decode(content),
  });
}

const complain = (model: Model, error: unknown) => {
  model.trouble.value = `The files could not be read: ${error instanceof Error ? error.message : String(error)}`;
};

async function copyToEditor(model: Model, program: Program): Promise<void> {
  const source = await program.source();
  const args = model.settings.value.args[program.id] ?? program.args;
  model.changeSettings({
    program: OWN,
    ownSource: source,
    ownFileName: program.fileName,
    args: { ...model.settings.value.args, [OWN]: args },
  });
}

function OwnProgram({ model, run }: { model: Model; run: () => void }) {
  const { ownSource, ownFileName } = model.settings.value;
  const snippets = useSignal<readonly Snippet[]>([]);
  useEffect(() => {
    import("../snippets.ts").then(
      (loaded) => {
        snippets.value = loaded.SNIPPETS;
      },
      () => {}, // offline: what was written before is still there
    );
  }, [snippets]);
  const text = ownSource ?? snippets.value[0]?.source;
  return (
    <div class="own">
      <div class="row">
        <span class="label">{ownFileName}</span>
        <select
          data-testid="snippet"
          aria-label="Begin with an example"
          value=""
          onChange={(event) => {
            const found = snippets.value.find(({ title }) => title === event.currentTarget.value);
            if (found) model.changeSettings({ ownSource: found.source, ownFileName: "program.js" });
            event.currentTarget.value = "";
          }}
        >
          <option value="">Begin with…</option>
          {snippets.value.map(({ title }) => (
            <option key={title}>{title}</option>
          ))}
        </select>
        <Pick
          label="Open a file…"
          accept=".js,.mjs"
          model={model}
          take={(files) => {
            const [first] = files;
            if (first) openProgram(model, ...first);
          }}
        />
      </div>
      {text !== undefined && (
        <Editor
          text={text}
          label={`The program ${ownFileName}`}
          fault={faultShown(model, text)}
          onInput={(ownSource) => model.changeSettings({ ownSource })}
          onRun={run}
        />
      )}
      <p class="label">
        <kbd>Ctrl</kbd> <kbd>Space</kbd> for names, <kbd>Ctrl</kbd> <kbd>Enter</kbd> to run
      </p>
    </div>
  );
}

/** Where the job that is looked at went wrong, if it is the program in the editor that went wrong. */
function faultShown(model: Model, text: string): Fault | undefined {
  void model.outputVersion.value; // lines are printed beyond the view
  const run = model.run.value;
  return run && run.order.source === text ? faultIn(run.lines, run.order.fileName) : undefined;
}

function Files({
  model,
  program,
  take,
}: {
  model: Model;
  program: Program | undefined;
  take: (files: GivenFiles) => void;
}) {
  const files = model.files.value;
  const size = [...files.values()].reduce((sum, content) => sum + content.length, 0);
  const none = program?.sample ? program.sample.what : "no files: drop some here";
  return (
    <div class="files">
      <p data-testid="files">
        <span class="label">Works on</span>{" "}
        {files.size > 0 ? `${count(files.size, "file")} of yours (${bytes(size)})` : none}
      </p>
      <Pick label="Add files…" multiple model={model} take={take} />
      <Pick label="Add a folder…" directory model={model} take={take} />
      {files.size > 0 && (
        <button type="button" class="quiet" onClick={() => model.giveFiles()}>
          Forget them
        </button>
      )}
    </div>
  );
}

/** A button that opens the browser's file dialog. */
function Pick({
  label,
  model,
  take,
  accept,
  multiple = false,
  directory = false,
}: {
  label: string;
  model: Model;
  take: (files: GivenFiles) => void;
  accept?: string;
  multiple?: boolean;
  directory?: boolean;
}) {
  return (
    <label class="pick quiet">
      {label}
      <input
        type="file"
        class="unseen"
        {...(accept ? { accept } : {})}
        multiple={multiple || directory}
        ref={(input) => {
          if (input) input.webkitdirectory = directory;
        }}
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files) filesPicked(files).then(take, (error) => complain(model, error));
          event.currentTarget.value = "";
        }}
      />
    </label>
  );
}
