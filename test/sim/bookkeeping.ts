/** What must be true of a home, and of a host, at every moment: nothing is kept that is of no more use, and what is counted is counted right. */
import { LIMITS } from "../../fabric/base/limits.ts";
import type { SavedHome } from "../../fabric/home/saved.ts";
import type { HomeState, Process } from "../../fabric/home/state.ts";
import { newTally, nextDueMs, settle, type Tally, touch } from "../../fabric/home/tally.ts";
import type { KernelState } from "../../fabric/kernel/state.ts";
import { Violation } from "./copies.ts";

const hold = (holds: boolean, rule: string) => {
  if (!holds) throw new Violation(rule);
};

/** Epochs only grow: remembers what they were. */
export class Epochs {
  readonly #latest = new Map<number, number>();

  /** Another home goes on from there: processes that came later were never born. */
  goBackTo({ processes }: SavedHome): void {
    const born = new Set<number>(processes.map(({ pid }) => pid));
    for (const pid of this.#latest.keys()) if (!born.has(pid)) this.#latest.delete(pid);
  }

  check(home: HomeState): void {
    for (const { pid, epoch } of home.processes.values()) {
      const before = this.#latest.get(pid) ?? 0;
      if (epoch < before) throw new Violation(`process ${pid} has epoch ${epoch}, and has had ${before}`);
      if (epoch > before) this.#latest.set(pid, epoch);
    }
  }
}

export function checkHome(home: HomeState): void {
  const used = new Set<string>();
  for (const p of home.processes.values()) {
    checkProcess(home, p);
    for (const id of p.snapshot?.chain ?? []) used.add(id);
  }
  for (const id of used) hold(home.images.has(id as never), `image ${id} is missing`);
  for (const id of home.images.keys()) hold(used.has(id), `image ${id} is kept, and nobody is made of it`);
  hold(
    [...home.processes.values()].filter((p) => p.reaped).length <= LIMITS.endedKept + 1,
    "ended processes",
  );
  for (const { id, images } of home.hosts.values())
    hold(
      images.size <= 2 * LIMITS.imageChain * home.processes.size + 64,
      `${images.size} images noted of ${id}`,
    );
  checkCache(home);
  checkTally(home);
  const { space, groups } = home;
  for (const pid of space.waiting)
    hold(home.processes.get(pid)?.pending?.for === "tuple", `${pid} is noted as waiting for a tuple`);
  const tupleBytes = space.tuples.reduce(
    (sum, tuple) => tuple.reduce((bytes, { data }) => bytes + data.length, sum + 64),
    0,
  );
  hold(space.bytes === tupleBytes && tupleBytes <= LIMITS.spaceBytes, "bytes of tuples");
  for (const [name, { members, present }] of groups) {
    hold(members.size > 0, `group ${name} is empty`);
    for (const pid of members.values())
      hold(home.processes.get(pid)?.end === undefined, `${pid} is dead, and in ${name}`);
    for (const pid of present.keys())
      hold(home.processes.get(pid)?.pending?.for === "meeting", `${pid} is noted as present in ${name}`);
  }
}

function checkProcess(home: HomeState, p: Process): void {
  const what = `process ${p.pid}`;
  const answers = [...p.answers.values()].reduce((sum, { length }) => sum + length, 0);
  if (p.end) {
    hold(p.where.kind === "ended" && p.pending === undefined, `${what} has ended, and is ${p.where.kind}`);
    hold(p.answers.size + p.clock.length + p.mailbox.length + p.signals.size === 0, `${what} leaves things`);
    hold(!p.snapshot, `${what} has ended, and has a snapshot`);
    return;
  }
  hold(p.where.kind !== "ended", `${what} is nowhere for good, and has not ended`);
  hold(answers === p.answersBytes, `bytes of answers of ${what}: ${p.answersBytes}, not ${answers}`);
  hold(p.answersBytes <= LIMITS.logBytes * LIMITS.logPatience + LIMITS.callBytes, `answers of ${what}`);
  hold(p.answers.size + p.clock.length <= 2 * LIMITS.logEntries * LIMITS.logPatience, `log of ${what}`);
  const mail = p.mailbox.reduce((sum, { value, tag }) => sum + value.length + tag.length + 64, 0);
  hold(mail === p.mailboxBytes && p.mailbox.length <= LIMITS.mailboxLetters, `mailbox of ${what}`);
  hold((p.snapshot?.chain.length ?? 0) <= LIMITS.imageChain, `chain of ${what}`);
  hold(p.stays.length <= LIMITS.staysKept, `stays of ${what}`);
  hold(p.where.kind !== "at" || home.hosts.has(p.where.host), `${what} is at a host that is not linked`);
  const goal = p.where.kind === "nowhere" ? p.where.goal : undefined;
  const onTheirWay = goal && home.hosts.get(goal.host)?.onTheirWay;
  hold(!goal || onTheirWay?.has(goal.image) === true, `${what} waits for images that nobody will confirm`);
  const firstNeeded = p.snapshot ? p.snapshot.calls - (p.snapshot.waiting ? 1 : 0) : 0;
  for (const call of p.answers.keys()) hold(call >= firstNeeded, `${what} keeps answer ${call} for nothing`);
  if (p.pending) hold(!p.answers.has(p.pending.call), `${what} waits for what has been answered`);
}

function checkCache({ cache, hosts }: HomeState): void {
  let bytes = 0;
  for (const [id, { answer, holders, stale, request }] of cache.entries) {
    bytes += answer.length;
    hold(!stale || holders.size > 0, `answer ${id} is out of date, and nobody holds it`);
    hold(stale || cache.current.get(request) === id, `answer ${id} is not found by its request`);
    for (const host of holders) hold(hosts.has(host), `${host} is gone, and holds answer ${id}`);
  }
  hold(bytes === cache.bytes && bytes <= LIMITS.cachedBytes, "bytes of kept answers");
}

/** A host counts what is on each of its workers. */
export function checkKernel({ executors, guests }: KernelState): void {
  for (const [executor, record] of executors) {
    const count = [...guests.values()].filter((guest) => guest.executor === executor).length;
    hold(record.guests === count, `${count} processes on a worker, counted as ${record.guests}`);
  }
}

/** What is kept as it changes is what counting everything would give. */
function checkTally(home: HomeState): void {
  const anew = { ...home, tally: newTally() };
  for (const p of home.processes.values()) touch(anew, p);
  settle(anew);
  hold(home.tally.touched.size === 0, "something was touched and not counted");
  hold(sameCounts(home.tally, anew.tally), "what is counted of the processes");
  hold(nextDueMs(home) === nextDueMs(anew), `due at ${nextDueMs(home)}, not at ${nextDueMs(anew)}`);
}

/** Compared in place: written out as text, it took a tenth of all the time that histories take. */
function sameCounts(a: Tally, b: Tally): boolean {
  const sameSets = (x: Set<Process>, y: Set<Process> | undefined) =>
    x.size === y?.size && every(x, (p) => y.has(p));
  const sameIndex = (x: Map<unknown, Set<Process>>, y: Map<unknown, Set<Process>>) =>
    x.size === y.size && every(x, ([key, processes]) => sameSets(processes, y.get(key)));
  return (
    every(Object.keys(a.found) as (keyof Tally["found"])[], (index) =>
      sameIndex(a.found[index], b.found[index]),
    ) &&
    a.uses.size === b.uses.size &&
    every(a.uses, ([id, count]) => b.uses.get(id) === count)
  );
}

function every<T>(items: Iterable<T>, holds: (item: T) => boolean): boolean {
  for (const item of items) if (!holds(item)) return false;
  return true;
}
