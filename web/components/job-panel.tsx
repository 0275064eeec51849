/** One job: how it is doing, its processes, what it printed and wrote. */
import type { JobView } from "../../fabric/index.ts";
import type { Launch } from "../launch.ts";
import type { Model } from "../model.ts";
import { count, duration } from "../words.ts";
import type { OpenProcess } from "./fabric-panel.tsx";
import { Output } from "./output.tsx";
import { ProcessTable } from "./process-table.tsx";
import { WrittenFiles } from "./written-files.tsx";

export function JobPanel({ model, open }: { model: Model; open: OpenProcess }) {
  const launch = model.launch.value;
  const job = model.job.value;
  if (!launch || !job) return null;
  return (
    <section class="job" aria-labelledby="job-title">
      <JobSwitch model={model} />
      <div class="title-row">
        <h2 id="job-title">
          {job.name} <span class="job-args">{job.args.join(" ")}</span>
        </h2>
        <Progress model={model} job={job} />
        {job.endedMs === undefined && (
          <button
            type="button"
            class="second"
            data-testid="cancel"
            title="Ends the job: all its processes, wherever they are."
            onClick={() => model.kill(launch, 1)}
          >
            Cancel
          </button>
        )}
      </div>
      <Output model={model} launch={launch} />
      <WrittenFiles model={model} launch={launch} />
      <ProcessTable model={model} job={job} open={open} />
    </section>
  );
}

function JobSwitch({ model }: { model: Model }) {
  const launches = model.launches.value;
  if (launches.length < 2) return null;
  const { jobs } = model.view.value;
  return (
    <nav class="job-switch" aria-label="Jobs of this tab">
      {launches.map((launch: Launch) => (
        <button
          key={launch.job.id}
          type="button"
          class="quiet"
          aria-current={launch === model.launch.value ? "true" : "false"}
          onClick={() => model.look(launch)}
        >
          {launch.order.name} <span class="label">{statusOf(launch.view(jobs))}</span>
        </button>
      ))}
    </nav>
  );
}

export function statusOf(job: JobView | undefined): string {
  if (!job) return "";
  if (job.endedMs === undefined) return "running";
  return job.signal ? `ended by ${job.signal}` : `exit ${job.status}`;
}

function Progress({ model, job }: { model: Model; job: JobView }) {
  const elapsedMs = (job.endedMs ?? model.nowMs.value) - job.startedMs;
  const ended = job.processes.filter((p) => p.state === "ended").length;
  const cpuMs = job.processes.reduce((sum, p) => sum + p.cpuMs, 0);
  const hosts = new Set(job.processes.flatMap((p) => p.stays.map((stay) => stay.host))).size;
  const flights = job.processes.reduce((sum, p) => sum + Math.max(0, p.stays.length - 1), 0);
  return (
    <p class="progress">
      <b
        class="status"
        data-testid="status"
        data-status={job.status ?? ""}
        data-running={job.endedMs === undefined}
        data-good={job.status === 0 && !job.signal}
      >
        {statusOf(job)}
      </b>
      <span>{duration(Math.max(0, elapsedMs))}</span>
      <span>
        {ended} of {count(job.processes.length, "process", "processes")} ended
      </span>
      {cpuMs > 0 && <span>{duration(cpuMs)} of CPU</span>}
      <span>{count(hosts, "host")} used</span>
      {flights > 0 && <span>{count(flights, "move")}</span>}
    </p>
  );
}
