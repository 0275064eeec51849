/** The author's side: a program, its arguments, the files it works on, and Run. */
import { useSignal } from "@preact/signals";
import { filesDropped, filesPicked, type GivenFiles } from "../given-files.ts";
import type { Order } from "../launch.ts";
import type { Model } from "../model.ts";
import { OWN, OWN_TEMPLATE, PROGRAMS, type Program } from "../programs.ts";
import { bytes, count, splitArguments } from "../words.ts";

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
      await model.run(await orderOf(model, program, splitArguments(args)));
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

  return (
    <section class="card launch-card" aria-labelledby="launch-title">
      <h2 id="launch-title">Run a program</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          if (event.dataTransfer)
            filesDropped(event.dataTransfer).then(take, (error) => complain(model, error));
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
        {program ? <p class="summary">{program.summary}</p> : <OwnProgram model={model} />}
        {(program?.sample || !program) && <Files model={model} program={program} take={take} />}
        <button type="submit" class="big run" data-testid="run" disabled={busy.value}>
          {busy.value ? "Starting…" : "Run"}
        </button>
      </form>
    </section>
  );
}

async function orderOf(model: Model, program: Program | undefined, args: readonly string[]): Promise<Order> {
  const given = model.files.value;
  if (!program) {
    const { ownSource, ownFileName } = model.settings.value;
    const name = ownFileName.replace(/\.m?js$/, "");
    return { name, source: ownSource || OWN_TEMPLATE, fileName: ownFileName, args, files: given };
  }
  const files = program.sample && given.size === 0 ? await program.sample.files() : given;
  return { name: program.title, source: await program.source(), fileName: program.fileName, args, files };
}

function openProgram(model: Model, fileName: string, content: Uint8Array): void {
  model.changeSettings({
    program: OWN,
    ownFileName: fileName,
    ownSource: new TextDecoder().decode(content),
  });
}

const complain = (model: Model, error: unknown) => {
  model.trouble.value = `The files could not be read: ${error instanceof Error ? error.message : String(error)}`;
};

function OwnProgram({ model }: { model: Model }) {
  const { ownSource, ownFileName } = model.settings.value;
  return (
    <div class="own">
      <label>
        <span class="label">{ownFileName}</span>
        <textarea
          data-testid="source"
          spellcheck={false}
          autocapitalize="off"
          rows={12}
          value={ownSource || OWN_TEMPLATE}
          onInput={(event) => model.changeSettings({ ownSource: event.currentTarget.value })}
        />
      </label>
      <Pick
        label="Open a .js file…"
        accept=".js,.mjs"
        model={model}
        take={(files) => {
          const [first] = files;
          if (first) openProgram(model, ...first);
        }}
      />
      {ownSource !== "" && (
        <button type="button" class="quiet" onClick={() => model.changeSettings({ ownSource: "" })}>
          Back to the template
        </button>
      )}
    </div>
  );
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
