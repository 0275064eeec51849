/** Which tab of this browser is a job's home: a lock for each job, let go when the job or the tab ends. */
import type { Job, JobId } from "../fabric/index.ts";

/** Whether a job can go on in another tab when this one has gone: only where tabs can tell who its home is. */
export const jobsOutliveTabs = (): boolean => navigator.locks !== undefined;

const nameOf = (id: JobId) => `roost job ${id}`;

/** This tab is the home of a job that was launched here. */
export function holdAsHome(job: Job): void {
  void navigator.locks?.request(nameOf(job.id), () => job.ended);
}

/** Where no tab is the job's home, becomes it, for as long as the job that `goOn` gives runs. Gives whether another is. */
export async function whereHomeIsGone(
  id: JobId,
  // biome-ignore lint/suspicious/noConfusingVoidType: who only looks has no job
  goOn: () => Promise<Job | undefined | void>,
): Promise<boolean> {
  if (!navigator.locks) return false; // another tab might be its home: it is left alone
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(nameOf(id), { ifAvailable: true }, async (lock) => {
        const job = lock ? await goOn() : undefined;
        resolve(lock === null);
        await job?.ended;
      })
      .catch(reject);
  });
}
