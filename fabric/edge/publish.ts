/** Makes a job whose home is this process known to the user's other terminals: a socket and a record of it. */
import { chmod, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { RoostError } from "../base/errors.ts";
import type { Fabric } from "../host/fabric.ts";
import type { Job } from "../host/job.ts";
import { reportOf } from "../host/view.ts";
import { systemClock } from "../io/clock.ts";
import { socketLink } from "../io/socket-link.ts";
import { claim } from "./claim.ts";
import { forgetOld } from "./forget.ts";
import { record as recorded } from "./recording.ts";
import { type JobRecord, prepareState, removeRecord, socketFor, writeEnded, writeRecord } from "./state.ts";

/** Those who read to the end get the last of it, unless they take nothing for so long. */
const FAREWELL_MS = 2_000;

export interface Published {
  /** Writes what a detached job leaves, when it has ended, for those who come later. */
  record(): Promise<void>;
  /** Lets readers finish, and takes the record away; not of a detached job. */
  close(): Promise<void>;
}

/** Throws RoostError where the record cannot be kept. */
export async function publish(...[home, job, options]: Parameters<typeof tell>): Promise<Published> {
  try {
    return await tell(home, job, options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const sentence = `other terminals cannot find this job (${why}); set ROOST_STATE to a directory that you can write to`;
    throw new RoostError("EIO", sentence, { cause: error });
  }
}

async function tell(
  home: Fabric,
  job: Job,
  options: {
    readonly relay: URL | undefined;
    readonly detached: boolean;
    readonly launch?: JobRecord["launch"];
  },
): Promise<Published> {
  await prepareState();
  const address = home.addressOf(job);
  const { spec } = job.state;
  const record: JobRecord = {
    version: 1,
    id: job.id,
    name: spec.name,
    args: spec.args,
    osPid: process.pid,
    startedMs: job.startedMs,
    socket: socketFor(job.id),
    secret: address.split(".")[1] ?? "",
    address,
    relay: options.relay?.href,
    detached: options.detached,
    launch: options.launch,
  };
  if (options.detached) await claim(job.id);
  // A home that died has left its socket behind.
  if (process.platform !== "win32") await rm(record.socket, { force: true });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    home.accept(socketLink(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(record.socket, resolve);
  });
  server.unref(); // the job keeps this process alive, not those who look at it
  if (process.platform !== "win32") await chmod(record.socket, 0o600);
  await writeRecord(record);
  await forgetOld();
  return {
    record: () => writeEnded(job.id, recorded(job.output, reportOf(job, systemClock.now()))),
    async close() {
      server.close();
      if (job.endedMs !== undefined) {
        await home.readersServed(FAREWELL_MS);
        await taken(sockets);
      }
      if (!options.detached) await removeRecord(record);
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Resolves when everything was handed to those who read, or they take too long. */
async function taken(sockets: ReadonlySet<Socket>): Promise<void> {
  const giveUpMs = performance.now() + FAREWELL_MS;
  for (const socket of sockets) socket.end();
  const drained = Array.from(
    sockets,
    (socket) => new Promise((resolve) => (socket.destroyed ? resolve(0) : socket.once("close", resolve))),
  );
  const late = new Promise((resolve) => setTimeout(resolve, giveUpMs - performance.now()).unref());
  await Promise.race([Promise.all(drained), late]);
}
