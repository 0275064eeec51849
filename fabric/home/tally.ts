/**
 * What a home asks about all of its processes at every event, kept as it changes: a step costs what it touches, however many
 * others sleep. All of it follows from the processes, so it is not saved: whoever changes one says so with `touch`, and it is
 * counted anew before the next question.
 */
import type { HostId, ImageId, Pid } from "../base/ids.ts";
import type { HomeState, Process } from "./state.ts";

/** Where a process is found: at most one key in each. */
const KEYS = {
  /** By host: what is there. */
  at: ({ where }: Process): HostId | undefined => (where.kind === "at" ? where.host : undefined),
  /** By host: what is there, or as good as there, and wants the CPU. */
  busy: ({ where, pending, paused }: Process): HostId | undefined => {
    if (paused || (pending && pending.for !== "move")) return undefined;
    if (where.kind === "nowhere") return where.goal?.host;
    return where.kind === "at" && !pending
      ? (where.recalledTo ?? where.copying?.to ?? where.host)
      : undefined;
  },
  /** Those that want a host: `true` where one could be found. */
  nowhere: ({ where }: Process): boolean | undefined =>
    where.kind === "nowhere" && !where.goal ? !where.inVain : undefined,
  /** By host: what follows its images there. */
  bound: ({ where }: Process): HostId | undefined =>
    where.kind === "nowhere" ? where.goal?.host : undefined,
  /** By parent: its children that it has not waited for. */
  child: ({ reaped, ppid }: Process): Pid | undefined => (reaped ? undefined : ppid),
  /** By parent: those of them that have ended, the first to end first. */
  zombie: ({ end, reaped, ppid }: Process): Pid | undefined => (end && !reaped ? ppid : undefined),
  /** Ended and waited for, the first first. */
  reaped: ({ reaped }: Process): true | undefined => reaped || undefined,
  /** With letters that are on their way. */
  sending: ({ undelivered }: Process): true | undefined => undelivered.length > 0 || undefined,
};
type Index = keyof typeof KEYS;
type Key<I extends Index> = NonNullable<ReturnType<(typeof KEYS)[I]>>;
const INDEXES = Object.keys(KEYS) as Index[];
const AT = INDEXES.indexOf("at");
const BOUND = INDEXES.indexOf("bound");

/** What a process is counted as. */
interface Counted {
  readonly keys: readonly unknown[];
  readonly bytes: number;
  readonly chain: readonly ImageId[];
  dueMs: number;
}

interface Due {
  readonly atMs: number;
  readonly process: Process;
}

export interface Tally {
  readonly touched: Set<Process>;
  readonly counted: Map<Process, Counted>;
  readonly found: { readonly [I in Index]: Map<unknown, Set<Process>> };
  /** By host: the memory of what is there, or follows its images there. */
  readonly bytesAt: Map<unknown, number>;
  /** Whether a remote host that takes something has less than before: perhaps room for who waits. */
  freed: boolean;
  /** How many snapshots are made of each image. */
  readonly uses: Map<ImageId, number>;
  /** A heap, the earliest first. One that its process is not counted with is out of date. */
  due: Due[];
}

export const newTally = (): Tally => ({
  touched: new Set(),
  counted: new Map(),
  found: {
    at: new Map(),
    busy: new Map(),
    nowhere: new Map(),
    bound: new Map(),
    child: new Map(),
    zombie: new Map(),
    reaped: new Map(),
    sending: new Map(),
  },
  bytesAt: new Map(),
  freed: false,
  uses: new Map(),
  due: [],
});

/** To be called in the step that changes anything of a process that is counted here: before the next question. */
export const touch = ({ tally }: HomeState, p: Process) => void tally.touched.add(p);

const NOBODY: ReadonlySet<Process> = new Set();

/** Changes with what is touched: to be copied by who touches while looking through it. */
export function who<I extends Index>(state: HomeState, index: I, key: Key<I>): ReadonlySet<Process> {
  settle(state);
  return state.tally.found[index].get(key) ?? NOBODY;
}

/** The memory of what is on a host. */
export function bytesAt(state: HomeState, host: HostId): number {
  settle(state);
  return state.tally.bytesAt.get(host) ?? 0;
}

/** Whether there may be room where there was none, since this was asked last. */
export function takeFreed(state: HomeState): boolean {
  settle(state);
  const { freed } = state.tally;
  state.tally.freed = false;
  return freed;
}

/** Forgets the process itself. */
export function forgetProcess(state: HomeState, p: Process): void {
  state.processes.delete(p.pid);
  touch(state, p);
  settle(state);
}

/** When something is due next. Infinity: nothing is. */
export function nextDueMs(state: HomeState): number {
  settle(state);
  const { due } = state.tally;
  while (due[0] && !isValid(state.tally, due[0])) pop(due);
  return due[0]?.atMs ?? Number.POSITIVE_INFINITY;
}

/** Those for which something is due by now, each once. */
export function takeDue(state: HomeState, nowMs: number): Process[] {
  const taken: Process[] = [];
  while (nextDueMs(state) <= nowMs) {
    const { process } = pop(state.tally.due);
    const counted = state.tally.counted.get(process);
    if (counted) counted.dueMs = Number.POSITIVE_INFINITY;
    taken.push(process);
  }
  for (const p of taken) touch(state, p); // something else may be due later
  return taken;
}

/** Counts what was touched, and drops the images that no snapshot is made of any more. */
export function settle(state: HomeState): void {
  const { tally } = state;
  if (tally.touched.size === 0) return;
  const released: ImageId[] = [];
  for (const p of tally.touched) for (const id of recount(state, p)) released.push(id);
  tally.touched.clear();
  for (const id of released) {
    if (tally.uses.get(id) !== 0) continue;
    tally.uses.delete(id);
    state.images.delete(id);
    for (const { images } of state.hosts.values()) images.delete(id);
  }
  if (tally.due.length > 2 * tally.counted.size + 64)
    tally.due = tally.due.filter((due) => isValid(tally, due)).toSorted((a, b) => a.atMs - b.atMs);
}

/** Gives the images that the process is not made of any more. */
function recount({ tally, processes, hosts }: HomeState, p: Process): readonly ImageId[] {
  const before = tally.counted.get(p);
  const known = processes.get(p.pid) === p;
  const chain = (known && p.snapshot?.chain) || [];
  const dueMs = known ? dueOf(p) : Number.POSITIVE_INFINITY;
  const keys = INDEXES.map((index) => (known ? KEYS[index](p) : undefined));
  const bytes = p.memoryBytes;
  const weighsAt = (keys: readonly unknown[]) => keys[AT] ?? keys[BOUND];
  const [at, weight] = before ? [weighsAt(before.keys), before.bytes] : [undefined, 0];
  const leftBytes = at === weighsAt(keys) ? weight - bytes : weight;
  const host = leftBytes > 0 ? hosts.get(at as HostId) : undefined;
  if (host && !host.local && host.slots > 0) tally.freed = true;
  weigh(tally.bytesAt, at, -weight);
  weigh(tally.bytesAt, weighsAt(keys), bytes);
  INDEXES.forEach((index, n) => {
    if (before?.keys[n] === keys[n]) return;
    take(tally.found[index], before?.keys[n], p);
    put(tally.found[index], keys[n], p);
  });
  if (dueMs < Number.POSITIVE_INFINITY && dueMs !== before?.dueMs)
    push(tally.due, { atMs: dueMs, process: p });
  if (known) tally.counted.set(p, { keys, bytes, chain, dueMs });
  else tally.counted.delete(p);
  if (chain === before?.chain) return [];
  for (const id of chain) tally.uses.set(id, (tally.uses.get(id) ?? 0) + 1);
  for (const id of before?.chain ?? []) tally.uses.set(id, (tally.uses.get(id) ?? 0) - 1);
  return before?.chain ?? [];
}

function dueOf({ where, pending }: Process): number {
  const goal = where.kind === "nowhere" ? where.goal : where.kind === "at" ? where.copying : undefined;
  const asked = [where.kind === "at" ? where.answerByMs : undefined, goal?.answerByMs];
  const timer = pending && "dueMs" in pending ? pending.dueMs : undefined;
  return Math.min(...[...asked, timer].map((atMs) => atMs ?? Number.POSITIVE_INFINITY));
}

function put(found: Map<unknown, Set<Process>>, key: unknown, p: Process): void {
  if (key === undefined) return;
  const set = found.get(key);
  if (set) set.add(p);
  else found.set(key, new Set([p]));
}

function take(found: Map<unknown, Set<Process>>, key: unknown, p: Process): void {
  const set = found.get(key);
  set?.delete(p);
  if (set?.size === 0) found.delete(key);
}

function weigh(weights: Map<unknown, number>, key: unknown, bytes: number): void {
  if (key === undefined || bytes === 0) return;
  const sum = (weights.get(key) ?? 0) + bytes;
  if (sum === 0) weights.delete(key);
  else weights.set(key, sum);
}

// ---- a binary heap ----

const isValid = ({ counted }: Tally, { atMs, process }: Due) => counted.get(process)?.dueMs === atMs;

function push(heap: Due[], due: Due): void {
  let at = heap.length;
  for (; at > 0; at = (at - 1) >> 1) {
    const above = heap[(at - 1) >> 1];
    if (!above || above.atMs <= due.atMs) break;
    heap[at] = above;
  }
  heap[at] = due;
}

/** The earliest of a heap that has one. */
function pop(heap: Due[]): Due {
  const first = heap[0] as Due;
  const last = heap.pop() as Due;
  if (heap.length === 0) return first;
  let at = 0;
  for (;;) {
    const left = heap[2 * at + 1];
    const right = heap[2 * at + 2];
    const below = right && left && right.atMs < left.atMs ? right : left;
    if (!below || below.atMs >= last.atMs) break;
    heap[at] = below;
    at = 2 * at + (below === left ? 1 : 2);
  }
  heap[at] = last;
  return first;
}
