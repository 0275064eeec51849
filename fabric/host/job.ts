/**
 * A job and its home: carries out the home's effects on real links, files and a terminal. The decisions are in
 * home/home.ts.
 */
import { Invalid } from "../base/codec.ts";
import { must, RoostError } from "../base/errors.ts";
import type { CallNumber, HostId, Pid } from "../base/ids.ts";
import type { Clock, Disk, Link } from "../base/ports.ts";
import type { HomeEffect, HomeEvent, JobEvent } from "../home/effects.ts";
import { Files } from "../home/files.ts";
import { newHome, step } from "../home/home.ts";
import { reviveHome, saveHome } from "../home/saved.ts";
import type { End, HomeState, JobSpec } from "../home/state.ts";
import { type Call, type CallName, encodeAnswer, encodeError } from "../wire/calls.ts";
import { encodeMessage, givesWay } from "../wire/messages.ts";
import { greet, type Self } from "./greeting.ts";
import { LineInput } from "./line-input.ts";
import { OutputLog } from "./output-log.ts";
import type { JobAtRest } from "./saved-job.ts";

export interface Terminal {
  print(fd: number, data: Uint8Array): void;
  /** The next line of input without its end, or undefined when there is no more. */
  readLine(): Promise<string | undefined>;
}

export interface JobOptions {
  readonly spec: JobSpec;
  readonly self: Self;
  readonly disk: Disk;
  /** Without it, output is only kept, and lines of input come from `Job.input`. */
  readonly terminal: Terminal | undefined;
  /** What becomes of output before anybody sees it. */
  readonly rewriteOutput?: ((fd: number, data: Uint8Array) => Uint8Array) | undefined;
  /** Bytes of output that are remembered. */
  readonly outputKeptBytes?: number | undefined;
  readonly clock: Clock;
  readonly log: (sentence: string) => void;
  readonly onChange: () => void;
  readonly onEvent: (event: JobEvent, atMs: number) => void;
  /** Goes on from here; `spec` is this job's. */
  readonly atRest?: JobAtRest | undefined;
  /** Something is different that `Job.atRest` would show. */
  readonly onProgress?: () => void;
  /**
   * Resolves when the job as it is now is kept. With it, the job changes none of its files before what led to it is kept
   * (output commit; Elnozahy et al. 2002), so that a home that dies has done it once. What it prints is part of the job.
   */
  readonly whenKept?: (() => Promise<void>) | undefined;
}

export class Job {
  readonly state: HomeState;
  readonly startedMs: number;
  /** How the first process ended. */
  readonly ended: Promise<End>;
  endedMs: number | undefined;
  /** The latest of what it has written. */
  readonly output: OutputLog;
  /** Where its lines of input come from, unless it has a terminal. */
  readonly input: LineInput | undefined;
  readonly #options: JobOptions;
  readonly #files: Files;
  readonly #links = new Map<HostId, Link>();
  /** Who has asked for a line of input and not got it, the first first. Some of them do not wait for it any more. */
  #asks: { readonly pid: Pid; readonly call: CallNumber }[] = [];
  /** What was read for those who do not wait any more: the next who asks gets it. */
  readonly #unread: (string | undefined)[] = [];
  /** How many lines the terminal, or `input`, has been asked for and has not given. */
  #linesAsked = 0;
  /** What waits until the job is kept. */
  readonly #held: Extract<HomeEffect, { type: "file" }>[] = [];
  #releasing = false;
  #left = false;
  #resolveEnded: (end: End) => void = () => {};
  #cancelWake: () => void = () => {};
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(options: JobOptions) {
    this.#options = options;
    this.#files = new Files(options.disk);
    this.output = new OutputLog(options.outputKeptBytes);
    this.input = options.terminal ? undefined : new LineInput();
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    const { atRest } = options;
    this.startedMs = atRest?.job.startedMs ?? options.clock.now();
    if (!atRest) {
      this.state = newHome(options.spec, this.startedMs);
      return;
    }
    const { job, images } = atRest;
    const revived = reviveHome(job.home, images);
    if (revived instanceof Invalid)
      throw new RoostError("EINVAL", `the job cannot go on from this checkpoint: ${revived.reason}`);
    this.state = revived.state;
    this.#files.revive(job.files);
    this.output.revive(job.output);
    for (const line of job.lines) this.input ? this.input.give(line) : this.#unread.push(line);
    if (job.linesEnded) this.input?.give(undefined);
    const mayBeDone = this.#files.unsure.flatMap((pid) =>
      revived.effects.filter((effect) => "pid" in effect && effect.pid === pid),
    );
    for (const effect of mayBeDone) this.#perform(effect);
    this.#carryOut(revived.effects.filter((effect) => !mayBeDone.includes(effect)));
  }

  /** The job as it is now, to go on from elsewhere or later. Its parts are not copied. */
  atRest(): JobAtRest {
    const { self, clock, disk } = this.#options;
    const contents = disk.contents?.();
    const files = contents?.filter(({ path }) => !path.endsWith("/"));
    return {
      job: {
        base: self.base,
        startedMs: this.startedMs,
        savedMs: clock.now(),
        home: saveHome(this.state),
        files: this.#files.save(),
        disk: contents?.map(({ path, revision, modifiedMs }) => ({ path, revision, modifiedMs })),
        output: [...this.output.kept],
        lines: [...this.#unread, ...(this.input?.early ?? [])].filter((line) => line !== undefined),
        linesEnded: this.input?.ended ?? false,
      },
      images: this.state.images,
      contents: new Map(files?.map(({ revision, bytes }) => [revision, bytes])),
    };
  }

  get id() {
    return this.#options.spec.id;
  }

  /** Whether a process that would run is between two hosts. */
  get moves(): boolean {
    for (const { where, frozenSinceMs, pending, paused } of this.state.processes.values()) {
      if (pending || paused) continue;
      if (where.kind === "at" && (where.recalledTo !== undefined || frozenSinceMs !== undefined)) return true;
      if (where.kind === "nowhere" && where.goal && frozenSinceMs !== undefined) return true;
    }
    return false;
  }

  /** Whether a host is linked, or being greeted. */
  has(host: HostId): boolean {
    return this.#links.has(host);
  }

  /**
   * Takes a host into service. `local`: the launcher's own. `onEnd` is called when it is lost or the job is over; `expects`
   * is who was called.
   */
  addHost(link: Link, local: boolean, onEnd: () => void = () => {}, expects?: HostId): void {
    greet(
      link,
      this.#options.self,
      (peer) => {
        if (this.endedMs !== undefined) {
          link.close("the job is over");
          return { onMessage: () => {}, onEnd };
        }
        // Whoever is linked already cannot be pushed aside by somebody who only says that he is the same.
        if (this.#links.has(peer.id)) {
          link.close("a host of this id is linked to this job already");
          return { onMessage: () => {}, onEnd };
        }
        this.#links.set(peer.id, link);
        this.#step({ type: "hostLinked", host: peer.id, name: peer.name, platform: peer.platform, local });
        return {
          onMessage: (message) => this.#step({ type: "message", host: peer.id, message }),
          onEnd: (reason) => {
            this.#links.delete(peer.id);
            this.#step({ type: "hostLost", host: peer.id, reason });
            onEnd();
          },
        };
      },
      {
        clock: this.#options.clock,
        expects,
        log: (sentence) => {
          this.#options.log(sentence);
          onEnd();
        },
      },
    );
  }

  /** A line of input, where there is no terminal; undefined is the end of all input. */
  giveLine(line: string | undefined): void {
    this.input?.give(line);
    this.#options.onProgress?.();
  }

  kill(pid: Pid, signal: Extract<HomeEvent, { type: "kill" }>["signal"]): void {
    this.#step({ type: "kill", pid, signal });
  }

  migrate(pid: Pid, to: HostId | undefined): void {
    this.#step({ type: "migrate", pid, to });
  }

  /** It is to go on elsewhere, as it is now: nothing happens to it here any more. */
  leave(): void {
    this.#left = true;
    this.#over("the job goes on elsewhere");
  }

  #step(event: HomeEvent): void {
    if (this.#left) return;
    const nowMs = this.#options.clock.now();
    const effects = step(this.state, event, nowMs);
    const { onEvent } = this.#options;
    this.#carryOut(effects);
    // Last: who only looks does not hold up what happens.
    for (const effect of effects) if (effect.type === "event") onEvent(effect.event, nowMs);
    if (effects.length > 0) this.#options.onChange();
    this.#options.onProgress?.();
  }

  /** Changes of files wait until what led to them is kept. */
  #carryOut(effects: readonly HomeEffect[]): void {
    const { whenKept } = this.#options;
    for (const effect of effects) {
      if (effect.type === "event") continue;
      if (whenKept && effect.type === "file" && isChange(effect.operation)) this.#held.push(effect);
      else this.#perform(effect);
    }
    if (!whenKept || this.#held.length === 0 || this.#releasing) return;
    this.#releasing = true;
    this.#releaseHeld(whenKept);
  }

  /** Carries out what is held, in its order: as much as can be kept as intended, each time that is kept. */
  async #releaseHeld(whenKept: () => Promise<void>): Promise<void> {
    await undefined; // for all that this task brings at once
    while (this.#held.length > 0) {
      const kept = this.#files.intend(this.#held);
      try {
        await whenKept();
      } catch (error) {
        this.#options.log(`the job could not be kept (${String(error)}); it goes on without`);
      }
      if (this.#left) return; // whoever goes on with the job carries them out
      const { processes } = this.state;
      for (const effect of this.#held.splice(0, kept))
        if (!processes.get(effect.pid)?.end) this.#perform(effect); // who has been killed meanwhile changes nothing any more
    }
    this.#releasing = false;
  }

  #perform(effect: HomeEffect): void {
    const { clock, onEvent } = this.#options;
    switch (effect.type) {
      case "send":
        this.#links.get(effect.host)?.send(encodeMessage(effect.message), givesWay(effect.message));
        return;
      case "print":
        return this.#print(effect.pid, effect.fd, effect.data);
      case "readLine":
        this.#asks.push(effect);
        return this.#giveLines();
      case "file":
        return this.#step({
          type: "answered",
          pid: effect.pid,
          call: effect.call,
          ...this.#files.serve(effect.pid, effect.operation),
        });
      case "filesForked":
        return this.#files.forked(effect.parent, effect.child);
      case "filesClosed":
        return this.#files.closed(effect.pid);
      case "wake":
        if (effect.atMs >= this.#wakeAtMs) return;
        this.#cancelWake();
        this.#wakeAtMs = effect.atMs;
        this.#cancelWake = clock.after(Math.max(0, effect.atMs - clock.now()), () => {
          this.#wakeAtMs = Number.POSITIVE_INFINITY;
          this.#step({ type: "tick" });
        });
        return;
      case "event":
        return onEvent(effect.event, clock.now());
      case "end":
        this.endedMs = clock.now();
        this.#over("the job is over");
        this.#resolveEnded(effect.end);
        return;
    }
  }

  #over(reason: string): void {
    this.#cancelWake();
    for (const link of [...this.#links.values()]) link.close(reason);
    this.#links.clear();
  }

  #print(pid: Pid, fd: number, data: Uint8Array): void {
    const { clock, rewriteOutput, terminal } = this.#options;
    const shown = rewriteOutput ? rewriteOutput(fd, data) : data;
    this.output.add(pid, fd, shown, clock.now());
    terminal?.print(fd, shown);
  }

  /** To those who still wait for one: who has ended meanwhile, or was interrupted, takes none with it. */
  #giveLines(): void {
    this.#asks = this.#asks.filter(({ pid, call }) => {
      const pending = this.state.processes.get(pid)?.pending;
      return pending?.for === "line" && pending.call === call;
    });
    const [first] = this.#asks;
    if (first && this.#unread.length > 0) {
      const answer = lineAnswer(this.#unread.shift());
      this.#step({ type: "answered", pid: first.pid, call: first.call, answer });
      return this.#giveLines();
    }
    while (this.#linesAsked < this.#asks.length) this.#readLine();
  }

  #readLine(): void {
    this.#linesAsked++;
    must(this.#options.terminal ?? this.input, "input")
      .readLine()
      .catch(() => undefined)
      .then((line) => {
        this.#linesAsked--;
        this.#unread.push(line);
        this.#giveLines();
        this.#options.onProgress?.();
      });
  }
}

/** Calls that change files; opening one does where it may make or empty it. */
const CHANGES: readonly CallName[] = ["open", "write", "writeFile", "makeDirectory", "unlink", "rename"];

const isChange = (call: Call): boolean =>
  CHANGES.includes(call.name) && !(call.name === "open" && call.args.flags.startsWith("r"));

function lineAnswer(line: string | undefined): Uint8Array {
  try {
    return encodeAnswer("readLine", { line });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return encodeError(new RoostError("EIO", `the line of input is too long (${error.message})`));
  }
}
