/**
 * The module "roost", as it is evaluated once in every base image: what programs import, the conventional globals,
 * and the hooks by which the machine runs a program to its end. Types and their documentation: roost.d.ts.
 */
import "./early.ts";
import { installGlobals } from "./globals.ts";
import { hooks } from "./loop.ts";

export { RoostError } from "../base/errors.ts";
export { bsp } from "./bsp.ts";
export { fs } from "./files.ts";
export { readline } from "./globals.ts";
export { group } from "./group.ts";
export { notify, probe, recv, send } from "./messages.ts";
export {
  exit,
  fork,
  getpid,
  getppid,
  hostname,
  hosts,
  kill,
  map,
  migrate,
  on,
  sleep,
  wait,
  waitpid,
} from "./processes.ts";
export { space } from "./space.ts";

installGlobals();
// The machine takes this and deletes it before any program runs.
Object.assign(globalThis, { __hooks: hooks });
