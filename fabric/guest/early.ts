/** Imported first: what the libraries in this bundle expect to find when their own modules are evaluated. */
import { atob } from "./encoding.ts";

Object.assign(globalThis, { atob });
