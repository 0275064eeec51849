/**
 * Runs processes, many on one thread, in slices. Lives in a worker; knows interpreters, and nothing of links,
 * homes or policies. Promises that after `halt` no guest instruction is executed until `go`, and that between
 * two slices every machine is stopped, so that its memory can be read at once; what is read is written down beside the
 * slices of others, and where it may, of the process itself (snapshots.ts).
 */
import { Invalid } from "../base/codec.ts";
import { must, RoostError } from "../base/errors.ts";
import { type CachedId, type CallNumber, callNumber, type ImageId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock, Random } from "../base/ports.ts";
import type { Command, HomeLink, Report, SnapshotReason, StayKey } from "../kernel/executor-messages.ts";
import { CALLS, type Call, decodeCall, encodeAnswer, encodeError } from "../wire/calls.ts";
import { type EncodedImage, NOTHING_LEARNED } from "../wire/messages.ts";
import { HandedLetters } from "./handed-letters.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { LocalCalls } from "./local-calls.ts";
import type { Machines, RunningMachine, Stop } from "./machines.ts";
import { NOT_NEEDED, newResident, type Resident, type Taken, usedBy } from "./resident.ts";
import { Snapshots } from "./snapshots.ts";

export interface ExecutorOptions {
  readonly machines: Machines;
  readonly hostName: string;
  readonly clock: Clock;
  readonly random: Random;
  /** `atOnce`: it, and what was reported before, must not wait for the end of the task, which may never come. */
  readonly report: (report: Report, atOnce?: boolean) => void;
  /** Lets the event loop run, then continues; must not be throttled in hidden tabs. */
  readonly yieldThen: (run: () => void) => void;
  /** Whether a command has been posted that `handle` has not been given yet: then the slice ends early. */
  readonly commandWaits?: () => boolean;
}

type Placing = Extract<Command, { type: "place" }>;

/** Calls that are posted have nothing to say. */
const POSTED = encodeAnswer("print", undefined);

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #residents = new Map<StayKey, Resident>();
  readonly #queue: Resident[] = [];
  readonly #kept: KeptAnswers;
  readonly #letters: HandedLetters;
  readonly #local: LocalCalls;
  /** Commands for a process wait for the one before, where that takes time (an image is being read or written). */
  readonly #unfinished = new Map<StayKey, Promise<void>>();
  readonly #snapshots: Snapshots;
  /** Processes that have been sent here and have not begun. */
  readonly #arriving = new Set<StayKey>();
  #halted = false;
  #turnPending = false;
  /** Who had the last slice, or will have the next. */
  #turn: StayKey | undefined;
  /** Of its time, in which guests run. */
  #share = 1;
  #restUntilMs = Number.NEGATIVE_INFINITY; // the clock may begin anywhere
  /** When posted calls left last in the midst of a slice. */
  #crossedMs = Number.NEGATIVE_INFINITY;
  /** The latest. */
  #preparing: Command | undefined;
  #cancelDrop = () => {};

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#kept = new KeptAnswers(options.clock);
    this.#letters = new HandedLetters(options.clock);
    this.#local = new LocalCalls(options, this.#kept, this.#letters);
    this.#snapshots = new Snapshots({
      clock: options.clock,
      report: options.report,
      breathe: () => this.#nextTask(),
      onBreathing: () => this.#schedule(),
      inOrder: (key, act) => this.#inOrder(key, () => void act(this.#isHere(key))),
      onFailure: (key, error) => this.#failed(key, error),
    });
  }

  handle(command: Command): void {
    switch (command.type) {
      case "halt":
        this.#halted = true;
        this.#options.machines.dropPrepared();
        return this.#options.report({ type: "halted" });
      case "tidy":
        return this.#options.machines.tidy();
      case "ask":
        return this.#options.report({ type: "alive" });
      case "go":
        this.#halted = false;
        return this.#schedule();
      case "pace":
        this.#share = command.share;
        return;
      case "place":
        this.#letters.came(command.key, command.home, command.place.pid);
        return this.#inOrder(command.key, () => this.#arrive(command));
      case "drop":
        this.#arriving.delete(command.key);
        return this.#inOrder(command.key, () => this.#drop(command.key));
      case "prepare":
        return this.#prepare(command);
      case "stale":
        return this.#forget(command.home, command.cached);
      case "answer":
        this.#letters.answered(command.key, command.call, command.noMail);
        if (command.cached !== undefined) this.#keep(command.key, command.cached, command.answer);
        return this.#withResident(command.key, (p) => {
          p.clock.hear(command.now);
          this.#answered(p, command.call, command.answer);
        });
      case "pause":
        return this.#withResident(command.key, (p) => {
          p.paused = command.paused;
          this.#enqueue(p);
        });
      case "interrupt":
        return this.#withResident(command.key, (p) => {
          p.interrupted = true;
        });
      case "got":
        return this.#arrived(command.key, command.image);
      case "snapshot": {
        const { key, why, hurries } = command;
        if (why !== "save" && this.#arriving.delete(key)) return this.#sendBack(key, why);
        return this.#withResident(key, async (p) => {
          await this.#nextTask(); // what was reported is on its way before the memory is read, as is the process before it
          if (why === "save") return this.#snapshots.save(p, hurries);
          await this.#holdUntilWritten(p);
          await this.#sendSnapshot(p, why);
        });
      }
    }
  }

  #nextTask(): Promise<void> {
    return new Promise((resolve) => this.#options.yieldThen(resolve));
  }

  #prepare(command: Extract<Command, { type: "prepare" }>): void {
    const { machines, clock, report } = this.#options;
    const image = must(command.chain.at(-1), "image").id;
    this.#cancelDrop(); // of what was prepared before
    this.#cancelDrop = () => {};
    this.#preparing = command;
    const done = () => {
      report({ type: "prepared", image });
      if (this.#preparing !== command) return; // given up for another, which is not to be dropped with it
      const waitMs = this.#halted ? 0 : LIMITS.preparedMs; // the machine is its owner's again
      this.#cancelDrop = clock.after(waitMs, () => machines.dropPrepared());
    };
    machines.prepare(command.chain, command, () => this.#nextTask()).then(done, done);
  }

  /** At once, and not in the process's order: what makes it stale may already be on its way. */
  #keep(key: StayKey, id: CachedId, answer: Uint8Array): void {
    const p = this.#residents.get(key);
    if (p?.asked) this.#kept.keep(p.home, p.asked, id, answer);
  }

  /** What was given of it is told in full: the home will not have it. */
  #forget(home: HomeLink, cached: readonly CachedId[]): void {
    const dropped = this.#kept.drop(home, cached);
    for (const p of this.#residents.values()) if (p.home === home) p.learned.dropped(dropped);
    this.#options.report({ type: "forgotten" });
  }

  #withResident(key: StayKey, act: (p: Resident) => void | Promise<void>): void {
    this.#inOrder(key, () => {
      const p = this.#residents.get(key);
      if (p && this.#isHere(key)) return act(p);
    });
  }

  /** And will run again. */
  #isHere(key: StayKey): boolean {
    const p = this.#residents.get(key);
    return p !== undefined && p.state.kind !== "frozen";
  }

  /** Not in the process's order: it may stand still for just that. */
  #arrived(key: StayKey, image: ImageId): void {
    const p = this.#residents.get(key);
    if (p) this.#snapshots.arrived(p, image);
  }

  #inOrder(key: StayKey, act: () => void | Promise<void>): void {
    const before = this.#unfinished.get(key);
    const now = before ? before.then(act) : act();
    if (!now) return;
    const done = now
      .catch((error) => this.#failed(key, error))
      .finally(() => {
        if (this.#unfinished.get(key) === done) this.#unfinished.delete(key);
        this.#schedule();
      });
    this.#unfinished.set(key, done);
  }

  #failed(key: StayKey, error: unknown): void {
    this.#options.report({
      type: "failed",
      key,
      code: error instanceof RoostError ? error.code : "EIO",
      reason: error instanceof RoostError ? error.message : `it cannot go on here: ${String(error)}`,
    });
  }

  /** The first at the end of this task, others after it each in one of its own: what is said meanwhile is heard before the next is begun. */
  async #arrive(command: Placing): Promise<void> {
    const isFirst = this.#unfinished.size === 0;
    this.#arriving.add(command.key);
    try {
      await (isFirst ? undefined : this.#nextTask());
      if (!this.#arriving.has(command.key)) return;
      const machine = await this.#machineOf(command);
      if (this.#arriving.has(command.key)) this.#place(command, machine);
      else if (!(machine instanceof Invalid)) machine[Symbol.dispose]();
    } finally {
      this.#arriving.delete(command.key);
    }
  }

  async #machineOf({ key, place }: Placing): Promise<RunningMachine | Invalid> {
    const { machines } = this.#options;
    const { memoryBytesMax } = place;
    const isWanted = () => this.#arriving.has(key);
    if (!place.snapshot) return machines.fresh({ memoryBytesMax });
    return this.#snapshots.read((breathe) =>
      machines.restore(place.images, { memoryBytesMax }, { breathe, isWanted }),
    );
  }

  /** A process that has not been touched: its home has what is as good. */
  #sendBack(key: StayKey, why: SnapshotReason): void {
    this.#options.report({ type: "snapshot", key, why, ...NOT_NEEDED, learned: NOTHING_LEARNED, tookMs: 0 });
  }

  #place(command: Placing, machine: RunningMachine | Invalid): void {
    const { key, place } = command;
    if (machine instanceof Invalid)
      return this.#options.report({
        type: "failed",
        key,
        code: "EINVAL",
        reason: `unusable image: ${machine.reason}`,
      });
    const { clock, commandWaits } = this.#options;
    const p = newResident(command, machine, {
      clock,
      commandWaits,
      sliceMs: () => (this.#snapshots.isUnderWay ? LIMITS.sliceSavingMs : LIMITS.sliceMs),
      answer: (p, request) => this.#serve(p, request),
    });
    this.#residents.set(key, p);
    const last = callNumber(p.calls - 1);
    const answer = p.replay.get(last);
    if (answer) this.#answered(p, last, answer);
    if (place.snapshot) this.#reportUsage(p); // its owner gives what it has, also while it only waits
    this.#enqueue(p);
  }

  #drop(key: StayKey): void {
    this.#letters.left(key);
    const p = this.#residents.get(key);
    if (!p) return;
    this.#residents.delete(key);
    if (!this.#serves(p.home)) this.#kept.dropHome(p.home);
    p.state = { kind: "frozen" };
    p.machine[Symbol.dispose]();
  }

  #serves(home: HomeLink): boolean {
    for (const p of this.#residents.values()) if (p.home === home) return true;
    return false;
  }

  /** The home has taken call `call`: the process goes on if it waits for that; if it was posted, there is room again. */
  #answered(p: Resident, call: CallNumber, answer: Uint8Array): void {
    p.postedBytes -= p.posted.get(call) ?? 0;
    p.posted.delete(call);
    this.#snapshots.answered(p, answer);
    if (p.state.kind !== "waiting" || call !== p.calls - 1) return;
    p.state = { kind: "ready", answer };
    this.#enqueue(p);
  }

  #enqueue(p: Resident): void {
    if (p.queued || p.paused || p.held || p.state.kind !== "ready") return;
    p.queued = true;
    this.#queue.push(p);
    this.#schedule();
  }

  /**
   * Plans a slice. Not while a small image is read or written: that goes in several steps of the event loop, each of
   * which would wait for a slice, and other hosts wait for it. A large one takes a second.
   */
  #schedule(): void {
    if (this.#turnPending || this.#standsStill || this.#queue.length === 0) return;
    this.#turnPending = true;
    const { clock, yieldThen } = this.#options;
    const restMs = this.#restUntilMs - clock.monotonic();
    const later = restMs > 0 ? (run: () => void) => clock.after(restMs, run) : yieldThen;
    later(() => {
      this.#turnPending = false;
      if (this.#standsStill) return;
      const p = this.#queue.shift();
      if (p) {
        p.queued = false;
        if (p.state.kind === "ready" && !p.paused && !p.held) this.#slice(p, p.state.answer);
      }
      this.#schedule();
    });
  }

  /** What was read of it is written. It does not run before that: what it did would be behind what waits for this. */
  async #holdUntilWritten(p: Resident): Promise<void> {
    p.held = true;
    await this.#snapshots.untilWritten(p.key);
    p.held = false;
    this.#enqueue(p);
  }

  get #standsStill(): boolean {
    return this.#halted || this.#unfinished.size > this.#snapshots.breathing;
  }

  #slice(p: Resident, answer: Uint8Array | undefined): void {
    if (this.#turn !== p.key || !p.announced) {
      this.#turn = p.key;
      this.#options.report({ type: "turn", key: p.key });
      if (!p.announced) this.#options.report({ type: "running", key: p.key });
      p.announced = true;
      // What is reported in a task may leave at its end: not after a whole slice, or never if it does not end.
      p.queued = true;
      this.#queue.unshift(p);
      return;
    }
    p.sliceBeganMs = p.countedMs = this.#options.clock.monotonic();
    const stop = this.#run(p, answer);
    if (stop.kind === "fault") {
      this.#options.report({ type: "failed", key: p.key, code: stop.code, reason: stop.message });
      this.#drop(p.key);
      return;
    }
    const preempted = stop.kind === "preempted"; // otherwise it waits, in a call that has been served
    if (preempted) p.state = { kind: "ready", answer: undefined };
    this.#countCpu(p);
    const ranMs = p.countedMs - p.sliceBeganMs;
    this.#restUntilMs = p.countedMs + ranMs * (1 / this.#share - 1);
    if (preempted && p.isDue())
      this.#inOrder(p.key, async () => {
        await this.#holdUntilWritten(p);
        await this.#sendSnapshot(p, "preempted");
      });
    else if (preempted) this.#enqueue(p); // after it is known how long the worker rests
    this.#shortenLearned(p);
    if (this.#hasUsedMuch(p)) this.#reportUsage(p);
  }

  /** What it is resumed with may be a stranger's invention: nonsense ends this process and no other. */
  #run(p: Resident, answer: Uint8Array | undefined): Stop {
    const { program } = p;
    p.program = undefined;
    try {
      return program ? p.machine.start(program, p.world) : p.machine.resume(p.world, answer);
    } catch (error) {
      return { kind: "fault", code: "EIO", message: `it cannot be continued: ${String(error)}` };
    }
  }

  /** A process that looks at the clock or draws randomness for ever without a call the home sees: a snapshot has all that in it. */
  #shortenLearned(p: Resident): void {
    if (!p.learned.isLong) return;
    this.#withResident(p.key, async () => {
      if (p.learned.isTooLong) {
        await this.#holdUntilWritten(p); // it learns faster than it is written down, and has to wait
        this.#snapshots.tell(p);
      }
      if (p.learned.isLong) this.#snapshots.save(p);
    });
  }

  #countCpu(p: Resident): void {
    const now = this.#options.clock.monotonic();
    p.cpuMs += now - p.countedMs;
    p.countedMs = now;
  }

  /** A process's call: the answer, where that need not be waited for. Undefined: it stops, and waits for the home. */
  #serve(p: Resident, request: Uint8Array): Uint8Array | undefined {
    const number = callNumber(p.calls++);
    const before = p.replay.get(number);
    if (before) return before;
    const call = decodeCall(request);
    if (call instanceof RoostError) return encodeError(call);
    const asksHome = p.preemptEvery > 0 || p.interrupted;
    return (
      this.#local.answer(p, number, call, request, asksHome) ??
      this.#post(p, number, call, request, asksHome) ??
      this.#ask(p, number, call, request)
    );
  }

  /** What the home is told and need not be waited for, up to so many bytes. */
  #post(
    p: Resident,
    number: CallNumber,
    call: Call,
    request: Uint8Array,
    asksHome: boolean,
  ): Uint8Array | undefined {
    if (CALLS[call.name].where !== "posted") return undefined;
    p.posted.set(number, request.length);
    p.postedBytes += request.length;
    const goesOn = p.postedBytes <= LIMITS.postedBytes && !asksHome;
    if (call.name === "post") this.#letters.sent(p.key, number, call.args, goesOn);
    if (!goesOn) return undefined;
    // A process that prints where it is may hold its worker from there on.
    const atOnce = call.name === "print" || this.#isTime();
    this.#reportCall(p, number, request, { waits: false, atOnce });
    return POSTED;
  }

  /** It stops at the call: no answer that the home does not know is ever pending at a snapshot. */
  #ask(p: Resident, number: CallNumber, call: Call, request: Uint8Array): undefined {
    p.asked = CALLS[call.name].where === "cached" ? request : undefined;
    if (call.name === "send") this.#letters.sent(p.key, number, call.args, false);
    p.interrupted = false;
    p.state = { kind: "waiting" };
    const stopped = this.#options.clock.monotonic();
    const forks = call.name === "fork";
    if (call.name === "exit") {
      this.#countCpu(p); // the last chance to say so
      this.#reportUsage(p);
    }
    if (!forks) this.#reportCall(p, number, request, { waits: true });
    if (forks || p.preemptEvery > 0)
      this.#inOrder(p.key, async () => {
        await this.#holdUntilWritten(p);
        const taken = await this.#snapshots.take(p);
        const tookMs = this.#options.clock.monotonic() - stopped;
        const tellOfFork = (images: EncodedImage[]) =>
          this.#reportCall(p, number, request, { waits: true, taken: { ...taken, images }, tookMs });
        if (p.preemptEvery === 0)
          return this.#snapshots.announce(p, taken.images, LIMITS.aheadOfStandingBytes, tellOfFork);
        if (forks) tellOfFork(taken.images);
        // The home has a fork's snapshot already.
        this.#leave(p, "preempted", forks ? NOT_NEEDED : taken, tookMs);
      });
    return undefined;
  }

  /** Letters leave while their sender's slice lasts, but not one by one: a crossing costs more than most of what crosses. */
  #isTime(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#crossedMs < LIMITS.crossingEveryMs) return false;
    this.#crossedMs = now;
    return true;
  }

  #reportCall(
    p: Resident,
    call: CallNumber,
    request: Uint8Array,
    how: { waits: boolean; taken?: Taken; tookMs?: number; atOnce?: boolean },
  ) {
    const { waits, taken = NOT_NEEDED, tookMs = 0, atOnce = false } = how;
    const learned = p.learned.take();
    const { key } = p;
    this.#options.report({ type: "call", key, call, request, waits, learned, ...taken, tookMs }, atOnce);
  }

  async #sendSnapshot(p: Resident, why: Exclude<SnapshotReason, "save">): Promise<void> {
    const began = this.#options.clock.monotonic();
    const encoding = this.#snapshots.take(p, { leaves: true });
    p.state = { kind: "frozen" };
    const taken = await encoding;
    this.#leave(p, why, taken, this.#options.clock.monotonic() - began);
  }

  #leave(p: Resident, why: SnapshotReason, taken: Taken, tookMs: number): void {
    p.state = { kind: "frozen" };
    const learned = p.learned.take();
    this.#options.report({ type: "snapshot", key: p.key, why, ...taken, learned, tookMs, used: usedBy(p) });
  }

  /** Memory can be filled in no time, and how a process is best moved depends on that. */
  #hasUsedMuch(p: Resident): boolean {
    const hasGrown = p.machine.memoryBytes - p.memoryReportedBytes >= LIMITS.precopyBytes;
    return hasGrown || p.cpuMs - p.cpuReportedMs >= LIMITS.usageEveryMs;
  }

  #reportUsage(p: Resident): void {
    p.cpuReportedMs = p.cpuMs;
    p.memoryReportedBytes = p.machine.memoryBytes;
    this.#options.report({ type: "usage", key: p.key, used: usedBy(p) });
  }
}
