/** One process's life as bars: a stay for each, in its host's colour with its letter; thin while its image was flying. */
import type { ProcessView } from "../../fabric/index.ts";
import type { HostMarks } from "../places.ts";
import { bytes, duration } from "../words.ts";

type Stay = ProcessView["stays"][number];

/** Narrower bars have no room for a letter, in percent of the whole. */
const LETTER_PERCENT_MIN = 4;

export function Timeline({
  process,
  marks,
  fromMs,
  spanMs,
}: {
  process: ProcessView;
  marks: HostMarks;
  fromMs: number;
  spanMs: number;
}) {
  const percent = (ms: number) => (100 * Math.min(spanMs, Math.max(0, ms))) / spanMs;
  const endMs = process.endedMs ?? fromMs + spanMs;
  const born = percent(process.bornMs - fromMs);
  return (
    <svg class="timeline" role="img" aria-label={storyOf(process).join("; ")}>
      <line x1={`${born}%`} x2={`${percent(endMs - fromMs)}%`} y1="50%" y2="50%" class="life" />
      {process.stays.map((stay) => {
        const placed = percent(stay.placedMs - fromMs);
        const running = percent((stay.runningMs ?? stay.leftMs ?? endMs) - fromMs);
        const left = percent((stay.leftMs ?? endMs) - fromMs);
        const { letter, hue } = marks.markOf(stay.host);
        return (
          <g key={stay.placedMs} style={{ "--hue": hue }}>
            <title>{storyOfStay(stay)}</title>
            <rect
              class="flight"
              x={`${placed}%`}
              width={`${Math.max(0, running - placed)}%`}
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
    </svg>
  );
}

export const storyOf = (process: ProcessView): string[] => process.stays.map(storyOfStay);

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
  if (stay.leftMs !== undefined) parts.push(`stayed ${duration(stay.leftMs - stay.placedMs)}`);
  if (stay.cpuMs > 0) parts.push(`${duration(stay.cpuMs)} of CPU`);
  return parts.join(", ");
}
