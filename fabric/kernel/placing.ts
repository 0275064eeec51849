/** How processes come: what is taken, on which executor, and what is made ready before. */
import type { ImageId } from "../base/ids.ts";
import { askedBytes, LIMITS } from "../base/limits.ts";
import { type MessageOf, stayOf } from "../wire/messages.ts";
import type { Out } from "./events.ts";
import { type HomeLink, stayKey } from "./executor-messages.ts";
import { chainOf, keep } from "./kept-images.ts";
import { memoryFor, statusFor } from "./room.ts";
import type { Home, KernelState } from "./state.ts";

/** For others. */
export const allowedExecutors = (state: KernelState): number[] =>
  [...state.executors.keys()].slice(0, state.terms.workers);

export function place(
  state: KernelState,
  link: HomeLink,
  home: Home,
  message: MessageOf<"place">,
  out: Out,
  nowMs: number,
): void {
  const refuse = (reason: string, code: "EAGAIN" | "ENOENT" = "EAGAIN") =>
    out({ type: "send", link, message: { type: "refuse", ...stayOf(message), code, reason } });
  const reason = whyNot(state, link, home, message.memoryBytesMax);
  if (reason !== undefined) return refuse(reason);
  if ((message.program === undefined) === (message.snapshot === undefined))
    return refuse("bug: a placement has either a program or an image");
  const key = stayKey(link, message);
  if (state.guests.has(key)) return; // said twice
  const images = chainOf(home, message.snapshot?.chain ?? [], message.images);
  keep(state, home, message.images);
  if (!images) return refuse("some of its images are not here any more", "ENOENT");
  const executors = home.own ? [...state.executors.keys()] : allowedExecutors(state);
  const prepared = preparedFor(home, message.snapshot?.chain ?? [], executors);
  if (prepared) home.prepared.delete(prepared.image); // its siblings go elsewhere
  const executor = prepared?.executor ?? leastLoaded(state, executors);
  const record = state.executors.get(executor);
  if (record) record.guests++;
  if (!home.own) state.given.hosted++;
  state.guests.set(key, {
    ...stayOf(message),
    key,
    home: link,
    executor,
    jobName: message.jobName,
    sinceMs: nowMs,
    departure: undefined,
    paused: message.paused,
    cpuMs: 0,
    cpuSavedMs: 0,
    memoryBytes: 0,
  });
  out({
    type: "command",
    executor,
    command: { type: "place", key, home: link, place: { ...message, images } },
  });
  out({ type: "changed" });
}

/** Why nothing is taken from a home of a job whose processes may have so much memory; undefined: it is. */
function whyNot(state: KernelState, link: HomeLink, home: Home, memoryBytesMax: number): string | undefined {
  const { slots, reason } = statusFor(state, link, home);
  if (slots === 0) return reason;
  if (state.reclaim && !home.own) return "its owner is back";
  if (memoryBytesMax > LIMITS.guestMemoryBytesMost)
    return `it may use more memory than any process (${LIMITS.guestMemoryBytesMost} bytes)`;
  const givenBytes = memoryFor(state, home);
  if (askedBytes(memoryBytesMax) > givenBytes)
    return `this job asks for ${mib(memoryBytesMax)} MiB of memory a process, and its owner gives ${mib(givenBytes)} MiB in all`;
  return undefined;
}

const mib = (bytes: number) => Math.floor(bytes / 2 ** 20);

/** The executor that gets the images is the one where the process will run. Where none will run, they are not read. */
export function prepare(
  state: KernelState,
  link: HomeLink,
  home: Home,
  message: MessageOf<"prepare">,
  out: Out,
): void {
  const { job, memoryBytesMax } = message;
  const last = message.chain.at(-1);
  if (!last) return;
  const isTaken = whyNot(state, link, home, memoryBytesMax) === undefined;
  const chain = isTaken ? chainOf(home, message.chain, message.images) : undefined;
  if (isTaken) keep(state, home, message.images);
  if (!chain) return void out({ type: "send", link, message: { type: "prepared", job, image: last } });
  const executors = home.own ? [...state.executors.keys()] : allowedExecutors(state);
  const executor = preparedFor(home, message.chain, executors)?.executor ?? leastLoaded(state, executors);
  // An executor has one thing ready at a time.
  for (const { prepared } of state.homes.values())
    for (const [image, at] of prepared) if (at === executor) prepared.delete(image);
  home.prepared.set(last, executor);
  home.preparing.set(last, { job, executor });
  out({
    type: "command",
    executor,
    command: { type: "prepare", home: link, chain, memoryBytesMax },
  });
}

/** They have been read, or never will be: this one, or all that the executor was given. */
export function prepared(state: KernelState, executor: number, only: ImageId | undefined, out: Out): void {
  for (const [link, { preparing }] of state.homes)
    for (const [image, { job, executor: reader }] of preparing) {
      if (reader !== executor || (only !== undefined && image !== only)) continue;
      preparing.delete(image);
      out({ type: "send", link, message: { type: "prepared", job, image } });
    }
}

/** Where an image of a chain has been made ready for, if that may be used. */
function preparedFor(
  home: Home,
  chain: readonly ImageId[],
  executors: readonly number[],
): { readonly image: ImageId; readonly executor: number } | undefined {
  for (const image of chain) {
    const executor = home.prepared.get(image);
    if (executor !== undefined && executors.includes(executor)) return { image, executor };
  }
  return undefined;
}

/** What is being made ready counts as what is there. */
function leastLoaded(state: KernelState, among: readonly number[]): number {
  const coming = [...state.homes.values()].flatMap(({ preparing }) => [...preparing.values()]);
  const load = (executor: number) =>
    (state.executors.get(executor)?.guests ?? 0) + coming.filter((one) => one.executor === executor).length;
  return among.reduce((best, next) => (load(next) < load(best) ? next : best));
}
