/** One process's life, drawn and in words. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ProcessView } from "../../fabric/index.ts";
import type { HostMarks } from "../places.ts";
import { drawLife, type Look, stayAt } from "../sky/life.ts";
import type { Marks } from "../trace.ts";
import { bytes, count, duration } from "../words.ts";

type Stay = ProcessView["stays"][number];

/** Who listens is told the latest stays; the process's dialog has them all. */
const STAYS_TOLD = 4;

export function Timeline({
  process,
  moments,
  marks,
  fromMs,
  spanMs,
  look,
}: {
  process: ProcessView;
  moments: Marks | undefined;
  marks: HostMarks;
  fromMs: number;
  spanMs: number;
  look: Look | undefined;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current && look) drawLife(canvas.current, { process, moments, fromMs, spanMs }, marks, look);
  });
  /** Says of the stay under the pointer what it was. */
  const tell = ({ currentTarget, offsetX }: PointerEvent & { currentTarget: HTMLCanvasElement }) => {
    const stay = stayAt(process.stays, fromMs + (offsetX / currentTarget.clientWidth) * spanMs);
    currentTarget.title = stay ? storyOfStay(stay) : "";
  };
  return (
    <canvas
      class="timeline"
      ref={canvas}
      role="img"
      aria-label={inShort(process, moments).join("; ")}
      onPointerMove={tell}
    />
  );
}

export const storyOf = (process: ProcessView, moments?: Marks): string[] => [
  ...process.stays.map(storyOfStay),
  ...storyOfMoments(moments),
];

function inShort({ stays }: ProcessView, moments?: Marks): string[] {
  const before = stays.length - STAYS_TOLD;
  const latest = stays.slice(-STAYS_TOLD).map(storyOfStay);
  if (stays.length === 0) return ["on no host so far"];
  return [...(before > 0 ? [`${count(before, "stay")} before`] : []), ...latest, ...storyOfMoments(moments)];
}

function storyOfMoments(moments?: Marks): string[] {
  const story: string[] = [];
  if (moments && moments.savedCount > 0) story.push(`saved ${count(moments.savedCount, "time")} on the way`);
  if (moments && moments.sentCount + moments.receivedCount > 0)
    story.push(`${count(moments.sentCount, "message")} sent, ${moments.receivedCount} received`);
  return story;
}

const ARRIVAL: Record<Stay["why"], string> = {
  started: "started",
  forked: "forked",
  reclaimed: "came after its host was reclaimed",
  recalled: "moved here",
  preempted: "was preempted to here",
  lost: "started again after its host was lost",
  refused: "came after another host refused it",
};

/** "On amber-finch: forked, 2.3 KiB flew in 14 ms, stayed 1.2 s, 340 ms of CPU". */
function storyOfStay(stay: Stay): string {
  const story = stories.get(stay) ?? tellStay(stay);
  stories.set(stay, story);
  return story;
}

/** A view of a stay never changes. */
const stories = new WeakMap<Stay, string>();

function tellStay(stay: Stay): string {
  const parts = [`on ${stay.hostName}: ${ARRIVAL[stay.why]}`];
  if (stay.runningMs !== undefined) {
    const took = duration(stay.runningMs - stay.placedMs);
    parts.push(stay.imageBytes > 0 ? `${bytes(stay.imageBytes)} flew in ${took}` : `ran after ${took}`);
  }
  if (stay.freezeMs !== undefined) parts.push(`it stood still for ${duration(stay.freezeMs)}`);
  if (stay.leftMs !== undefined) parts.push(`stayed ${duration(stay.leftMs - stay.placedMs)}`);
  if (stay.cpuMs > 0) parts.push(`${duration(stay.cpuMs)} of CPU`);
  return parts.join(", ");
}
