/** When nothing is left of a job that anybody would come back for, nothing of it is left on the disk. */
import type { JobId } from "../base/ids.ts";
import { forgetJob, prefix } from "../host/job-keeper.ts";
import { isAlive } from "../io/os-process.ts";
import { holderOf } from "./claim.ts";
import { endedMs, type JobRecord, keptJobsStore, readRecords, removeRecord } from "./state.ts";

/** What a detached job leaves is there for so long after its end, or after it was kept last if its home has died. */
const LEFT_MS = 7 * 24 * 3600 * 1000;

export async function forgetOld(): Promise<void> {
  for (const record of readRecords())
    if (record.detached && Date.now() - (await leftMs(record)) > LEFT_MS) await forget(record);
}

export async function forget(record: JobRecord): Promise<void> {
  await removeRecord(record);
  await forgetJob(keptJobsStore(), record.id as JobId);
}

/** When its home was last there, as far as that is known. */
async function leftMs({ id, osPid, startedMs }: JobRecord): Promise<number> {
  const now = isAlive(osPid) || holderOf(id) !== undefined ? Date.now() : undefined;
  const keptMs = await keptJobsStore().changedMs(prefix(id as JobId));
  // Asked last: a home leaves the recording first of all.
  return (await endedMs(id)) ?? now ?? keptMs ?? startedMs;
}
