/** What came of each Reclaim: when the CPU was back, what left, and where to. */
import type { Model } from "../model.ts";
import type { DatedReceipt } from "../owner.ts";
import { count, duration } from "../words.ts";

export function ReceiptCard({ model }: { model: Model }) {
  const [last, ...earlier] = model.owner.receipts.value;
  if (!last) return null;
  return (
    <div class="receipts" aria-live="polite">
      <Receipt dated={last} testid="receipt" />
      {earlier.length > 0 && (
        <details>
          <summary>{count(earlier.length, "earlier receipt")}</summary>
          {earlier.map((dated) => (
            <Receipt key={dated.atMs} dated={dated} testid="receipt-earlier" />
          ))}
        </details>
      )}
    </div>
  );
}

function Receipt({ dated, testid }: { dated: DatedReceipt; testid: string }) {
  const { cpuBackMs, emptyMs, left } = dated.receipt;
  const what =
    left.length === 0
      ? "Nothing was here."
      : `${count(left.length, "process", "processes")} left in ${duration(emptyMs)}:`;
  return (
    <div class="receipt" data-testid={testid}>
      <p>
        <time class="label">{new Date(dated.atMs).toLocaleTimeString()}</time> Stopped in{" "}
        <b>{duration(cpuBackMs)}</b>: {dated.reason}. {what}
      </p>
      {left.length > 0 && (
        <ul>
          {byDestination(left).map(({ jobName, pids, to }) => (
            <li key={`${jobName} ${to}`}>
              {jobName} <b>{pids.join(", ")}</b> → {to}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

type Left = DatedReceipt["receipt"]["left"];

/** One line for all that went from one job to one place. */
function byDestination(left: Left): { jobName: string; to: string; pids: number[] }[] {
  const lines = new Map<string, { jobName: string; to: string; pids: number[] }>();
  for (const { jobName, pid, to } of left) {
    const line = lines.get(`${jobName} ${to}`);
    if (line) line.pids.push(pid);
    else lines.set(`${jobName} ${to}`, { jobName, to, pids: [pid] });
  }
  return [...lines.values()];
}
