/**
 * A QuickJS machine that can stop at any system call and any interrupt poll, be written down, and go on here or in
 * another instance. Promises: between two calls of `start`/`resume` it is stopped and its image is complete; what a
 * guest does never throws here, it ends in a Stop.
 */
import { RoostError } from "../base/errors.ts";
import { type BaseImage, EVAL_MODULE, writeRandomState } from "./base-image.ts";
import { CompactImage } from "./compact.ts";
import type { Borrowed, Value } from "./exports.ts";
import type { Image, Registers } from "./image.ts";
import { Halt, type Host } from "./imports.ts";
import type { Instance } from "./instance.ts";
import { FRAMES_BYTES, FRAMES_HEADER } from "./memory-map.ts";
import { PAGE_BYTES, type Page, UNKNOWN } from "./pages.ts";
import { Rejections } from "./rejections.ts";
import { Segments } from "./segments.ts";
import { fault, type MachineOptions, type Program, type Stop, type World } from "./stop.ts";

/** Not a stop for the world to see: the stack is low, and the machine goes on at once on another segment. */
type Deeper = { readonly kind: "deeper" };

/** Memory kept from the guest's own allocations, so that an answer's bookkeeping finds room when the guest found none. */
const RESERVE_BYTES = 64 * 1024;

export class Machine implements Disposable {
  readonly #base: BaseImage;
  readonly #options: MachineOptions;
  readonly #host: Host;
  /** Where it lives; undefined while it is parked, and when it is over. */
  #at: Instance | undefined;
  #parked: CompactImage | undefined;
  /** What it was restored from, or last written down as: the next image shares what has not changed since. */
  #last: Image | undefined;
  /** What has been read ahead of the next image. */
  #ahead: readonly Page[] | undefined;
  /** Whether it is still as `#last` says. */
  #unchanged = false;
  #registers: Registers;
  /** Set while guest code may run, and only then. */
  #world: World | undefined;
  /** Why the guest is being suspended, from the import on until its frames are saved. */
  #suspending: Stop | Deeper | undefined;
  #state: "new" | "stopped" | "running" | "over" = "new";

  private constructor(base: BaseImage, registers: Registers, options: MachineOptions) {
    this.#base = base;
    this.#registers = registers;
    this.#options = options;
    this.#host = {
      memoryBytesMax: options.memoryBytesMax,
      now: () => this.#running().now(),
      zone: () => this.#running().zone,
      callHost: (count, values) => this.#callHost(count, values),
      pollInterrupt: () => this.#pollInterrupt(),
      stackLow: (checks) => this.#stackLow(checks),
      promiseRejection: (promise, reason, isHandled) => {
        const rejections = this.#rejections;
        this.#segments.inOneGo(() =>
          isHandled ? rejections.remove(promise) : rejections.add(promise, reason),
        );
      },
    };
  }

  /** A machine that has run nothing. Throws RoostError ENOMEM where the host has no memory for it. */
  static fresh(base: BaseImage, options: MachineOptions): Machine {
    const { stackPointer } = base.addresses;
    const registers: Registers = {
      stackPointer,
      polls: 0,
      phase: "main",
      stoppedAt: "poll",
      framesBytes: 0,
      held: [],
    };
    const machine = new Machine(base, registers, options);
    machine.#at = base.instances.take(machine.#host, base.pages, base.memory.length);
    machine.#settle();
    return machine;
  }

  /** The machine an image was taken of. Throws RoostError ENOMEM when it does not fit into its limit, or into the host. */
  static restore(base: BaseImage, image: Image, options: MachineOptions): Machine {
    const machine = new Machine(base, image.registers, options);
    machine.#mustFit(image);
    machine.#state = "stopped";
    machine.#return(image);
    return machine;
  }

  /**
   * Of a machine that was restored and has not run: makes it the one that another image was taken of, at the price of what
   * the two differ in. Throws as `restore` does.
   */
  advance(image: Image): void {
    const at = this.#at;
    if (!at || !this.#last || !this.#unchanged)
      throw new Error("bug: a machine that has run cannot be another");
    this.#mustFit(image);
    this.#registers = image.registers;
    at.resize(image.memoryBytes);
    this.#base.instances.advance(at, image.pages, this.#last.pages);
    this.#begin(image);
  }

  /** Interrupt polls since birth, moves included. */
  get polls(): number {
    return this.#registers.polls;
  }
  get memoryBytes(): number {
    return this.#at?.memoryBytes ?? this.#parked?.memoryBytes ?? 0;
  }

  /** Runs a program in a fresh machine until it stops. */
  start(program: Program, world: World): Stop {
    if (this.#state !== "new") throw new Error("bug: a machine runs one program");
    return this.#run(world, () => this.#evaluate(program));
  }

  /** Goes on from where it stopped: with the answer, when that was a call. */
  resume(world: World, answer?: Uint8Array): Stop {
    const { stoppedAt } = this.#registers;
    if (this.#state !== "stopped") throw new Error(`bug: resume of a machine that is ${this.#state}`);
    if ((stoppedAt === "call") !== (answer !== undefined))
      throw new Error(`bug: a machine stopped at a ${stoppedAt} was resumed as from the other`);
    if (this.#parked) this.#unpark(this.#parked);
    return this.#run(world, () =>
      this.#continue(answer && this.#segments.inOneGo(() => this.#answerValue(answer))),
    );
  }

  /** Sets Math.random's state. */
  seedRandom(seed: bigint): void {
    if (this.#parked) this.#unpark(this.#parked);
    this.#changes();
    writeRandomState(this.#instance, this.#base.addresses.random, seed);
  }

  /** Its state, which later ones share their unchanged pages with. */
  image(): Image {
    if (this.#state !== "stopped") throw new Error(`bug: image of a machine that is ${this.#state}`);
    if (this.#parked) return this.#parked.image;
    if (this.#last && this.#unchanged) return this.#last;
    const base = this.#base;
    const { memoryBytes } = this.#instance;
    const pages = base.instances.read(this.#instance, this.#heapEnd, this.#lastPages);
    this.#last = { base, registers: this.#registers, memoryBytes, pages };
    this.#ahead = undefined;
    this.#unchanged = true;
    return this.#last;
  }

  /**
   * Copies some of the memory that it did not have when its last image was taken, for the next to be taken quicker, however much of that
   * changes meanwhile. False: what is left is little.
   */
  readAhead(): boolean {
    if (this.#state !== "stopped" || !this.#at) return false;
    const ahead = this.#base.instances.readAhead(this.#at, this.#heapEnd, this.#lastPages);
    this.#ahead = ahead ?? this.#ahead;
    return ahead !== undefined;
  }

  get #lastPages(): readonly Page[] {
    return this.#ahead ?? (this.#last ?? this.#base).pages;
  }
  /** What it says of its heap may be a stranger's invention. */
  get #heapEnd(): number {
    const { memoryBytes, words } = this.#instance;
    return Math.min(words[this.#base.addresses.heapEnd >> 2] ?? 0, memoryBytes);
  }

  /**
   * Leaves its instance to others, until it is resumed: meanwhile it is only what it differs in from `like`, an image
   * that is kept anyway, or from the base.
   */
  park(like: readonly Page[] = this.#base.pages): void {
    if (!this.#at || this.#state !== "stopped") return;
    this.#parked = new CompactImage(this.image(), like);
    this.#leave();
    this.#last = undefined;
  }

  [Symbol.dispose](): void {
    if (this.#state !== "over") this.#leave(); // one that failed is fit for nobody
    this.#state = "over";
  }

  // ------------------------------------------------------------------------------------------------------------ running

  #running(): World {
    if (!this.#world) throw new Error("bug: the guest runs outside start and resume");
    return this.#world;
  }

  /** Enters the guest with `first`, then phase after phase until it stops. */
  #run(world: World, first: () => Value): Stop {
    this.#world = world;
    this.#state = "running";
    this.#changes();
    try {
      for (let enter = first; ; enter = () => this.#nextPhase()) {
        let result = enter();
        for (let why = this.#suspending; why; why = this.#suspending) {
          if (why.kind !== "deeper") return this.#suspended(why);
          result = this.#deepen();
        }
        this.#finishPhase(result);
      }
    } catch (error) {
      this.#state = "over";
      return fault(error);
    } finally {
      this.#world = undefined;
      this.#suspending = undefined;
    }
  }

  #changes(): void {
    this.#unchanged = false;
    this.#base.instances.changes(this.#instance);
  }

  #suspended(stop: Stop): Stop {
    this.#saveFrames();
    this.#registers = { ...this.#registers, stoppedAt: stop.kind === "call" ? "call" : "poll" };
    this.#state = "stopped";
    return stop;
  }

  /** The guest has unwound: moves the new frames in front of those still pending. */
  #saveFrames(): void {
    const { exports, bytes, words } = this.#instance;
    const { frames } = this.#base.addresses;
    const [saved = 0, , begin = 0, pending = 0, end = 0, lowest = 0] = words.subarray(
      frames >> 2,
      (frames >> 2) + 6,
    );
    if (saved > pending)
      throw new Halt("ENOMEM", "the call stack is too deep to be suspended; recurse less deeply");
    exports.stop_unwinding();
    const start = pending - (saved - begin);
    bytes.copyWithin(start, begin, saved);
    // No stale frame stays behind, to be carried about in images.
    bytes.fill(0, begin, Math.min(saved, start));
    if (lowest < start) bytes.fill(0, lowest, start);
    this.#registers = { ...this.#registers, stackPointer: exports.stackSave(), framesBytes: end - start };
    this.#writeFramesHeader();
  }

  /** Goes on at once, on another segment. */
  #deepen(): Value {
    this.#saveFrames();
    this.#registers = { ...this.#registers, ...this.#segments.begin(this.#registers) };
    this.#writeFramesHeader();
    this.#suspending = undefined;
    return this.#continue();
  }

  /** The stack of the guest: its state is in the guest's memory, wherever that is. */
  get #segments(): Segments {
    return new Segments(this.#instance, this.#base.addresses);
  }

  get #rejections(): Rejections {
    return new Rejections(this.#instance, this.#base.addresses);
  }

  /** Writes the words in front of the frames for what is pending. */
  #writeFramesHeader(): void {
    const { frames } = this.#base.addresses;
    const begin = frames + FRAMES_HEADER.bytes;
    const end = begin + FRAMES_BYTES;
    const pending = end - this.#registers.framesBytes;
    this.#instance.words.set([begin, pending, begin, pending, end, pending], frames >> 2);
  }

  /** Resumes the pending frames; `value` is what the interrupted import returns to the innermost. */
  #continue(value: Value = 0): Value {
    const { exports } = this.#instance;
    exports.passed_i32.value = value;
    exports.resume_frames(this.#base.addresses.frames);
    return exports.passed_i32.value;
  }

  // ------------------------------------------------------------------------------------------------------------- phases

  #evaluate({ source, fileName }: Program): Value {
    const { exports } = this.#instance;
    const encoder = new TextEncoder();
    const text = encoder.encode(source);
    const code = this.#instance.place(text);
    const name = this.#instance.place(encoder.encode(fileName));
    if (code === 0 || name === 0)
      throw new Halt("ENOMEM", `the program of ${text.length} bytes does not fit into the job's memory`);
    this.#registers = { ...this.#registers, phase: "main", held: [code, name] };
    this.#writeFramesHeader();
    return exports.QTS_Eval(this.#base.addresses.context, code, text.length, name, 0, EVAL_MODULE);
  }

  #nextPhase(): Value {
    const { exports } = this.#instance;
    const { runtime, context, scratch, started, tick } = this.#base.addresses;
    const { phase, held } = this.#registers;
    switch (phase) {
      case "main":
        throw new Error("bug: a program is evaluated once");
      case "started": {
        const [value = 0, threw] = held;
        this.#instance.words.set(
          [threw ? exports.QTS_GetTrue() : exports.QTS_GetFalse(), value],
          scratch >> 2,
        );
        return exports.QTS_Call(context, started, exports.QTS_GetUndefined(), 2, scratch);
      }
      case "jobs":
        return exports.QTS_ExecutePendingJob(runtime, -1, scratch + 8);
      case "tick": {
        const reason = this.#rejections.first;
        this.#instance.words.set([reason && exports.QTS_GetTrue(), reason], scratch >> 2);
        return exports.QTS_Call(context, tick, exports.QTS_GetUndefined(), reason ? 2 : 0, scratch);
      }
    }
  }

  /** Takes a phase's result, frees what it held, and sets the phase that comes next. */
  #finishPhase(result: Value): void {
    const { exports } = this.#instance;
    const { runtime, context } = this.#base.addresses;
    const { phase, held } = this.#registers;
    if (result === 0) throw new Halt("ENOMEM", "the process had no memory left, not even for a result");
    const error = exports.QTS_ResolveException(context, result);
    switch (phase) {
      case "main":
        this.#freeHeld();
        if (error !== 0) exports.QTS_FreeValuePointer(context, result);
        return this.#setPhase("started", error === 0 ? [result, 0] : [error, 1]);
      case "started":
      case "tick":
        if (error !== 0)
          throw new Halt("EIO", `the guest library failed: ${this.#instance.describeError(context, error)}`);
        exports.QTS_FreeValuePointer(context, result);
        if (phase === "started") exports.QTS_FreeValuePointer(context, held[0] ?? 0);
        break;
      case "jobs":
        // A job's own failure rejects its promise; the few that can throw past it (finalizers) have nobody to tell.
        exports.QTS_FreeValuePointer(context, result);
        if (error !== 0) exports.QTS_FreeValuePointer(context, error);
    }
    this.#setPhase(exports.QTS_IsJobPending(runtime) ? "jobs" : "tick", []);
  }

  /**
   * The program runs, so its text has been compiled. At its first poll or call, whether it stops there or not: memory must
   * not depend on that.
   */
  #freeText(): void {
    if (this.#registers.phase === "main" && this.#registers.held.length) this.#freeHeld();
  }

  #freeHeld(): void {
    for (const at of this.#registers.held) this.#instance.exports.free(at);
    this.#registers = { ...this.#registers, held: [] };
  }

  #setPhase(phase: Registers["phase"], held: readonly number[]): void {
    this.#registers = { ...this.#registers, phase, held };
  }

  // ------------------------------------------------------------------------------------------------------------ imports

  #callHost(count: number, values: Borrowed): Value {
    const { exports } = this.#instance;
    const { context, noRoom } = this.#base.addresses;
    this.#freeText();
    const request = this.#segments.inOneGo(() => {
      const copied = count < 1 ? 0 : exports.QTS_GetArrayBuffer(context, values);
      if (copied === 0) return undefined;
      const bytes = this.#instance.copy(copied, exports.QTS_GetArrayBufferLength(context, values));
      exports.free(copied);
      return bytes;
    });
    if (!request) return exports.QTS_Throw(context, noRoom);
    const answer = this.#running().answer?.(request);
    if (answer) return this.#segments.inOneGo(() => this.#answerValue(answer));
    this.#suspend({ kind: "call", request });
    return 0;
  }

  #pollInterrupt(): void {
    this.#freeText();
    this.#registers = { ...this.#registers, polls: this.#registers.polls + 1 };
    if (this.#running().poll()) this.#suspend({ kind: "preempted" });
  }

  #stackLow(checks: boolean): void {
    if (this.#world && this.#segments.asked(checks)) this.#suspend({ kind: "deeper" });
  }

  #suspend(stop: Stop | Deeper): void {
    this.#suspending = stop;
    this.#instance.exports.start_unwinding(this.#base.addresses.frames);
  }

  /** The answer as what the interrupted call returns: an ArrayBuffer that owns its bytes, or an exception. */
  #answerValue(answer: Uint8Array): Value {
    const { exports } = this.#instance;
    const { context, noRoom } = this.#base.addresses;
    const at = this.#instance.place(answer);
    return at === 0
      ? exports.QTS_Throw(context, noRoom)
      : exports.QTS_NewArrayBuffer(context, at, answer.length);
  }

  // ------------------------------------------------------------------------------------------------------------- memory

  get #instance(): Instance {
    if (!this.#at) throw new Error("bug: use of a machine that is over, or parked");
    return this.#at;
  }

  #mustFit({ memoryBytes }: Image): void {
    const { memoryBytesMax } = this.#options;
    if (memoryBytes > memoryBytesMax)
      throw new RoostError(
        "ENOMEM",
        `the image has ${memoryBytes} bytes of memory where its job allows ${memoryBytesMax}`,
      );
  }

  #settle(): void {
    this.#instance.exports.stackRestore(this.#registers.stackPointer);
    this.#limitMemory();
    this.#segments.setMark();
  }

  #return(image: Image): void {
    this.#at = this.#base.instances.take(this.#host, image.pages, image.memoryBytes);
    this.#begin(image);
  }

  /** Its memory is that of `image`. */
  #begin(image: Image): void {
    this.#settle();
    this.#writeFramesHeader();
    this.#last = image;
    this.#unchanged = true;
  }

  #unpark(parked: CompactImage): void {
    this.#return(parked.image);
    this.#parked = undefined;
  }

  #leave(): void {
    if (this.#at) this.#base.instances.give(this.#at, this.#holds());
    this.#at = undefined;
  }

  /** The pages that its memory begins with, where they are known; not those with words that are set for each host (`#begin`). */
  #holds(): Page[] {
    if (!this.#last || !this.#unchanged) return [];
    const { runtime, frames } = this.#base.addresses;
    const pages = [...this.#last.pages];
    for (const at of [runtime, runtime + PAGE_BYTES, frames, frames + FRAMES_HEADER.bytes])
      pages[Math.floor(at / PAGE_BYTES)] = UNKNOWN;
    return pages;
  }

  #limitMemory(): void {
    const { runtime, stackPointer } = this.#base.addresses;
    const limit = this.#options.memoryBytesMax - stackPointer - FRAMES_BYTES - RESERVE_BYTES;
    this.#instance.exports.QTS_RuntimeSetMemoryLimit(runtime, Math.max(limit, 1));
  }
}
