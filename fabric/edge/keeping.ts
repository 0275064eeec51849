/** `roost relay`, `bench`, and `npm start`. */
import { existsSync } from "node:fs";
import type { Relay } from "../../relay/index.ts";
import { RoostError } from "../base/errors.ts";
import { demonstrate, serve } from "./start.ts";

export interface RelayCommand {
  readonly port: number;
  readonly origin?: readonly string[];
  readonly behindProxy?: boolean;
  readonly ice?: readonly string[];
  readonly json?: boolean;
}

export async function relay(command: RelayCommand): Promise<void> {
  const { port, origin: origins = [], behindProxy = false, ice = [], json } = command;
  const { ROOST_TURN_SECRET: turnSecret } = process.env;
  const relay = await serve({ port, origins, behindProxy, ice, ...(turnSecret ? { turnSecret } : {}) }, json);
  closeOnSignal(relay);
}

export async function start(port: number, demo: boolean): Promise<void> {
  const relay = await serve({ port });
  closeOnSignal(relay);
  if (!demo) return;
  try {
    await demonstrate();
  } catch (error) {
    await relay.close();
    throw error;
  }
  process.stdout.write(`Still serving http://localhost:${relay.port}; Ctrl-C ends it.\n`);
}

/** In a checkout only: what it measures with are development dependencies. */
export async function bench(suites: readonly string[], jsonFile: string | undefined): Promise<void> {
  const file = new URL("./bench.js", import.meta.url);
  if (!existsSync(file))
    throw new RoostError("ENOENT", "`roost bench` needs a checkout of Roost; clone it and run it there");
  const { bench } = (await import(file.href)) as typeof import("../../test/bench/main.ts");
  await bench(suites, jsonFile);
}

/** Ctrl-C ends it at once; what restarts services (SIGTERM) lets those who are just connecting finish. */
function closeOnSignal(relay: Relay): void {
  const end = () => relay.close().then(() => process.exit(0));
  process.once("SIGINT", end);
  process.once("SIGTERM", () => relay.drain().then(end));
}
