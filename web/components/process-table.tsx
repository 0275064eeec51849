/** Every process of a job, as a tree: what it does, where it is, what it used, and where it has been. */
import { useSignal } from "@preact/signals";
import { Component } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { type JobView, movesOf, type ProcessView, treeOf } from "../../fabric/index.ts";
import type { Model } from "../model.ts";
import { Pace } from "../pace.ts";
import { RemoteRun } from "../remote-run.ts";
import type { Run } from "../run.ts";
import { type Look, lookOf } from "../sky/life.ts";
import type { Marks } from "../trace.ts";
import { bytes, count, duration } from "../words.ts";
import type { OpenProcess } from "./fabric-panel.tsx";
import { glyphOf, HostMark, StateGlyph } from "./icons.tsx";
import { Timeline } from "./timeline.tsx";

/** Deeper levels are drawn no further in. */
const INDENT_LEVELS_MAX = 6;
/** With more rows, only those in sight are in the document. */
const ROWS_ALL_MAX = 60;
const ROWS_AROUND = 5;
/** As the style sheet has it, in CSS pixels; in a narrow table a row has two lines. */
const ROW_HEIGHT = 28;
const ROW_HEIGHT_NARROW = 65;
const TIMELINE_HEIGHT = 18;
const NARROW = 640;
/** While a job runs, the axis of time grows by steps of this part of it, so that rows are not drawn again with each frame. */
const AXIS_STEPS = 64;
const AXIS_STEP_MS_MIN = 250;

function axisOf(spanMs: number): number {
  const stepMs = Math.max(AXIS_STEP_MS_MIN, 2 ** Math.floor(Math.log2(Math.max(1, spanMs) / AXIS_STEPS)));
  return (Math.floor(spanMs / stepMs) + 1) * stepMs;
}

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
  const spanMs =
    job.endedMs === undefined
      ? axisOf(model.nowMs.value - job.startedMs)
      : Math.max(100, job.endedMs - job.startedMs);
  const size = useSignal({ height: 520, narrow: false });
  const look = useSignal<Look | undefined>(undefined);
  useLayoutEffect(() => {
    const [element, track] = [box.current, box.current?.querySelector("th.track")];
    if (!element || !track) return;
    // Once for all, and not while rows are drawn: the browser would lay everything out once more for each.
    const measure = () => {
      const narrow = (element.parentElement?.clientWidth ?? innerWidth) <= NARROW;
      size.value = { height: element.clientHeight, narrow };
      const around = narrow ? element.querySelector("td.track") : track;
      look.value = lookOf(element, around?.clientWidth ?? 0, TIMELINE_HEIGHT);
    };
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    observer.observe(track);
    dark.addEventListener("change", measure);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", measure);
    };
  }, [size, look]);
  const height = size.value.narrow ? ROW_HEIGHT_NARROW : ROW_HEIGHT;
  const few = rows.length <= ROWS_ALL_MAX;
  const inSight = Math.ceil(size.value.height / height);
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
          <span>
            <i class="ran" /> ran
          </span>
          <span>
            <i class="flew" /> frozen and flying
          </span>
          {run instanceof RemoteRun ? (
            <span>messages and snapshots are seen at its home only</span>
          ) : (
            <>
              <span>
                <i class="saved" /> saved
              </span>
              <span>
                <i class="sent" /> message
              </span>
            </>
          )}
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
              <th scope="col" class="pid-head">
                pid
              </th>
              <th scope="col" class="state">
                state
              </th>
              <th scope="col" class="where">
                where
              </th>
              <th scope="col" class="number wide">
                moves
              </th>
              <th scope="col" class="number cpu">
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
                look={look.value}
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

/** So many rows are drawn again with what else is new, and so many in each frame after that. */
const ROWS_AT_ONCE = 8;
const ROWS_A_FRAME = 4;
const PACE = new Pace(ROWS_AT_ONCE, ROWS_A_FRAME);

interface RowProps {
  readonly model: Model;
  readonly process: ProcessView;
  readonly marks: Marks | undefined;
  readonly depth: number;
  readonly index: number;
  readonly fromMs: number;
  readonly spanMs: number;
  readonly look: Look | undefined;
  readonly open: OpenProcess;
}

/** Drawn again only when something of it is different; and not all in one frame. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return this.#differs(next) && PACE.admits(this);
  }

  override componentWillUnmount(): void {
    PACE.forget(this);
  }

  #differs(next: RowProps): boolean {
    const { props } = this;
    return (
      next.spanMs !== props.spanMs ||
      next.look !== props.look ||
      next.marks !== props.marks ||
      next.depth !== props.depth ||
      next.index !== props.index ||
      next.process !== props.process
    );
  }

  override render({ model, process, marks, depth, index, fromMs, spanMs, look, open }: RowProps) {
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
        data-moves={movesOf(process)}
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
        <td class="number wide">{movesOf(process)}</td>
        <td class="number">{cpuMs > 0 ? duration(cpuMs) : "–"}</td>
        <td class="number wide">{memoryBytes > 0 ? bytes(memoryBytes) : "–"}</td>
        <td class="track">
          <Timeline
            process={process}
            moments={marks}
            marks={model.marks}
            fromMs={fromMs}
            spanMs={spanMs}
            look={look}
          />
        </td>
      </tr>
    );
  }
}

function shortState({ state, detail, status, signal }: ProcessView): string {
  if (state !== "ended") return state === "running" ? "running" : detail;
  if (status === undefined && signal === undefined) return detail;
  return signal ? `ended by ${signal}` : `exit ${status}`;
}
