/**
 * How a process leaves a host, as a state machine. MIGRATE.md beside this file has the diagram.
 *
 * Promise: from `offered` on the process is not run here, and from `freezing` on as soon as its executor has heard. What ends it is the home's word (released), the end of the
 * link to the home, or LIMITS.evictionMs after it was stopped: then the host says that it gives up. The last two mean
 * the same: the home starts it elsewhere.
 */
import { LIMITS } from "../base/limits.ts";

export type DepartureReason = "reclaimed" | "recalled" | "preempted";

export type Departure =
  /** Its executor is asked to stop it, and to read and encode its memory. */
  | { readonly stage: "freezing"; readonly why: DepartureReason; readonly sinceMs: number }
  /** Its snapshot is on its way to the home, which has not said yet that it has it. */
  | { readonly stage: "offered"; readonly why: DepartureReason; readonly sinceMs: number };

export const freeze = (why: DepartureReason, nowMs: number): Departure => ({
  stage: "freezing",
  why,
  sinceMs: nowMs,
});

/** The snapshot has left. A process preempted by itself (a safe point) was never asked to freeze: `before` is undefined. */
export const offer = (before: Departure | undefined, why: DepartureReason, nowMs: number): Departure => ({
  stage: "offered",
  why: before?.why ?? why,
  sinceMs: before?.sinceMs ?? nowMs,
});

/** Whether the host may forget it on its own: it has had its time, and the home has older images. */
export const overdue = ({ sinceMs }: Departure, nowMs: number): boolean =>
  nowMs - sinceMs >= LIMITS.evictionMs;
