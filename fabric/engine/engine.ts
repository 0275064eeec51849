/** The compiled engine and its identity. A plain object: it can be posted to workers. */

import { hex } from "../base/bytes.ts";
import { RoostError } from "../base/errors.ts";
import type { BootedBase } from "./base-image.ts";
import { digest } from "./packing.ts";

export interface Engine {
  readonly module: WebAssembly.Module;
  /** SHA-256 of the module's bytes, in hexadecimal. Images name it. */
  readonly id: string;
  /** What booting it with a certain prelude comes to, where that is known (kept-base.ts). */
  readonly booted?: BootedBase;
}

export async function loadEngine(bytes: Uint8Array): Promise<Engine> {
  try {
    const [module, id] = await Promise.all([
      WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>),
      sha256(bytes),
    ]);
    return { module, id };
  } catch (cause) {
    if (!(cause instanceof WebAssembly.CompileError)) throw cause;
    throw new RoostError("EVERSION", "this host cannot compile the engine; update the browser or Node", {
      cause,
    });
  }
}

/** In hexadecimal. */
export const sha256 = async (bytes: Uint8Array): Promise<string> => hex(await digest(bytes));
