/** The public names. Everything else is inside. */
export { ERROR_CODES, type ErrorCode, RoostError } from "./base/errors.ts";
export type { HostId, JobId } from "./base/ids.ts";
export { pid } from "./base/ids.ts";
export { LIMITS } from "./base/limits.ts";
export type { Disk, Presence, RelayState, Rendezvous, Signer, Store } from "./base/ports.ts";
export { decodeValue } from "./guest/value.ts";
export type { JobEvent } from "./home/effects.ts";
export { RemoteJob, type RemoteOutput } from "./host/control-client.ts";
export type { Environment } from "./host/environment.ts";
export { Fabric, type FabricView } from "./host/fabric.ts";
export type { Job, Terminal } from "./host/job.ts";
export { forgetJob, keptJobs, readKeptJob } from "./host/job-keeper.ts";
export { LineInput } from "./host/line-input.ts";
export type { Output } from "./host/output-log.ts";
export type { HomeOptions, RunOptions } from "./host/run-options.ts";
export type { JobAtRest } from "./host/saved-job.ts";
export { type Budget, Steward, type StewardView } from "./host/steward.ts";
export { treeOf } from "./host/tree.ts";
export { type DonorView, type JobHostView, type JobView, movesOf, type ProcessView } from "./host/view.ts";
export { whyJob, whyProcess } from "./host/why.ts";
export { systemClock } from "./io/clock.ts";
export { MemoryDisk } from "./io/memory-disk.ts";
export type { Receipt } from "./kernel/state.ts";
export {
  type JobEnd,
  type JoinOptions,
  LaunchedJob,
  type LaunchOptions,
  type ProgramText,
  Roost,
  type TimedEvent,
} from "./library.ts";
export { type Decision, DWELL_MS, type Wish } from "./policy/decide.ts";
export type { Sensors } from "./policy/readings.ts";
export { defaultOwnerSettings, type Hours, type OwnerSettings, type Person } from "./policy/settings.ts";
export type { SignalName } from "./wire/calls.ts";
export type { HostReport, JobReport, ProcessReport } from "./wire/control.ts";
export { isHostId } from "./wire/directory.ts";
