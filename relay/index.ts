/**
 * The relay: one process, one port. It serves the page, introduces hosts to each other (PeerServer) and keeps the
 * directory of who is there. Programs and their data never pass through it.
 */
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers/promises";
import express, { type RequestHandler } from "express";
import { type Logger, pino } from "pino";
import { RoostError } from "../fabric/base/errors.ts";
import { DIRECTORY_PATH, DIRECTORY_VERSION, SIGNALLING_PATH } from "../fabric/wire/directory.ts";
import { Addresses, addressOf, isLocal } from "./addresses.ts";
import { directorySockets, refuseUpgrade } from "./directory-sockets.ts";
import { iceServers } from "./ice.ts";
import { RELAY_LIMITS } from "./limits.ts";
import { relayMetrics } from "./metrics.ts";
import { page } from "./page.ts";
import { signalling } from "./signalling.ts";

export interface RelayOptions {
  /** 0: any that is free. */
  readonly port: number;
  /** Without it, every interface. */
  readonly host?: string;
  /** The built page. Without it, only hosts can connect. */
  readonly pageDirectory?: string;
  /** Origins of pages served elsewhere that may connect too, like `http://localhost:5173`. */
  readonly origins?: readonly string[];
  /** A proxy stands before it, and says in `x-forwarded-for` for whom it speaks, in `x-forwarded-host` what that one asked for. */
  readonly behindProxy?: boolean;
  /** STUN and TURN servers (`stun:HOST:PORT`, `turn:HOST:PORT?transport=udp`) for hosts that do not reach each other. */
  readonly ice?: readonly string[];
  /** Of the TURN servers: coturn's `static-auth-secret`. */
  readonly turnSecret?: string;
  /** By default warnings only, to stderr. No payload is ever logged. */
  readonly log?: Logger;
}

export interface Relay extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Takes nobody new, and resolves when those who are connecting have had time to; then `close`. */
  drain(): Promise<void>;
  /** Ends every connection, telling each to come back; resolves when the port is free again. */
  close(): Promise<void>;
}

export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { pageDirectory, behindProxy = false } = options;
  const origins = (options.origins ?? []).map(originOf);
  const ice = iceServers(options.ice ?? [], options.turnSecret);
  const log = options.log ?? pino({ level: "warn" }, pino.destination(2));
  if (pageDirectory !== undefined && !existsSync(pageDirectory))
    throw new RoostError("ENOENT", `there is no page in ${pageDirectory}; build it with \`npm run build\``);

  const app = express().disable("x-powered-by");
  const server = createServer(app);
  const metrics = relayMetrics(() => directory.count());
  const signals = signalling(app, server, log, {
    refused: () => metrics.refused("signalling", "EPERM"),
    forwarded: metrics.forwarded,
  });
  const directory = directorySockets(signals, ice, log, (code) => metrics.refused("directory", code));
  const addresses = new Addresses();
  const tidying = setInterval(() => addresses.tidy(performance.now()), 10_000).unref();
  let draining = false;

  const upgrades = new Map([
    [DIRECTORY_PATH, directory.upgrade],
    [`${SIGNALLING_PATH}/peerjs`, signals.upgrade],
  ]);
  /** Connections that were upgraded, or are to be: the server itself forgets them. */
  const open = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    const refuse = (status: string, reason: string) => {
      log.warn(`refused: ${reason}`);
      metrics.refused("upgrade", status.slice(0, 3));
      refuseUpgrade(socket, status);
    };
    const upgrade = upgrades.get(request.url?.split("?")[0] ?? "");
    if (!upgrade) return refuse("404 Not Found", "nothing to connect to there");
    const stranger = strangerIn(request, origins, behindProxy);
    if (stranger) return refuse("403 Forbidden", stranger);
    if (draining) return refuse("503 Service Unavailable", "this relay is about to end");
    const address = addressOf(request, behindProxy);
    if (!addresses.admit(address, performance.now()))
      return refuse("429 Too Many Requests", "too many connections of one address");
    socket.once("close", () => addresses.release(address));
    upgrade(request, socket, head);
  });

  app.use(secure);
  app.get("/health", (_, response) => {
    response
      .status(draining ? 503 : 200)
      .json({ ok: !draining, directoryVersion: DIRECTORY_VERSION, ...directory.count() });
  });
  app.get("/metrics", async (request, response, next) => {
    if (!isLocal(request)) return next(); // its keeper's business
    response.type(metrics.contentType).send(await metrics.text());
  });
  if (pageDirectory !== undefined) app.use(page(pageDirectory));
  app.use((_, response) => {
    response.status(404).type("text").send("There is nothing here.\n");
  });

  const drain = async () => {
    draining = true;
    const endMs = performance.now() + RELAY_LIMITS.drainMs;
    while (performance.now() < endMs && signals.quietMs() < RELAY_LIMITS.drainQuietMs)
      await setTimeout(RELAY_LIMITS.tickMs);
  };
  const close = async () => {
    clearInterval(tidying);
    directory.close();
    signals.close();
    server.closeAllConnections();
    const goodbyes = globalThis.setTimeout(() => {
      for (const socket of open) socket.destroy();
    }, RELAY_LIMITS.goodbyeMs);
    if (server.listening) await new Promise((resolve) => server.close(resolve));
    clearTimeout(goodbyes);
  };
  try {
    await listen(options, server);
  } catch (error) {
    await close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return { url: `http://localhost:${port}`, port, drain, close, [Symbol.asyncDispose]: close };
}

/** As browsers say it. Throws RoostError EINVAL where it is none. */
function originOf(text: string): string {
  const { origin } = URL.canParse(text) ? new URL(text) : { origin: "null" };
  if (origin !== "null") return origin;
  throw new RoostError("EINVAL", `${text} is no origin of a page; write it like https://example.org`);
}

/**
 * Why a page may not connect, in words: one of any other site could else use its visitors' relay, one inside a firewall
 * too. Node sends no origin.
 */
function strangerIn(
  { headers }: IncomingMessage,
  origins: readonly string[],
  behindProxy: boolean,
): string | undefined {
  const { origin, host } = headers;
  const hosts = [host, behindProxy ? headers["x-forwarded-host"] : undefined];
  if (origin === undefined || origins.includes(origin)) return undefined;
  if (URL.canParse(origin) && hosts.includes(new URL(origin).host)) return undefined;
  const hint = behindProxy ? "" : "; if that is this relay's own, let the proxy pass `Host` on";
  return `a page of another origin: it came from ${origin}, and asks ${host}${hint}`;
}

/** The page may run what came with it, WebAssembly included, and speak to this relay only; nobody may embed it. */
const secure: RequestHandler = (_, response, next) => {
  response.set({
    "content-security-policy": [
      "default-src 'self'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "worker-src 'self' blob:",
      "img-src 'self' data: blob:",
      "object-src 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
    // Isolated from all other origins, the page may share memory with its workers: an owner's wish stops them at once.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  next();
};

function listen({ port, host }: RelayOptions, server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "EADDRINUSE")
        reject(
          new RoostError(
            "EEXIST",
            `port ${port} is in use: stop what uses it, or choose another with --port or PORT`,
            { cause },
          ),
        );
      else if (cause.code === "EACCES")
        reject(
          new RoostError("EACCES", `port ${port} is not for everybody: set PORT to 1024 or more`, { cause }),
        );
      else reject(new RoostError("EIO", `cannot listen on port ${port}: ${cause.message}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
}
