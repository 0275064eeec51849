/**
 * One process's life as bars: a stay for each, in its host's colour with its letter; thin while it was frozen and its
 * image flew; a diamond for each checkpoint, a tick for messages it sent.
 */
import type { ProcessView } from "../../fabric/index.ts";
import type { HostMarks } from "../places.ts";
import type { Marks } from "../trace.ts";
import { bytes, count, duration } from "../words.ts";

type Stay = ProcessView["stays"][number];

/** Narrower bars have no room for a letter, in percent of the whole. */
const LETTER_PERCENT_MIN = 4;
/** Moments closer than this, in percent, are one. */
const MOMENT_PERCENT_MIN = 0.4;

export function Timeline({
  process,
  moments,
  marks,
  fromMs,
  spanMs,
}: {
  process: ProcessView;
  moments: Marks | undefined;
  marks: HostMarks;
  fromMs: number;
  spanMs: number;
}) {
  const percent = (ms: number) => (100 * Math.min(spanMs, Math.max(0, ms))) / spanMs;
  const endMs = process.endedMs ?? fromMs + spanMs;
  const born = percent(process.bornMs - fromMs);
  const { stays } = process;
  return (
    <svg class="timeline" role="img" aria-label={storyOf(process, moments).join("; ")}>
      <line x1={`${born}%`} x2={`${percent(endMs - fromMs)}%`} y1="50%" y2="50%" class="life" />
      {stays.map((stay, n) => {
        // From the moment it stood still at the place before.
        const frozenMs =
          stay.runningMs !== undefined && stay.freezeMs !== undefined
            ? stay.runningMs - stay.freezeMs
            : (stays[n - 1]?.leftMs ?? stay.placedMs);
        const frozen = percent(frozenMs - fromMs);
        const running = percent((stay.runningMs ?? stay.leftMs ?? endMs) - fromMs);
        const left = percent((stay.leftMs ?? endMs) - fromMs);
        const { letter, hue } = marks.markOf(stay.host);
        return (
          <g key={stay.placedMs} style={{ "--hue": hue }}>
            <title>{storyOfStay(stay)}</title>
            <rect
              class="flight"
              x={`${frozen}%`}
              width={`${Math.max(0, running - frozen)}%`}
              y="40%"
              height="20%"
            />
            <rect
              class="stay"
              x={`${running}%`}
              width={`${Math.max(0.3, left - running)}%`}
              y="8%"
              height="84%"
              rx="2"
            />
            {left - running >= LETTER_PERCENT_MIN && (
              <text x={`${running}%`} dx="4" y="50%">
                {letter}
              </text>
            )}
          </g>
        );
      })}
      {apart(moments?.sent, (ms) => percent(ms - fromMs)).map((x) => (
        <rect key={`s${x}`} class="sent" x={`${x}%`} width="1.5" y="0" height="32%" />
      ))}
      {apart(moments?.saved, (ms) => percent(ms - fromMs)).map((x) => (
        <svg key={`c${x}`} x={`${x}%`} y="50%" class="saved" aria-hidden="true">
          <path d="M0-4 4 0 0 4-4 0Z" />
        </svg>
      ))}
    </svg>
  );
}

/** Where to draw moments, so that none hides another. */
function apart(times: readonly number[] | undefined, percent: (ms: number) => number): number[] {
  const drawn: number[] = [];
  for (const ms of times ?? []) {
    const x = percent(ms);
    if (x - (drawn.at(-1) ?? Number.NEGATIVE_INFINITY) >= MOMENT_PERCENT_MIN) drawn.push(x);
  }
  return drawn;
}

export function storyOf(process: ProcessView, moments?: Marks): string[] {
  const story = process.stays.map(storyOfStay);
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
