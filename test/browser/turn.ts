/** A TURN server on this machine that knows credentials as coturn does with `use-auth-secret`. */
import { createHmac } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import Turn from "node-turn";
import { must } from "../../fabric/base/errors.ts";

export interface TurnServer {
  /** As the relay is told. */
  readonly url: string;
  /** How many hosts have named themselves. */
  readonly hosts: number;
  close(): void;
}

export async function startTurn(secret: string): Promise<TurnServer> {
  // Browsers ask no server at the loopback address for a way to others.
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const { address } = must(
    addresses.find(({ family, internal }) => family === "IPv4" && !internal),
    "network interface besides loopback",
  );
  const port = await freePort(address);
  const names = new Set<string>();
  const credentials = new Proxy<Record<string, string>>(
    {},
    {
      get(_, username: string) {
        if (Number.parseInt(username, 10) < Date.now() / 1000) return undefined;
        names.add(username.split(":")[1] ?? "");
        return createHmac("sha1", secret).update(username).digest("base64");
      },
    },
  );
  const server = new Turn({
    listeningIps: [address],
    relayIps: [address],
    listeningPort: port,
    authMech: "long-term",
    credentials,
  });
  server.start();
  return {
    url: `turn:${address}:${port}?transport=udp`,
    get hosts() {
      return names.size;
    },
    close() {
      for (const { sockets, timer } of Object.values(server.allocations)) {
        clearTimeout(timer);
        for (const socket of sockets) socket.close();
      }
      server.stop();
    },
  };
}

async function freePort(address: string): Promise<number> {
  const socket = createSocket("udp4").bind(0, address);
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise<void>((done) => socket.close(done));
  return port;
}
