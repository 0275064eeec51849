/** One job: how it is doing, what it printed, came to and wrote, and its processes. */
import { useMemo } from "preact/hooks";
import type { JobView } from "../../fabric/index.ts";
import { Launch } from "../launch.ts";
import type { Model } from "../model.ts";
import type { Run } from "../run.ts";
import { speedUpOf, totalsOf } from "../totals.ts";
import { bytes, count, duration } from "../words.ts";
import { Chart } from "./chart.tsx";
import type { OpenProcess } from "./fabric-panel.tsx";
import { Output } from "./output.tsx";
import { ProcessTable } from "./process-table.tsx";
import { ResultPanel } from "./result.tsx";
import { SteerFromTerminal } from "./steer.tsx";
import { Why } from "./why.tsx";
import { WrittenFiles } from "./written-files.tsx";

export function JobPanel({ model, open }: { model: Model; open: OpenProcess }) {
  const run = model.run.value;
  const job = model.job.value;
  const shown = run !== undefined && job !== undefined;
  if (!shown && model.runs.value.length === 0) return null;
  return (
    <section class="job" aria-label={shown ? `Job ${job.name}` : "Earlier jobs"}>
      <JobSwitch model={model} />
      {shown && <JobShown model={model} run={run} job={job} open={open} />}
    </section>
  );
}

function JobShown({ model, run, job, open }: { model: Model; run: Run; job: JobView; open: OpenProcess }) {
  return (
    <>
      <div class="title-row">
        <h2>
          {job.name} <span class="job-args">{job.args.join(" ")}</span>
        </h2>
        <Progress model={model} run={run} job={job} />
        <span class="job-actions">
          {job.endedMs === undefined && run instanceof Launch && <SteerFromTerminal launch={run} />}
          {job.endedMs === undefined ? (
            <button
              type="button"
              class="second"
              data-testid="cancel"
              title="Ends the job: all its processes, wherever they are."
              onClick={() => model.signal(run, 1, "SIGKILL")}
            >
              Cancel
            </button>
          ) : (
            <>
              {run.order.source !== "" && (
                <button type="button" class="second" data-testid="edit" onClick={() => model.edit(run)}>
                  Open in the editor
                </button>
              )}
              <button
                type="button"
                class="second"
                data-testid="forget"
                title="Takes it off the list, and out of this browser."
                onClick={() => model.forget(run)}
              >
                Forget
              </button>
            </>
          )}
        </span>
      </div>
      {run instanceof Launch && run.notKept && (
        <p class="trouble" role="alert" data-testid="not-kept">
          This browser does not keep the job ({run.notKept.replace(/[.?]$/, "")}): it ends when you close the
          tab.
        </p>
      )}
      <Why job={job} nowMs={model.nowMs.value} />
      <Output model={model} run={run} />
      <ResultPanel model={model} run={run} />
      <WrittenFiles model={model} run={run} />
      <Chart model={model} run={run} />
      <ProcessTable model={model} run={run} job={job} open={open} />
    </>
  );
}

function JobSwitch({ model }: { model: Model }) {
  const runs = model.runs.value;
  if (runs.length === 0 || (runs.length === 1 && model.run.value)) return null;
  const { jobs } = model.view.value;
  return (
    <nav class="job-switch" aria-label="Jobs of this tab, and of earlier ones" data-testid="jobs">
      {!model.run.value && <span class="label">Earlier jobs</span>}
      {runs.map((run) => (
        <button
          key={run.id}
          type="button"
          class="quiet"
          aria-current={run === model.run.value ? "true" : "false"}
          onClick={() => model.look(run)}
        >
          {run.order.name} <span class="label">{statusOf(run, run.view(jobs))}</span>
        </button>
      ))}
    </nav>
  );
}

function statusOf(run: Run, job: JobView | undefined): string {
  if (!job) return "";
  if (run.interrupted) return run.interrupted;
  if (job.endedMs === undefined) return "running";
  return job.signal ? `ended by ${job.signal}` : `exit ${job.status}`;
}

function Progress({ model, run, job }: { model: Model; run: Run; job: JobView }) {
  const elapsedMs = Math.max(1, (job.endedMs ?? model.nowMs.value) - job.startedMs);
  const totals = useMemo(() => totalsOf(job), [job]);
  const { ended, cpuMs, hosts, moves, flown } = totals;
  const speedUp = speedUpOf(totals, elapsedMs);
  return (
    <div class="progress">
      <b
        class="status"
        data-testid="status"
        data-status={job.status ?? ""}
        data-running={job.endedMs === undefined || ended < job.processes.length}
        data-good={job.status === 0 && !job.signal}
      >
        {statusOf(run, job)}
      </b>
      <span>{duration(elapsedMs)}</span>
      <span>
        {ended} of {count(job.processes.length, "process", "processes")} ended
      </span>
      {cpuMs > 0 && <span>{duration(cpuMs)} of CPU</span>}
      {speedUp !== undefined && (
        <span data-testid="speedup">
          <SpeedUp ratio={speedUp} />
        </span>
      )}
      <span>{count(hosts, "host")} used</span>
      {moves > 0 && <span>{count(moves, "move")}</span>}
      {flown > 0 && <span title="Images of processes, as they were sent to hosts">{bytes(flown)} flew</span>}
    </div>
  );
}

/** The number, and on request what it says and what not: a tooltip would be for mice alone. */
const SpeedUp = ({ ratio }: { ratio: number }) => (
  <details class="speed-up">
    <summary>
      up to <b>{ratio.toFixed(1)}×</b> one worker
    </summary>
    <p>
      On average {ratio.toFixed(1)} workers computed at once: the processes’ time on workers, all together,
      over the time that passed. One worker of their kind, alone, would have needed up to that many times as
      long. It is less where workers shared a processor (tabs of one machine do) and so waited for each other,
      where hosts were slower than yours, and where work was lost and done again.
    </p>
  </details>
);
