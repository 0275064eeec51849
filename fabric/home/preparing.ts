/**
 * What a process is made of goes to a host before the process itself, where it is much: other messages go first meanwhile, so that
 * nobody's letters wait behind megabytes. The host says when it has read it (`prepared`).
 */
import { must } from "../base/errors.ts";
import type { HostId, ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Snapshot } from "../wire/messages.ts";
import type { Out } from "./effects.ts";
import { imagesFor, noteSent } from "./images.ts";
import type { HomeState, HostRecord, Process } from "./state.ts";
import { touch, who } from "./tally.ts";

/** Sends a host what it lacks of a snapshot. Gives the image that it confirms when it has read it all. */
export function prepare(state: HomeState, host: HostId, snapshot: Snapshot, out: Out): ImageId {
  const last = must(snapshot.chain.at(-1), "image of a snapshot");
  const images = imagesFor(state, host, snapshot);
  noteSent(state, host, images);
  const onTheirWay = state.hosts.get(host)?.onTheirWay;
  onTheirWay?.set(last, new Set([...(onTheirWay.get(last) ?? []), ...images.map(({ id }) => id)]));
  const { id: job, memoryBytesMax } = state.spec;
  const { chain } = snapshot;
  out({ type: "send", host, message: { type: "prepare", job, chain, images, memoryBytesMax } });
  return last;
}

/**
 * Whether a process that is nowhere has to wait before it can be placed on a host, because that has much to read first, or images
 * that it needs are on their way there and a placement would overtake them.
 */
export function waitsForImages(
  state: HomeState,
  p: Process,
  host: HostId,
  lackingBytes: number,
  out: Out,
  nowMs: number,
): boolean {
  const { where, snapshot } = p;
  const record = state.hosts.get(host);
  if (where.kind !== "nowhere" || where.withAll || !record || record.local || !snapshot) return false;
  let image = onItsWay(state, host, snapshot);
  if (image === undefined) {
    if (lackingBytes <= LIMITS.aheadOfStandingBytes) return false;
    image = prepare(state, host, snapshot, out);
    where.goalBytes = (where.goalBytes ?? 0) + lackingBytes;
  }
  where.goal = { host, hostName: record.name, image, answerByMs: nowMs + LIMITS.patienceMs };
  touch(state, p);
  return true;
}

/** The last image of those that are on their way there, and that what is made of that snapshot would overtake. */
export function onItsWay(state: HomeState, host: HostId, { chain }: Snapshot): ImageId | undefined {
  const { onTheirWay = [] } = state.hosts.get(host) ?? {};
  for (const [last, images] of onTheirWay) if (chain.some((id) => images.has(id))) return last;
  return undefined;
}

/** The host has what it was sent with that image: what waited for it can be placed there, and the rest is nearer. */
export function settleGoals(state: HomeState, record: HostRecord, image: ImageId, nowMs: number): void {
  const { id, onTheirWay } = record;
  onTheirWay.delete(image);
  for (const p of [...who(state, "bound", id)]) {
    if (p.where.kind !== "nowhere" || !p.where.goal) continue;
    if (p.where.goal.image === image) leaveGoal(state, p, id);
    else {
      p.where.goal = { ...p.where.goal, answerByMs: nowMs + LIMITS.patienceMs };
      touch(state, p);
    }
  }
}

/** What waits to be placed on a host, which does not take it any more, is free to go elsewhere. */
export function goalGone(state: HomeState, host: HostId): void {
  for (const p of [...who(state, "bound", host)]) leaveGoal(state, p, undefined);
}

/** Found a place anew; `next` is where it goes if that still takes it. */
export function leaveGoal(state: HomeState, p: Process, next: HostId | undefined): void {
  if (p.where.kind !== "nowhere") return;
  p.where = { ...p.where, next, goal: undefined, inVain: false };
  touch(state, p);
}
