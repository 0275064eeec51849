/** This process as a participant at a relay, over WebRTC. */
import { RoostError } from "../base/errors.ts";
import { Fabric } from "../host/fabric.ts";
import { installNodeRtc } from "../io/node-rtc.ts";
import { connectRelay } from "../io/rendezvous.ts";
import { nodeEnvironment } from "./environment.ts";

export interface Participant extends AsyncDisposable {
  readonly fabric: Fabric;
}

/** A relay on the same machine answers in milliseconds, one far away in a second. */
const ANSWER_MS = 5_000;

export interface JoinOptions {
  readonly workers: number;
  /** Starts the workers meanwhile: a job is to be launched. */
  readonly prepare?: boolean;
  readonly log?: (sentence: string) => void;
}

/** Resolves when the relay knows this participant; throws RoostError, with how to start one, where there is none. */
export async function joinRelay(relay: URL, options: JoinOptions): Promise<Participant> {
  const endRtc = await installNodeRtc();
  const log = options.log ?? (() => {});
  const environment = nodeEnvironment({ log, rendezvous: (host) => connectRelay({ url: relay, host, log }) });
  const fabric = new Fabric(environment, { workers: options.workers });
  if (options.prepare) fabric.prepare().catch(() => {}); // whoever needs them is told
  const close = async () => {
    fabric.close();
    endRtc();
  };
  try {
    await online(fabric, relay);
  } catch (error) {
    await close();
    throw error;
  }
  return { fabric, [Symbol.asyncDispose]: close };
}

function online(fabric: Fabric, relay: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (fabric.view.relay.state !== "online") return;
      clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = setTimeout(() => {
      stop();
      const sentence = `no relay answers at ${relay.origin}; start one with \`npx roost relay\`, name another with --relay, or do without: --local`;
      reject(new RoostError("ENOHOST", sentence));
    }, ANSWER_MS);
    const stop = fabric.onChange(look);
    look();
  });
}
