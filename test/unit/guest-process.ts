/**
 * Runs a job in stock QuickJS with the real guest library and the real file service, on a clock that moves only when
 * the job sleeps. What a stock interpreter cannot do (fork: it cannot be stopped) is answered by the test.
 */
import { fileURLToPath } from "node:url";
import { getQuickJS, type QuickJSContext, type QuickJSHandle } from "quickjs-emscripten";
import { rolldown } from "rolldown";
import { must, RoostError } from "../../fabric/base/errors.ts";
import { FIRST_PID } from "../../fabric/base/ids.ts";
import { decodeValue } from "../../fabric/guest/value.ts";
import { Files } from "../../fabric/home/files.ts";
import { MemoryDisk } from "../../fabric/io/memory-disk.ts";
import { type Call, type CallName, decodeCall, encodeAnswer, encodeError } from "../../fabric/wire/calls.ts";

export const STARTED_MS = Date.UTC(2025, 0, 1);

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** One ES module's text, as the build and the launcher make it. */
export async function bundle(path: string): Promise<string> {
  const made = await rolldown({
    input: at(path),
    external: ["roost"],
    platform: "neutral",
    resolve: { mainFields: ["module", "main"] },
    logLevel: "silent",
  });
  const { output } = await made.generate({ format: "es", codeSplitting: false });
  await made.close();
  return output[0].code;
}

let library: Promise<string> | undefined;

export interface Options {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly lines?: readonly string[];
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** Calls that this test answers itself: encoded answers, or an error. */
  readonly answer?: (call: Call) => Uint8Array | RoostError | undefined;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  readonly value: unknown;
  readonly tookMs: number;
  readonly disk: MemoryDisk;
  readonly calls: readonly Call[];
}

/** Runs until the job exits; fails when it has neither exited nor anything to do after many turns. */
export async function runJob(source: string, options: Options = {}): Promise<Outcome> {
  library ??= bundle("fabric/guest/index.ts");
  const roost = await library;
  const runtime = (await getQuickJS()).newRuntime();
  const context = runtime.newContext();
  try {
    return new Job(context, roost, options).run(source);
  } finally {
    // What a job leaves behind after exit is its own affair: the context is not asked to prove it has no leaks.
    context.dispose();
    runtime.dispose();
  }
}

class Job {
  readonly #context: QuickJSContext;
  readonly #options: Options;
  readonly #disk: MemoryDisk;
  readonly #files: Files;
  readonly #calls: Call[] = [];
  readonly #output = { 1: [] as Uint8Array[], 2: [] as Uint8Array[] };
  readonly #lines: string[];
  #nowMs = STARTED_MS;
  #booted = false;
  #exit: { status: number; value: unknown } | undefined;

  constructor(context: QuickJSContext, roost: string, options: Options) {
    this.#context = context;
    this.#options = options;
    this.#lines = [...(options.lines ?? [])];
    const files = Object.entries(options.files ?? {});
    const bytes = (content: string | Uint8Array) =>
      typeof content === "string" ? new TextEncoder().encode(content) : content;
    this.#disk = new MemoryDisk(
      files.map(([path, content]) => [path, bytes(content)] as const),
      () => this.#nowMs,
    );
    this.#files = new Files(this.#disk);
    context.runtime.setModuleLoader((name) =>
      name === "roost" ? roost : { error: new Error(`there is no module "${name}"`) },
    );
    this.#define("__now", () => context.newNumber(this.#nowMs));
    this.#define("__sys", (request) => {
      const answer = this.#serve(must(request, "request"));
      return context.newArrayBuffer(answer.slice().buffer as ArrayBuffer);
    });
    this.#evaluate('Date.now = __now; delete globalThis.__now; import "roost";', "boot").dispose();
    this.#booted = true;
  }

  #define(name: string, run: (argument?: QuickJSHandle) => QuickJSHandle) {
    using f = this.#context.newFunction(name, (argument) => run(argument));
    this.#context.setProp(this.#context.global, name, f);
  }

  #evaluate(source: string, fileName: string): QuickJSHandle {
    return this.#context.unwrapResult(this.#context.evalCode(source, fileName, { type: "module" }));
  }

  run(source: string): Outcome {
    const context = this.#context;
    const { global } = context;
    using hooks = context.getProp(global, "__hooks");
    using started = context.getProp(hooks, "started");
    using tick = context.getProp(hooks, "tick");
    for (const name of ["__hooks", "__sys"]) this.#evaluate(`delete globalThis.${name}`, "boot").dispose();

    const result = context.evalCode(source, "job.js", { type: "module" });
    const value = result.error ?? result.value;
    this.#callHook(started, result.error ? context.true : context.false, value);
    value.dispose();
    this.#jobs();
    for (let turns = 0; !this.#exit; turns++) {
      if (turns > 10_000) throw new Error("the job neither ends nor sleeps");
      this.#callHook(tick);
      this.#jobs();
    }
    const text = (chunks: Uint8Array[]) => Buffer.concat(chunks).toString("utf8");
    return {
      stdout: text(this.#output[1]),
      stderr: text(this.#output[2]),
      ...this.#exit,
      tookMs: this.#nowMs - STARTED_MS,
      disk: this.#disk,
      calls: this.#calls,
    };
  }

  #callHook(hook: QuickJSHandle, ...args: QuickJSHandle[]) {
    if (this.#exit) return;
    const result = this.#context.callFunction(hook, this.#context.undefined, ...args);
    // In the real machine `exit` never returns; here it throws, and what follows does not count.
    if (result.error && !this.#exit)
      throw new Error(`a hook threw ${JSON.stringify(this.#context.dump(result.error))}`);
    result.dispose();
  }

  #jobs() {
    while (!this.#exit && this.#context.runtime.hasPendingJob())
      this.#context.runtime.executePendingJobs(1).dispose();
  }

  #serve(request: QuickJSHandle): Uint8Array {
    if (!this.#booted) throw new Error("a system call at boot, when there is no process yet");
    using bytes = this.#context.getArrayBuffer(request);
    const call = decodeCall(bytes.value.slice());
    if (call instanceof RoostError) return encodeError(call);
    if (this.#exit) return encodeError(new RoostError("ESRCH", "the process has ended"));
    this.#calls.push(call);
    const own = this.#options.answer?.(call);
    if (own instanceof RoostError) return encodeError(own);
    return own ?? this.#answer(call);
  }

  #answer(call: Call): Uint8Array {
    switch (call.name) {
      case "exit": {
        const { status, value } = call.args;
        this.#exit = { status, value: value.length ? decodeValue(value) : undefined };
        return encodeAnswer("exit", undefined);
      }
      case "print":
        this.#output[call.args.fd === 1 ? 1 : 2].push(call.args.data);
        return encodeAnswer("print", undefined);
      case "identify": {
        const { argv = [], env = {} } = this.#options;
        return encodeAnswer("identify", {
          pid: FIRST_PID,
          ppid: 0,
          argv: ["roost", "job.js", ...argv],
          env: Object.entries(env).map(([name, value]) => ({ name, value })),
        });
      }
      case "sleep":
        this.#nowMs = Math.max(this.#nowMs, call.args.dueMs);
        return encodeAnswer("sleep", undefined);
      case "hostname":
        return encodeAnswer("hostname", { name: "here" });
      case "hosts": {
        const host = (id: string, free: boolean) => ({ id, name: id.toUpperCase(), free });
        return encodeAnswer("hosts", { hosts: [host("h1", true), host("h2", false)], here: "h1" });
      }
      case "migrate":
      case "kill":
        return encodeAnswer(call.name satisfies CallName, undefined);
      case "random":
        return encodeAnswer("random", { bytes: crypto.getRandomValues(new Uint8Array(call.args.length)) });
      case "readLine":
        return encodeAnswer("readLine", { line: this.#lines.shift() });
      case "wait":
        return encodeError(new RoostError("ECHILD", "this process has no children"));
      case "fork":
        return encodeError(new RoostError("ENOHOST", "this interpreter cannot be copied"));
      default:
        return this.#files.serve(FIRST_PID, call);
    }
  }
}
