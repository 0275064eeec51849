/**
 * PeerServer, with what it lacks: who may speak as whom (a ticket of the directory), what is a message at all, how
 * much of it, and an end. It introduces hosts to each other; no data of theirs passes here.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { Express } from "express";
import { ExpressPeerServer } from "peer";
import type { Logger } from "pino";
import { WebSocket, WebSocketServer } from "ws";
import type { HostId } from "../fabric/base/ids.ts";
import { DIRECTORY_LIMITS, SIGNALLING_PATH } from "../fabric/wire/directory.ts";
import { farewell, refuseUpgrade, type Tickets } from "./directory-sockets.ts";
import { Allowance, RELAY_LIMITS } from "./limits.ts";

export interface Signalling extends Tickets {
  /** For how long nothing has been forwarded. */
  quietMs(): number;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}

/** What hosts may send each other. LEAVE and EXPIRE are the server's to say, if anybody's. */
const FORWARDED = new Set(["OFFER", "ANSWER", "CANDIDATE"]);

export function signalling(
  app: Express,
  server: Server,
  log: Logger,
  seen: { refused(): void; forwarded(type: string, bytes: number): void },
): Signalling {
  const tickets = new Map<string, string>();
  const sockets = new Map<string, HostSocket>();
  /** By host, on whichever connection it says it. */
  const allowances = new Map<string, Allowance>();
  let closed = false;
  let forwardedMs = Number.NEGATIVE_INFINITY;

  /** PeerServer reads no message that this class does not emit. */
  class HostSocket extends WebSocket {
    host = "";

    override emit(event: string | symbol, ...args: unknown[]): boolean {
      // What it still says after it was refused is nothing.
      if (event === "message" && (this.readyState !== WebSocket.OPEN || !this.#forwards(args[0])))
        return false;
      return super.emit(event, ...args);
    }

    #forwards(data: unknown): boolean {
      const text = data instanceof Uint8Array ? data.toString() : "";
      if (!allowances.get(this.host)?.take(text.length, performance.now()))
        return this.#refuse("too much signalling");
      const message = parse(text);
      if (!message) return this.#refuse("not a signalling message");
      if (message.type === "HEARTBEAT") return true;
      if (!FORWARDED.has(message.type)) return false;
      const to = sockets.get(message.dst);
      if (to && to.bufferedAmount > RELAY_LIMITS.unsentSignalBytes) {
        log.warn({ host: message.dst }, "takes its signalling too slowly");
        to.terminate();
      } else if (to) {
        forwardedMs = performance.now();
        seen.forwarded(message.type, data instanceof Uint8Array ? data.length : 0);
        return true;
      }
      // PeerServer would keep it for a host that may never come, and say so after five seconds.
      if (message.type === "OFFER")
        this.send(JSON.stringify({ type: "EXPIRE", src: message.dst, dst: this.host }));
      return false;
    }

    #refuse(reason: string): false {
      log.warn({ host: this.host }, `refused: ${reason}`);
      seen.refused();
      this.close(1008, reason);
      return false;
    }
  }

  const sockServer = new WebSocketServer({
    noServer: true,
    WebSocket: HostSocket,
    maxPayload: RELAY_LIMITS.signalBytes,
    perMessageDeflate: false,
  });
  const peerServer = ExpressPeerServer(server, {
    createWebSocketServer: () => sockServer, // not on `server`: two such servers refuse each other's connections
    concurrent_limit: DIRECTORY_LIMITS.hosts,
    allow_discovery: false,
  });
  peerServer.on("error", (error) => log.warn(`signalling: ${error.message}`)); // unheard, it would end the process
  ownTimers(
    () => app.use(SIGNALLING_PATH, peerServer),
    () => closed,
  );

  const admit = (host: string, request: IncomingMessage, socket: Duplex, head: Buffer) =>
    sockServer.handleUpgrade(request, socket, head, (client) => {
      client.host = host;
      sockets.set(host, client);
      client.once("close", () => sockets.get(host) === client && sockets.delete(host));
      sockServer.emit("connection", client, request);
    });

  return {
    upgrade(request, socket, head) {
      const query = new URL(request.url ?? "", "http://relay").searchParams;
      const host = query.get("id") ?? "";
      const token = query.get("token") ?? "";
      if (!host || tickets.get(host) !== token) {
        log.warn("refused: signalling without a ticket");
        seen.refused();
        return refuseUpgrade(socket, "403 Forbidden");
      }
      // What PeerServer reads of it is what was looked at: of a name that comes twice it would take the other.
      request.url = `${SIGNALLING_PATH}/peerjs?${new URLSearchParams({ key: "peerjs", id: host, token })}`;
      // PeerServer would give the new socket to the old client, half open as it may be, and never greet it.
      const older = sockets.get(host);
      if (!older) return admit(host, request, socket, head);
      older.once("close", () => admit(host, request, socket, head));
      older.terminate();
    },
    issue(host: HostId) {
      const ticket = randomBytes(16).toString("hex");
      tickets.set(host, ticket);
      const { signalBytesAtOnce, signalBytesPerSecond } = RELAY_LIMITS;
      if (!allowances.has(host))
        allowances.set(host, new Allowance(signalBytesAtOnce, signalBytesPerSecond, performance.now()));
      return ticket;
    },
    revoke(host) {
      tickets.delete(host);
      allowances.delete(host);
      sockets.get(host)?.terminate();
    },
    quietMs: () => performance.now() - forwardedMs,
    close() {
      closed = true;
      for (const socket of sockets.values()) farewell(socket);
    },
  };
}

function parse(text: string): { type: string; dst: string } | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== "object" || message === null) return undefined;
    const { type, dst = "" } = message as { type?: unknown; dst?: unknown };
    return typeof type === "string" && typeof dst === "string" ? { type, dst } : undefined;
  } catch {
    return undefined;
  }
}

/** PeerServer's timers set themselves again for ever and would keep the process alive: here they end. */
function ownTimers(run: () => void, ended: () => boolean): void {
  const { setTimeout } = globalThis;
  const owned = (callback: () => void, ms?: number) =>
    setTimeout(() => !ended() && ownTimers(callback, ended), ms).unref();
  globalThis.setTimeout = owned as typeof setTimeout;
  try {
    run();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}
