/**
 * What the engine exports, by name: the build keeps these and drops the rest; the runtime calls them by these types.
 * Numbers are guest addresses unless they are named otherwise. A `Value` is the address of a JSValue on the guest's
 * heap that its holder must free with QTS_FreeValuePointer; `Borrowed` must not be freed or kept.
 */

export type Value = number;
export type Borrowed = number;

export interface EngineExports {
  /** At least as large as the process knows. */
  readonly memory: WebAssembly.Memory;
  /** How large the process takes its memory to be, in WebAssembly's pages of 64 KiB. */
  readonly memory_pages: WebAssembly.Global;
  /** The C library's constructors: once, on a machine that boots; never on restored memory. */
  initialize(): void;
  malloc(bytes: number): number;
  free(at: number): void;
  stackSave(): number;
  stackRestore(at: number): void;
  /** From an import: when it returns, all frames save themselves behind the words at `frames`, and the outermost returns. */
  start_unwinding(frames: number): void;
  stop_unwinding(): void;
  /** Runs pending frames until none is left or one suspends again. */
  resume_frames(frames: number): void;
  /** Below this, functions that can be suspended call `stack_low`. */
  readonly stack_mark: WebAssembly.Global;
  /** What the interrupted import returns, then what the outermost frame returned. */
  readonly passed_i32: WebAssembly.Global;

  QTS_NewRuntime(): number;
  QTS_RuntimeSetMaxStackSize(runtime: number, bytes: number): void;
  QTS_RuntimeSetMemoryLimit(runtime: number, bytes: number): void;
  QTS_RuntimeEnableInterruptHandler(runtime: number): void;
  /** `intrinsics` 0: all of them. */
  QTS_NewContext(runtime: number, intrinsics: number): number;
  QTS_GetUndefined(): Borrowed;
  QTS_GetTrue(): Borrowed;
  QTS_GetFalse(): Borrowed;
  QTS_GetGlobalObject(context: number): Value;
  QTS_NewString(context: number, text: number): Value;
  /** Frees the buffer when the ArrayBuffer is collected: it takes it over. */
  QTS_NewArrayBuffer(context: number, buffer: number, length: number): Value;
  /** A copy of the bytes, for the caller to `free`; 0 with an exception when it is no ArrayBuffer, or no memory is left. */
  QTS_GetArrayBuffer(context: number, value: Borrowed): number;
  QTS_GetArrayBufferLength(context: number, value: Borrowed): number;
  /** UTF-8, to be freed with QTS_FreeCString; 0 when the value has no text. */
  QTS_GetString(context: number, value: Borrowed): number;
  QTS_FreeCString(context: number, text: number): void;
  /** A function that calls the host with `hostRef`. */
  QTS_NewFunction(
    context: number,
    name: number,
    length: number,
    isConstructor: number,
    hostRef: number,
  ): Value;
  QTS_GetProp(context: number, object: Borrowed, name: Borrowed): Value;
  QTS_SetProp(context: number, object: Borrowed, name: Borrowed, value: Borrowed): void;
  /** A C string for the caller to `free`. */
  QTS_Typeof(context: number, value: Borrowed): number;
  QTS_FreeValuePointer(context: number, value: Value): void;
  /** 0 when there is no memory. */
  QTS_DupValuePointer(context: number, value: Borrowed): Value;
  /** Throws a copy of `error`: what it returns is what a host function must return then. */
  QTS_Throw(context: number, error: Borrowed): Value;
  /** The exception, when the value stands for one; else 0. */
  QTS_ResolveException(context: number, value: Borrowed): Value;
  /** The module's namespace, or a promise of it when it awaits. */
  QTS_Eval(
    context: number,
    source: number,
    sourceBytes: number,
    fileName: number,
    detectModule: number,
    flags: number,
  ): Value;
  QTS_PromiseState(context: number, promise: Borrowed): number;
  QTS_Call(context: number, fn: Borrowed, self: Borrowed, count: number, values: number): Value;
  QTS_IsJobPending(runtime: number): number;
  /** Runs at most `count` jobs (-1: until none is left); the number of them, or the exception that one threw. */
  QTS_ExecutePendingJob(runtime: number, count: number, lastContext: number): Value;
}

/** The stock module's functions that are kept. */
export const KEPT_EXPORTS = [
  "initialize",
  "malloc",
  "free",
  "stackSave",
  "stackRestore",
  "QTS_NewRuntime",
  "QTS_RuntimeSetMaxStackSize",
  "QTS_RuntimeSetMemoryLimit",
  "QTS_RuntimeEnableInterruptHandler",
  "QTS_NewContext",
  "QTS_GetUndefined",
  "QTS_GetTrue",
  "QTS_GetFalse",
  "QTS_GetGlobalObject",
  "QTS_NewString",
  "QTS_NewArrayBuffer",
  "QTS_GetArrayBuffer",
  "QTS_GetArrayBufferLength",
  "QTS_GetString",
  "QTS_FreeCString",
  "QTS_NewFunction",
  "QTS_GetProp",
  "QTS_SetProp",
  "QTS_Typeof",
  "QTS_FreeValuePointer",
  "QTS_DupValuePointer",
  "QTS_Throw",
  "QTS_ResolveException",
  "QTS_Eval",
  "QTS_PromiseState",
  "QTS_Call",
  "QTS_IsJobPending",
  "QTS_ExecutePendingJob",
] as const satisfies readonly (keyof EngineExports)[];
