/** What came of each Reclaim: when the CPU was back, what left, and where to. */
import type { DatedReceipt, Model } from "../model.ts";
import { count, duration } from "../words.ts";

export function ReceiptCard({ model }: { model: Model }) {
  const [last, ...earlier] = model.receipts.value;
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
        <b>{duration(cpuBackMs)}</b>. {what}
      </p>
      {left.length > 0 && (
        <ul>
          {left.map(({ jobName, pid, to }) => (
            <li key={`${jobName} ${pid}`}>
              {jobName} <b>{pid}</b> → {to}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
