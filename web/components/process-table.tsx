/** Every process of a job, as a tree: what it does, where it is, what it used, and where it has been. */
import type { JobView, ProcessView } from "../../fabric/index.ts";
import type { Model } from "../model.ts";
import { treeOf } from "../places.ts";
import { bytes, duration } from "../words.ts";
import type { OpenProcess } from "./fabric-panel.tsx";
import { glyphOf, HostMark, StateGlyph } from "./icons.tsx";
import { Timeline } from "./timeline.tsx";

/** Deeper levels are drawn no further in. */
const INDENT_LEVELS_MAX = 6;

export function ProcessTable({ model, job, open }: { model: Model; job: JobView; open: OpenProcess }) {
  const endMs = job.endedMs ?? model.nowMs.value;
  const spanMs = Math.max(100, endMs - job.startedMs);
  return (
    <section class="processes" aria-labelledby="processes-title">
      <h3 id="processes-title" class="label">
        Processes
      </h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div class="scroll" tabIndex={0}>
        <table data-testid="processes">
          <thead>
            <tr>
              <th scope="col">pid</th>
              <th scope="col">state</th>
              <th scope="col">where</th>
              <th scope="col" class="number wide">
                moves
              </th>
              <th scope="col" class="number">
                CPU
              </th>
              <th scope="col" class="number wide">
                memory
              </th>
              <th scope="col" class="track">
                <span>0</span>
                <span>{duration(spanMs)}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {treeOf(job.processes).map(({ process, depth }) => (
              <Row
                key={process.pid}
                model={model}
                process={process}
                depth={Math.min(depth, INDENT_LEVELS_MAX)}
                fromMs={job.startedMs}
                spanMs={spanMs}
                open={open}
              />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({
  model,
  process,
  depth,
  fromMs,
  spanMs,
  open,
}: {
  model: Model;
  process: ProcessView;
  depth: number;
  fromMs: number;
  spanMs: number;
  open: OpenProcess;
}) {
  const { pid, ppid, state, detail, host, cpuMs, memoryBytes, stays } = process;
  const last = stays.at(-1);
  const at = host ?? last?.host;
  return (
    <tr
      {...(at ? { style: { "--hue": model.marks.markOf(at).hue } } : {})}
      data-testid={`process-${pid}`}
      data-state={state}
      data-host={host ?? ""}
      data-parent={ppid}
      data-moves={Math.max(0, stays.length - 1)}
      data-status={process.status ?? ""}
      data-signal={process.signal ?? ""}
    >
      <th scope="row" style={{ "--depth": depth }}>
        <button
          type="button"
          class="quiet pid"
          aria-label={`Process ${pid}, child of ${ppid}: details, kill, move`}
          onClick={(event) => open(pid, event.currentTarget)}
        >
          {pid}
        </button>
      </th>
      <td class="state">
        <StateGlyph glyph={glyphOf(process)} />
        {state === "unplaced" ? detail : shortState(process)}
      </td>
      <td class="where">
        {at && (
          <>
            <HostMark mark={model.marks.markOf(at)} /> {last?.hostName}
          </>
        )}
      </td>
      <td class="number wide">{Math.max(0, stays.length - 1)}</td>
      <td class="number">{cpuMs > 0 ? duration(cpuMs) : "–"}</td>
      <td class="number wide">{memoryBytes > 0 ? bytes(memoryBytes) : "–"}</td>
      <td class="track">
        <Timeline process={process} marks={model.marks} fromMs={fromMs} spanMs={spanMs} />
      </td>
    </tr>
  );
}

function shortState({ state, detail, status, signal }: ProcessView): string {
  if (state !== "ended") return state === "running" ? "running" : detail;
  return signal ? `ended by ${signal}` : `exit ${status}`;
}
