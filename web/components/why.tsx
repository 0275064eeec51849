/** "Why is this not running?", answered before it is asked: shown while something of a job stands still. */
import { type JobView, whyJob } from "../../fabric/index.ts";

export function Why({ job, nowMs }: { job: JobView; nowMs: number }) {
  if (job.endedMs !== undefined) return null;
  const standing = job.processes.some((p) => p.state === "unplaced" || p.state === "stopped");
  const runs = job.processes.some((p) => p.state === "running" || p.state === "moving");
  if (!standing && runs) return null;
  return (
    <details class="why-job" data-testid="why-job" open={!runs}>
      <summary>{runs ? "Why does some of it not run?" : "Why does nothing run?"}</summary>
      <ul>
        {whyJob({ ...job, nowMs }).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </details>
  );
}
