/**
 * User timings: what a fork, a move and a reclaim took, in the browser's performance panel, and for `roost bench`.
 * Spans of this page's clock; a reclaim's are measured by the host itself.
 */
import type { JobEvent, Receipt } from "../fabric/index.ts";

/** Follows one job's events. A fork's span is from the call to the child's first instruction, wherever that was. */
export function forkTimer(): (event: JobEvent) => void {
  const began = new Map<number, number>();
  const sent = new Map<number, number>();
  return (event) => {
    switch (event.type) {
      case "forked":
        began.set(event.pid, performance.now() - event.tookMs);
        return;
      case "placed":
        sent.set(event.pid, (sent.get(event.pid) ?? 0) + event.imageBytes);
        return;
      case "running": {
        const start = began.get(event.pid);
        if (start === undefined) return;
        began.delete(event.pid);
        const detail = { pid: event.pid, imageBytes: sent.get(event.pid) ?? 0 };
        performance.measure("roost:fork", { start, end: performance.now(), detail });
      }
    }
  };
}

export function timeReclaim(receipt: Receipt): void {
  const end = performance.now();
  const start = end - receipt.emptyMs;
  const detail = { processes: receipt.left.length };
  performance.measure("roost:reclaim.cpu-back", { start, duration: receipt.cpuBackMs, detail });
  performance.measure("roost:reclaim.off-host", { start, end, detail });
}
