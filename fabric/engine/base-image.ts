/**
 * The base image: an interpreter booted with the prelude, and stopped before any program. Every host builds it for itself
 * and gets the same one, byte for byte, because clock, zone and random seed are fixed and nothing else can be seen from
 * inside. Images of processes hold only what differs from it.
 */
import { RoostError } from "../base/errors.ts";
import { type BaseId, baseId } from "../base/ids.ts";
import { type Engine, sha256 } from "./engine.ts";
import type { Value } from "./exports.ts";
import { Halt, type Host } from "./imports.ts";
import { Instance } from "./instance.ts";
import { Instances } from "./instances.ts";
import { FRAMES_BYTES, FRAMES_HEADER, JS_STACK_BYTES } from "./memory-map.ts";
import { type Page, pagesOf } from "./pages.ts";
import { REJECTIONS_BYTES } from "./rejections.ts";

/** An ES module, evaluated at boot under the name "roost": programs can import from it. SNAPSHOT.md has its contract. */
export interface Prelude {
  readonly source: string;
}

/** Addresses chosen at boot, the same in every process. */
export interface BaseAddresses {
  readonly runtime: number;
  readonly context: number;
  /** Math.random's 64-bit state. */
  readonly random: number;
  /** The words of FRAMES_HEADER, and the room for frames behind them. */
  readonly frames: number;
  /** Where QuickJS keeps the limit of its stack. */
  readonly stackLimit: number;
  /** Where the allocator keeps the end of the heap: above it, memory has never been written to. */
  readonly heapEnd: number;
  /** The list of rejected promises (rejections.ts). */
  readonly rejections: number;
  /** Three words for the arguments of calls. */
  readonly scratch: number;
  readonly started: Value;
  readonly tick: Value;
  /** The error thrown when a call's bytes find no room. */
  readonly noRoom: Value;
  readonly stackPointer: number;
}

export interface BaseImage {
  readonly engine: Engine;
  readonly id: BaseId;
  readonly memory: Uint8Array;
  readonly pages: readonly Page[];
  readonly addresses: BaseAddresses;
  /** Where its machines find their instances, and leave them. */
  readonly instances: Instances;
}

/** What a boot comes to. Plain data: it can be posted to workers. */
export interface BootedBase extends Pick<BaseImage, "id" | "memory" | "addresses"> {
  /** The source of the prelude that it was booted with. */
  readonly prelude: string;
}

export const EVAL_MODULE = 1;
const EVAL_SCRIPT = 0;
/** 2023-11-14T22:13:20.123Z. QuickJS seeds Math.random with it, in microseconds: that is how the seed's place is found. */
const BOOT_MS = 1_700_000_000_123;
const BOOT_MEMORY_BYTES_MAX = 64 << 20;
/** Math.random's state until the host seeds it. Any number but 0. */
const BOOT_SEED = 0x9e3779b97f4a7c15n;

/**
 * Boots the engine, or takes what a boot with this prelude has come to before. Throws RoostError EINVAL, with the guest's own
 * message and stack, when the prelude does not keep its contract.
 */
export async function bootBase(engine: Engine, prelude: Prelude): Promise<BaseImage> {
  const host: Host = {
    memoryBytesMax: BOOT_MEMORY_BYTES_MAX,
    now: () => BOOT_MS,
    zone: () => "UTC",
    pollInterrupt: () => {},
    stackLow: () => {},
    promiseRejection: () => {},
    callHost: () => {
      throw new Halt("EINVAL", "the prelude made a system call while it was loaded");
    },
  };
  const pristine = new Instance(engine, host);
  const instances = new Instances(engine, pristine);
  const { booted } = engine;
  if (booted?.prelude === prelude.source) {
    instances.give(pristine);
    const { id, memory, addresses } = booted;
    return { engine, id, memory, pages: pagesOf(memory), addresses, instances };
  }
  const instance = new Instance(engine, host);
  const addresses = boot(instance, prelude);
  const memory = instance.copy(0, instance.memoryBytes);
  for (const left of [instance, pristine]) instances.give(left);
  const id = await identify(engine, memory, addresses);
  return { engine, id, memory, pages: pagesOf(memory), addresses, instances };
}

function boot(instance: Instance, prelude: Prelude): BaseAddresses {
  const { exports } = instance;
  const heap = exports.stackSave();
  const heapEnd = findHeapEnd(instance, heap);
  exports.initialize();
  const runtime = exports.QTS_NewRuntime();
  const stackLimit = limitStack(instance, runtime);
  exports.QTS_RuntimeEnableInterruptHandler(runtime);
  const context = exports.QTS_NewContext(runtime, 0);
  const random = findRandomState(instance, heap);
  writeRandomState(instance, random, BOOT_SEED);

  const guest = new Guest(instance, context);
  guest.setGlobal("__sys", guest.hostFunction("__sys"));
  guest.evaluate(prelude.source, "roost", EVAL_MODULE);
  const hooks = guest.getGlobal("__hooks");
  const started = guest.functionOf(hooks, "started");
  const tick = guest.functionOf(hooks, "tick");
  exports.QTS_FreeValuePointer(context, hooks);
  const noRoom = guest.evaluate(
    `delete globalThis.__sys; delete globalThis.__hooks; new InternalError("out of memory")`,
    "boot",
    EVAL_SCRIPT,
  );
  guest.runJobs(runtime);

  const frames = exports.malloc(FRAMES_HEADER.bytes + FRAMES_BYTES);
  instance.bytes.fill(0, frames, frames + FRAMES_HEADER.bytes + FRAMES_BYTES);
  instance.words[(frames + FRAMES_HEADER.stackLimitAt) >> 2] = stackLimit;
  instance.words[(frames + FRAMES_HEADER.limit) >> 2] = instance.words[stackLimit >> 2] ?? 0;
  const scratch = exports.malloc(12);
  const rejections = exports.malloc(REJECTIONS_BYTES);
  instance.bytes.fill(0, rejections, rejections + REJECTIONS_BYTES);
  return {
    runtime,
    context,
    random,
    frames,
    stackLimit,
    heapEnd,
    rejections,
    scratch,
    started,
    tick,
    noRoom,
    stackPointer: exports.stackSave(),
  };
}

/** Helpers for the boot, where whatever fails is the prelude's fault and ends it. */
class Guest {
  readonly #instance: Instance;
  readonly #context: number;
  constructor(instance: Instance, context: number) {
    this.#instance = instance;
    this.#context = context;
  }

  evaluate(source: string, name: string, flags: number): Value {
    const { exports } = this.#instance;
    const text = new TextEncoder().encode(source);
    const code = this.#instance.place(text);
    const fileName = this.#instance.place(new TextEncoder().encode(name));
    if (code === 0) throw new RoostError("ENOMEM", `the prelude of ${text.length} bytes is too long`);
    const value = this.#valid(exports.QTS_Eval(this.#context, code, text.length, fileName, 0, flags));
    exports.free(code);
    exports.free(fileName);
    return value;
  }

  hostFunction(name: string): Value {
    const { exports } = this.#instance;
    const text = this.#instance.place(new TextEncoder().encode(name));
    const fn = this.#valid(exports.QTS_NewFunction(this.#context, text, 1, 0, 1));
    exports.free(text);
    return fn;
  }

  getGlobal(name: string): Value {
    const global = this.#instance.exports.QTS_GetGlobalObject(this.#context);
    const value = this.#valid(this.#instance.property(this.#context, global, name));
    this.#instance.exports.QTS_FreeValuePointer(this.#context, global);
    return value;
  }

  /** Gives `value` away. */
  setGlobal(name: string, value: Value): void {
    const { exports } = this.#instance;
    const text = this.#instance.place(new TextEncoder().encode(name));
    const key = exports.QTS_NewString(this.#context, text);
    const global = exports.QTS_GetGlobalObject(this.#context);
    exports.QTS_SetProp(this.#context, global, key, value);
    for (const x of [global, key, value]) exports.QTS_FreeValuePointer(this.#context, x);
    exports.free(text);
  }

  /** A property that must be a function. */
  functionOf(object: Value, name: string): Value {
    const value =
      this.#typeOf(object) === "object" ? this.#instance.property(this.#context, object, name) : 0;
    if (value === 0 || this.#typeOf(this.#valid(value)) !== "function")
      throw new RoostError(
        "EINVAL",
        `the prelude must set globalThis.__hooks to { started, tick }, and ${name} is no function`,
      );
    return value;
  }

  #typeOf(value: Value): string {
    const { exports } = this.#instance;
    const at = exports.QTS_Typeof(this.#context, value);
    const type = this.#instance.cString(at);
    exports.free(at);
    return type;
  }

  runJobs(runtime: number): void {
    const { exports } = this.#instance;
    const lastContext = exports.malloc(4);
    while (exports.QTS_IsJobPending(runtime)) {
      const done = this.#valid(exports.QTS_ExecutePendingJob(runtime, -1, lastContext));
      exports.QTS_FreeValuePointer(this.#context, done);
    }
    exports.free(lastContext);
  }

  #valid(value: Value): Value {
    const error = this.#instance.exports.QTS_ResolveException(this.#context, value);
    if (error === 0) return value;
    throw new RoostError(
      "EINVAL",
      `the prelude failed: ${this.#instance.describeError(this.#context, error)}`,
    );
  }
}

/** Limits the stack, and finds where in its runtime QuickJS notes that: one word is the size, and one the address. */
function limitStack({ exports, memory }: Instance, runtime: number): number {
  const read = () => new Uint32Array(memory.buffer, runtime, 64).slice();
  exports.QTS_RuntimeSetMaxStackSize(runtime, 0);
  const unlimited = read();
  exports.QTS_RuntimeSetMaxStackSize(runtime, JS_STACK_BYTES);
  const found: number[] = [];
  read().forEach((word, i) => {
    if (word !== unlimited[i] && word !== JS_STACK_BYTES) found.push(runtime + 4 * i);
  });
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new RoostError("EVERSION", "the limit of the stack was not found; this QuickJS keeps it elsewhere");
  return only;
}

/** The one word that says where the heap, still empty, begins and ends: right above the first segment of the stack. */
function findHeapEnd({ words }: Instance, heap: number): number {
  const at = words.indexOf(heap);
  if (at < 0 || words.includes(heap, at + 1))
    throw new RoostError("EVERSION", "the end of the heap was not found; this allocator keeps it elsewhere");
  return 4 * at;
}

function findRandomState({ bytes }: Instance, heap: number): number {
  const seed = BigInt(BOOT_MS) * 1000n;
  const cells = new BigUint64Array(bytes.buffer, 0, bytes.length / 8);
  const found: number[] = [];
  for (let i = heap >> 3; i < cells.length; i++) if (cells[i] === seed) found.push(8 * i);
  const [only] = found;
  if (only === undefined || found.length > 1)
    throw new RoostError(
      "EVERSION",
      `the state of Math.random was found in ${found.length} places where one was expected; this QuickJS seeds it in another way`,
    );
  return only;
}

/** 0 would stay 0 for ever, and stands for 1. */
export function writeRandomState({ memory }: Instance, at: number, seed: bigint): void {
  new BigUint64Array(memory.buffer, at, 1)[0] = BigInt.asUintN(64, seed) || 1n;
}

export async function identify(
  engine: Engine,
  memory: Uint8Array,
  addresses: BaseAddresses,
): Promise<BaseId> {
  const rest = new TextEncoder().encode(JSON.stringify([engine.id, addresses]));
  const all = new Uint8Array(memory.length + rest.length);
  all.set(memory);
  all.set(rest, memory.length);
  return baseId(await sha256(all));
}
