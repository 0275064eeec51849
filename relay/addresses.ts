/** What one address may have of the relay: so many connections at once, and so many new ones a second. */
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { Allowance, RELAY_LIMITS } from "./limits.ts";

interface Use {
  connections: number;
  readonly openings: Allowance;
}

export class Addresses {
  readonly #uses = new Map<string, Use>();

  /** Takes one connection, to be given back with `release`; false when the address has had enough. */
  admit(address: string, nowMs: number): boolean {
    const { openingsAtOnce, openingsPerSecond, connectionsPerAddress } = RELAY_LIMITS;
    let use = this.#uses.get(address);
    if (!use) {
      use = { connections: 0, openings: new Allowance(openingsAtOnce, openingsPerSecond, nowMs) };
      this.#uses.set(address, use);
    }
    if (use.connections >= connectionsPerAddress || !use.openings.take(1, nowMs)) return false;
    use.connections++;
    return true;
  }

  release(address: string): void {
    const use = this.#uses.get(address);
    if (use) use.connections--;
  }

  /** Forgets who has no connection and could open as many as anybody. */
  tidy(nowMs: number): void {
    for (const [address, { connections, openings }] of this.#uses)
      if (connections === 0 && openings.isFull(nowMs)) this.#uses.delete(address);
  }
}

/**
 * Who asks: behind a proxy, whom the proxy says it speaks for (the last name; those before it are the client's own
 * words). Of IPv6 the first 64 bits, which one subscriber has to himself.
 */
export function addressOf({ socket, headers }: IncomingMessage, behindProxy: boolean): string {
  const forwarded = [headers["x-forwarded-for"] ?? ""].flat().join(",").split(",").at(-1)?.trim();
  const address = (behindProxy && forwarded) || socket.remoteAddress || "";
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  return isIPv6(plain) ? subnetOf(plain) : plain;
}

function subnetOf(address: string): string {
  const [left = "", right] = address.split("%")[0]?.split("::") ?? [];
  const groups = left === "" ? [] : left.split(":");
  const missing = right === undefined ? 0 : 8 - groups.length - (right === "" ? 0 : right.split(":").length);
  return [...groups, ...Array<string>(Math.max(0, missing)).fill("0"), ...(right ? right.split(":") : [])]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}

/** Asked from this very machine, and for nobody else. */
export const isLocal = ({ socket, headers }: IncomingMessage): boolean =>
  headers["x-forwarded-for"] === undefined &&
  headers.forwarded === undefined &&
  /^(127\.|::1$|::ffff:127\.)/.test(socket.remoteAddress ?? "");
