/** What one process is and was, and what can be done with it: move it, or kill it. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { whyProcess } from "../../fabric/index.ts";
import type { Model } from "../model.ts";
import type { Anchor } from "./fabric-panel.tsx";
import { glyphOf, HostMark, StateGlyph } from "./icons.tsx";
import { storyOf } from "./timeline.tsx";

export interface MenuTarget {
  readonly pid: number;
  /** What was pressed: the menu opens beside it. */
  readonly from: Anchor;
}

const WIDTH_PX = 320;

export function ProcessMenu({
  model,
  target,
  close,
}: {
  model: Model;
  target: MenuTarget;
  close: () => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  // In the same task as the press: one that was just dismissed has yet to tell, and would close this one instead.
  useLayoutEffect(() => {
    const menu = box.current;
    if (!menu) return;
    const beside = target.from.getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(beside.left, innerWidth - WIDTH_PX - 8))}px`;
    const above = beside.bottom > innerHeight * 0.6;
    menu.style.top = above ? "auto" : `${beside.bottom + 6}px`;
    menu.style.bottom = above ? `${innerHeight - beside.top + 6}px` : "auto";
    if (!menu.matches(":popover-open")) menu.showPopover();
    menu.focus(); // not a button: a second press of Enter must not do anything
  }, [target]);

  const run = model.run.value;
  const job = model.job.value;
  const process = job?.processes.find((p) => p.pid === target.pid);
  if (!run || !job || !process) return null;
  const ended = process.state === "ended";
  const stopped = process.state === "stopped";
  const why = ended ? [] : (whyProcess({ ...job, nowMs: model.nowMs.value }, process.pid) ?? []);
  const elsewhere = job.hosts.filter((host) => host.slots > 0 && host.id !== process.host);
  const act = (action: () => void) => () => {
    action();
    box.current?.hidePopover();
  };
  return (
    <div
      ref={box}
      popover="auto"
      tabIndex={-1}
      class="menu"
      style={{ width: `${WIDTH_PX}px` }}
      role="dialog"
      aria-label={`Process ${process.pid}`}
      data-testid="process-menu"
      onToggle={(event) => {
        if (event.newState === "closed") close();
      }}
    >
      <p class="menu-title">
        <StateGlyph glyph={glyphOf(process)} />
        <b>process {process.pid}</b> {process.detail}
        {process.ppid > 0 && <span class="label"> · child of {process.ppid}</span>}
      </p>
      {!ended && (
        <ul class="actions">
          {elsewhere.map((host) => (
            <li key={host.id}>
              <button
                type="button"
                data-testid={`move-${host.id}`}
                onClick={act(() => model.move(run, process.pid, host.id))}
              >
                Move to <HostMark mark={model.marks.markOf(host.id)} /> {host.name}
              </button>
            </li>
          ))}
          {elsewhere.length === 0 && <li class="label">No other host takes it now.</li>}
          <li>
            <button
              type="button"
              data-testid={stopped ? "continue" : "stop"}
              onClick={act(() => model.signal(run, process.pid, stopped ? "SIGCONT" : "SIGSTOP"))}
            >
              {stopped ? "Let it go on" : "Stop it for now"}
            </button>
          </li>
          <li>
            <button
              type="button"
              class="kill"
              data-testid="kill"
              onClick={act(() => model.signal(run, process.pid, "SIGKILL"))}
            >
              Kill {process.pid === 1 ? "the whole job" : "it"}
            </button>
          </li>
        </ul>
      )}
      {why.length > 0 && (
        <ul class="why-process" data-testid="why-process">
          {why.map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
      <ol class="story">
        {storyOf(process, run.trace.marks.get(process.pid)).map((sentence, n) => (
          <li key={n}>{sentence}</li>
        ))}
      </ol>
    </div>
  );
}
