/** The directory's WebSockets: carries out what `step` decides, and turns whatever arrives into its events. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { Invalid } from "../fabric/base/codec.ts";
import { unreachable } from "../fabric/base/errors.ts";
import type { HostId } from "../fabric/base/ids.ts";
import { DIRECTORY_LIMITS, decodeToRelay, encodeFromRelay } from "../fabric/wire/directory.ts";
import { provesToRelay } from "../fabric/wire/identity.ts";
import type { Proof } from "../fabric/wire/proof.ts";
import { type ConnectionId, type Effect, type Event, listOf, newDirectory, step } from "./directory.ts";
import type { Ice } from "./ice.ts";
import { RELAY_LIMITS } from "./limits.ts";

export interface DirectorySockets {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Connections, and entries of the list. */
  count(): { connections: number; hosts: number };
  close(): void;
}

/** Tickets come from and go to signalling: one for each host that is connected here. */
export interface Tickets {
  issue(host: HostId): string;
  revoke(host: HostId): void;
}

export function directorySockets(
  tickets: Tickets,
  ice: Ice,
  log: Logger,
  refused: (code: string) => void,
): DirectorySockets {
  const state = newDirectory();
  const sockets = new Map<ConnectionId, WebSocket>();
  /** Who says to be whom, and what that one is to sign: until the answer. */
  const challenged = new Map<ConnectionId, { host: HostId; challenge: Uint8Array }>();
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: DIRECTORY_LIMITS.requestBytes,
    perMessageDeflate: false,
  });
  let opened = 0;

  const happen = (event: Event) => {
    for (const effect of step(state, event, performance.now())) perform(effect);
  };
  const perform = (effect: Effect) => {
    switch (effect.type) {
      case "send": {
        const bytes = encodeFromRelay(effect.message);
        for (const id of effect.to) give(id, bytes);
        return;
      }
      case "challenge": {
        const challenge = new Uint8Array(randomBytes(DIRECTORY_LIMITS.challengeBytes));
        challenged.set(effect.to, { host: effect.host, challenge });
        return give(effect.to, encodeFromRelay({ type: "challenge", challenge }));
      }
      case "welcome":
        nameServers(effect.host, effect.to);
        return give(effect.to, encodeFromRelay({ type: "welcome", ticket: tickets.issue(effect.host) }));
      case "refuse":
        log.warn({ connection: effect.to, code: effect.code }, `refused: ${effect.reason}`);
        refused(effect.code);
        give(effect.to, encodeFromRelay({ type: "refused", code: effect.code, reason: effect.reason }));
        return sockets.get(effect.to)?.close(1008);
      case "cut":
        log.info({ connection: effect.connection }, "silent for too long");
        return sockets.get(effect.connection)?.terminate();
      case "gone":
        log.debug({ host: effect.host }, "gone");
        return tickets.revoke(effect.host);
      default:
        return unreachable(effect);
    }
  };
  /** Each challenge is answered once: whoever guesses has to connect again. */
  const isAnswered = (id: ConnectionId, proof: Proof): boolean => {
    const asked = challenged.get(id);
    challenged.delete(id);
    return asked !== undefined && provesToRelay(asked.host, proof, asked.challenge);
  };
  const nameServers = (host: HostId, id: ConnectionId) => {
    const servers = ice.serversFor(host, Date.now());
    if (servers.length > 0) give(id, encodeFromRelay({ type: "ice", servers }));
  };
  const give = (id: ConnectionId, bytes: Uint8Array) => {
    const socket = sockets.get(id);
    if (!socket) return;
    if (socket.bufferedAmount > RELAY_LIMITS.unsentBytes) {
      log.warn({ connection: id }, "takes its messages too slowly");
      socket.terminate();
    } else socket.send(bytes);
  };

  server.on("connection", (socket: WebSocket) => {
    const connection = opened++;
    sockets.set(connection, socket);
    socket.binaryType = "nodebuffer";
    socket.on("error", (error) => log.warn({ connection }, `refused: ${error.message}`)); // ws closes it by itself
    socket.on("message", (data: RawData, isBinary) => {
      const message = isBinary && data instanceof Uint8Array ? decodeToRelay(data) : new Invalid("text");
      if (message instanceof Invalid) happen({ type: "garbage", connection, reason: message.reason });
      else if (message.type === "proof")
        happen({ type: "answered", connection, rightly: isAnswered(connection, message) });
      else happen({ type: "message", connection, message });
    });
    socket.on("close", () => {
      sockets.delete(connection);
      challenged.delete(connection);
      happen({ type: "close", connection });
    });
    happen({ type: "open", connection });
  });
  const timer = setInterval(() => happen({ type: "tick" }), RELAY_LIMITS.tickMs);
  const renewal = setInterval(() => {
    for (const [host, id] of state.hosts) nameServers(host, id);
  }, RELAY_LIMITS.renewIceMs);

  return {
    upgrade: (request, socket, head) =>
      server.handleUpgrade(request, socket, head, (client) => server.emit("connection", client, request)),
    count: () => ({ connections: state.connections.size, hosts: listOf(state).length }),
    close() {
      clearInterval(timer);
      clearInterval(renewal);
      for (const socket of sockets.values()) farewell(socket);
    },
  };
}

/** Says why not, and waits for nothing: a connection that is to be upgraded has no timeouts any more. */
export const refuseUpgrade = (socket: Duplex, status: string): void =>
  void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());

/** Says that the relay restarts (RFC 6455: 1012), so that everybody comes back soon; does not wait long for an answer. */
export function farewell(socket: WebSocket): void {
  socket.close(1012, "the relay restarts");
  const timer = setTimeout(() => socket.terminate(), RELAY_LIMITS.farewellMs);
  socket.once("close", () => clearTimeout(timer));
}
