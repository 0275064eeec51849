/** How much of a job ran at once, over its time. It is drawn, and the charting library loaded, only while somebody looks. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { Model } from "../model.ts";
import type { Run } from "../run.ts";

const HEIGHT = 120;
const SAMPLES_MIN = 4;

export function Chart({ model, run }: { model: Model; run: Run }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const open = useSignal(false);
  void model.nowMs.value; // a picture of time
  const { samples } = run.trace;
  const enough = samples.length >= SAMPLES_MIN;
  const looked = enough && open.value;
  const data = (): uPlot.AlignedData => {
    const began = samples[0]?.atMs ?? 0;
    return [
      samples.map((s) => (s.atMs - began) / 1000),
      samples.map((s) => s.alive),
      samples.map((s) => s.running),
      samples.map((s) => s.hosts),
    ];
  };

  useEffect(() => {
    const element = box.current;
    if (!element || !looked) return;
    let gone = false;
    let observer: ResizeObserver | undefined;
    void Promise.all([import("uplot"), import("uplot/dist/uPlot.min.css")]).then(([{ default: UPlot }]) => {
      if (gone) return;
      plot.current = new UPlot(optionsFor(element), data(), element);
      observer = new ResizeObserver(() =>
        plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
      );
      observer.observe(element);
    });
    return () => {
      gone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [run, looked]);

  useEffect(() => plot.current?.setData(data()), [samples]);

  if (!enough) return null;
  const most = Math.max(...samples.map((s) => s.running));
  return (
    <details
      class="chart"
      data-testid="chart"
      onToggle={(event) => {
        open.value = event.currentTarget.open;
      }}
    >
      <summary>
        Over time <span class="label">at most {most} at once</span>
      </summary>
      <div
        ref={box}
        role="img"
        aria-label={`Processes alive, running, and hosts in use over time; at most ${most} ran at once.`}
      />
    </details>
  );
}

function optionsFor(element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  const seconds = (_: unknown, n: number | null) => (n === null ? "" : `${n.toFixed(1)} s`);
  return {
    width: element.clientWidth,
    height: HEIGHT,
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(1, most)] } },
    legend: { live: true },
    cursor: { drag: { x: false, y: false } },
    axes: [
      { ...axis, size: 24, values: (_, ticks) => ticks.map((n) => `${n} s`) },
      { ...axis, size: 34, incrs: [1, 2, 5, 10, 20, 50, 100] },
    ],
    series: [
      { label: "time", value: seconds },
      { label: "alive", stroke: colour("--muted"), dash: [2, 3], width: 1.2, points: { show: false } },
      {
        label: "running",
        stroke: colour("--give"),
        fill: `color-mix(in srgb, ${colour("--give")} 18%, transparent)`,
        width: 1.8,
        points: { show: false },
      },
      { label: "hosts", stroke: colour("--take"), dash: [7, 4], width: 1.6, points: { show: false } },
    ],
  };
}
