/** One job: how it is doing, what it printed, came to and wrote, and its processes. */
import { useMemo } from "preact/hooks";
import type { JobView } from "../../fabric/index.ts";
import { Launch } from "../launch.ts";
import type { Model } from "../model.ts";
import type { Run } from "../run.ts";
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
              <button type="button" class="second" data-testid="edit" onClick={() => model.edit(run)}>
                Open in the editor
              </button>
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
  if (run.interrupted) return "ended with its page";
  if (job.endedMs === undefined) return "running";
  return job.signal ? `ended by ${job.signal}` : `exit ${job.status}`;
}

function Progress({ model, run, job }: { model: Model; run: Run; job: JobView }) {
  const elapsedMs = Math.max(1, (job.endedMs ?? model.nowMs.value) - job.startedMs);
  const { ended, cpuMs, hosts, moves, flown } = useMemo(() => totalsOf(job), [job]);
  return (
    <p class="progress">
      <b
        class="status"
        data-testid="status"
        data-status={job.status ?? ""}
        data-running={job.endedMs === undefined}
        data-good={job.status === 0 && !job.signal}
      >
        {statusOf(run, job)}
      </b>
      <span>{duration(elapsedMs)}</span>
      <span>
        {ended} of {count(job.processes.length, "process", "processes")} ended
      </span>
      {cpuMs > 0 && <span>{duration(cpuMs)} of CPU</span>}
      {cpuMs > elapsedMs * 1.05 && (
        <span
          data-testid="speedup"
          title="CPU time of all processes over the time that has passed: what one host with one worker would have needed, at least, over what was needed."
        >
          <b>{(cpuMs / elapsedMs).toFixed(1)}×</b> one worker
        </span>
      )}
      <span>{count(hosts, "host")} used</span>
      {moves > 0 && <span>{count(moves, "move")}</span>}
      {flown > 0 && <span title="Images of processes, as they were sent to hosts">{bytes(flown)} flew</span>}
    </p>
  );
}

export function totalsOf(job: JobView) {
  let ended = 0;
  let cpuMs = 0;
  let moves = 0;
  let flown = 0;
  const hosts = new Set<string>();
  for (const p of job.processes) {
    if (p.state === "ended") ended++;
    cpuMs += p.cpuMs;
    moves += Math.max(0, p.epoch - 1);
    for (const stay of p.stays) {
      hosts.add(stay.host);
      flown += stay.imageBytes;
    }
  }
  return { ended, cpuMs, moves, flown, hosts: hosts.size };
}
