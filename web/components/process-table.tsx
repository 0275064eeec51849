/** Every process of a job, as a tree: what it does, where it is, what it used, and where it has been. */
import { useSignal } from "@preact/signals";
import { Component } from "preact";
import { useMemo, useRef } from "preact/hooks";
import type { JobView, ProcessView } from "../../fabric/index.ts";
import type { Model } from "../model.ts";
import { treeOf } from "../places.ts";
import type { Run } from "../run.ts";
import type { Marks } from "../trace.ts";
import { bytes, count, duration } from "../words.ts";
import type { OpenProcess } from "./fabric-panel.tsx";
import { glyphOf, HostMark, StateGlyph } from "./icons.tsx";
import { Timeline } from "./timeline.tsx";

/** Deeper levels are drawn no further in. */
const INDENT_LEVELS_MAX = 6;
/** With more rows, only those in sight are in the document. */
const ROWS_ALL_MAX = 60;
const ROWS_AROUND = 8;
/** As the style sheet has it, in CSS pixels; on a narrow page a row has two lines. */
const ROW_HEIGHT = 28;
const ROW_HEIGHT_NARROW = 62;

export function ProcessTable({
  model,
  run,
  job,
  open,
}: {
  model: Model;
  run: Run;
  job: JobView;
  open: OpenProcess;
}) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const rows = useMemo(() => treeOf(job.processes), [job.processes]);
  const endMs = job.endedMs ?? model.nowMs.value;
  const spanMs = Math.max(100, endMs - job.startedMs);
  const height = innerWidth <= 860 ? ROW_HEIGHT_NARROW : ROW_HEIGHT;
  const few = rows.length <= ROWS_ALL_MAX;
  const inSight = Math.ceil((box.current?.clientHeight ?? 520) / height);
  const from = few ? 0 : Math.max(0, Math.floor(top.value / height) - ROWS_AROUND);
  const until = few ? rows.length : Math.min(rows.length, from + inSight + 2 * ROWS_AROUND);
  const { trace } = run;
  return (
    <section class="processes" aria-labelledby="processes-title">
      <div class="title-row">
        <h3 id="processes-title" class="label">
          {count(rows.length, "process", "processes")}
        </h3>
        <p class="label timeline-legend" aria-hidden="true">
          <i class="ran" /> ran <i class="flew" /> frozen and flying <i class="saved" /> saved{" "}
          <i class="sent" /> message
        </p>
      </div>
      <div
        class="scroll"
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={(event) => {
          if (!few) top.value = event.currentTarget.scrollTop;
        }}
      >
        <table data-testid="processes" aria-rowcount={rows.length + 1}>
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
            <Gap height={from * height} />
            {rows.slice(from, until).map(({ process, depth }, n) => (
              <Row
                key={process.pid}
                model={model}
                process={process}
                marks={trace.marks.get(process.pid)}
                depth={Math.min(depth, INDENT_LEVELS_MAX)}
                index={from + n + 2}
                fromMs={job.startedMs}
                spanMs={spanMs}
                open={open}
              />
            ))}
            <Gap height={(rows.length - until) * height} />
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Stands for rows out of sight. */
const Gap = ({ height }: { height: number }) =>
  height > 0 ? (
    <tr class="gap">
      <td colSpan={7} style={{ height: `${height}px`, padding: 0 }} />
    </tr>
  ) : null;

interface RowProps {
  readonly model: Model;
  readonly process: ProcessView;
  readonly marks: Marks | undefined;
  readonly depth: number;
  readonly index: number;
  readonly fromMs: number;
  readonly spanMs: number;
  readonly open: OpenProcess;
}

/** Drawn again only when something of it is different. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { props } = this;
    return (
      next.spanMs !== props.spanMs ||
      next.marks !== props.marks ||
      next.depth !== props.depth ||
      next.index !== props.index ||
      signOf(next.process) !== signOf(props.process)
    );
  }

  override render({ model, process, marks, depth, index, fromMs, spanMs, open }: RowProps) {
    const { pid, ppid, state, detail, host, cpuMs, memoryBytes, stays } = process;
    const last = stays.at(-1);
    const at = host ?? last?.host;
    return (
      <tr
        {...(at ? { style: { "--hue": model.marks.markOf(at).hue } } : {})}
        aria-rowindex={index}
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
            aria-label={`Process ${pid}, child of ${ppid}: details, stop, kill, move`}
            onClick={(event) => open(pid, event.currentTarget)}
          >
            {pid}
          </button>
        </th>
        <td class="state" title={detail}>
          <StateGlyph glyph={glyphOf(process)} />
          {state === "unplaced" ? "has no host" : shortState(process)}
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
          <Timeline process={process} moments={marks} marks={model.marks} fromMs={fromMs} spanMs={spanMs} />
        </td>
      </tr>
    );
  }
}

function signOf({
  state,
  detail,
  host,
  cpuMs,
  memoryBytes,
  ppid,
  stays,
  status,
  signal,
}: ProcessView): string {
  const last = stays.at(-1);
  return `${state}|${detail}|${host}|${cpuMs}|${memoryBytes}|${ppid}|${stays.length}|${last?.runningMs}|${last?.leftMs}|${status}|${signal}`;
}

function shortState({ state, detail, status, signal }: ProcessView): string {
  if (state !== "ended") return state === "running" ? "running" : detail;
  if (status === undefined && signal === undefined) return detail;
  return signal ? `ended by ${signal}` : `exit ${status}`;
}
