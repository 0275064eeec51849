/** What a machine is given to run, and what it says when it stops. */
import type { ErrorCode } from "../base/errors.ts";
import { RoostError } from "../base/errors.ts";
import { Halt } from "./imports.ts";

/** What a host supplies while a machine runs. */
export interface World {
  /** Milliseconds since 1970, for Date. */
  now(): number;
  /** The name of an IANA time zone. */
  readonly zone: string;
  /** Asked at each interrupt poll; true: suspend here. */
  poll(): boolean;
  /** Asked at each system call for an answer without waiting; undefined, or where this is missing: suspend here. */
  answer?(request: Uint8Array): Uint8Array | undefined;
}

export interface Program {
  /** An ES module. */
  readonly source: string;
  readonly fileName: string;
}

export interface MachineOptions {
  /** Over it, allocations fail inside the guest. */
  readonly memoryBytesMax: number;
}

export type Stop =
  /** Suspended in the system call; `request` is a copy of the bytes it was given. */
  | { readonly kind: "call"; readonly request: Uint8Array }
  | { readonly kind: "preempted" }
  /** It can never go on. */
  | { readonly kind: "fault"; readonly code: ErrorCode; readonly message: string };

/** What ends a machine, said for the person whose program it was. */
export function fault(error: unknown): Stop {
  if (error instanceof Halt) return { kind: "fault", code: error.code, message: error.message };
  if (error instanceof RoostError)
    return { kind: "fault", code: error.code, message: error.message.slice(error.code.length + 2) };
  if (error instanceof WebAssembly.RuntimeError)
    return { kind: "fault", code: "EIO", message: `the interpreter broke down (${error.message})` };
  if (error instanceof RangeError)
    // Either the host's native stack is used up, or an image's addresses lead outside its memory.
    return {
      kind: "fault",
      code: "ENOMEM",
      message: `the interpreter ran out of this host's stack (${error.message})`,
    };
  throw error;
}
