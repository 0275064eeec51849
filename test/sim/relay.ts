/** The relay's directory, the very one, with participants that announce themselves to it and come back when it has lost them. */
import type { HostId } from "../../fabric/base/ids.ts";
import type { Presence } from "../../fabric/base/ports.ts";
import { DIRECTORY_VERSION, type FromRelay, type ToRelay } from "../../fabric/wire/directory.ts";
import { type ConnectionId, type Event, newDirectory, step } from "../../relay/directory.ts";
import { RELAY_LIMITS } from "../../relay/limits.ts";
import type { Party } from "./party.ts";
import type { World } from "./world.ts";

const RETRY_MS = 250;
/** Nobody here says he is somebody else, and ten thousand histories have no time for signatures. */
const NONE = new Uint8Array();

export interface Participant {
  readonly id: HostId;
  readonly party: Party;
  readonly taking: () => boolean;
  readonly onHosts: (hosts: readonly Presence[]) => void;
}

interface Connection {
  readonly toRelay: (message: ToRelay) => void;
  readonly toClient: (message: FromRelay) => void;
  readonly lost: () => void;
}

export class SimulatedRelay {
  readonly #world: World;
  #directory = newDirectory();
  #up = true;
  readonly #connections = new Map<ConnectionId, Connection>();
  #next = 0;

  constructor(world: World) {
    this.#world = world;
    this.#tick();
  }

  /** It is gone for so long, and then knows nobody. */
  restart(downMs: number): void {
    this.#up = false;
    this.#directory = newDirectory();
    for (const { lost } of this.#connections.values()) this.#world.after(this.#world.between(0, 100), lost);
    this.#connections.clear();
    this.#world.after(downMs, () => {
      this.#up = true;
    });
  }

  /** Keeps a participant announced, for as long as it lives. Answers with how to say that something has changed. */
  join(self: Participant): () => void {
    const world = this.#world;
    let connection: Connection | undefined;
    const listed = new Map<HostId, Presence>();
    const announce = () =>
      connection?.toRelay({
        type: "announce",
        name: self.id,
        platform: "simulated",
        taking: self.taking(),
        group: "",
      });
    const again = () => world.after(RETRY_MS * world.between(0.5, 1.5), () => self.party.enter(connect));
    const connect = () => {
      if (!self.party.alive) return;
      if (!this.#up) return void again();
      const id = this.#next++;
      const mine: Connection = {
        toRelay: world.pipe(10, (message) => {
          if (this.#connections.get(id) !== mine) return;
          if (message.type === "proof") this.#happen({ type: "answered", connection: id, rightly: true });
          else this.#happen({ type: "message", connection: id, message });
        }),
        toClient: world.pipe(10, (message) =>
          self.party.enter(() => {
            if (connection !== mine) return;
            if (message.type === "challenge") mine.toRelay({ type: "proof", key: NONE, signature: NONE });
            if (message.type === "welcome") announce();
            if (message.type === "ask") mine.toRelay({ type: "alive" });
            if (message.type === "hosts") {
              listed.clear();
              for (const entry of message.hosts) listed.set(entry.host, entry);
            }
            if (message.type === "changes") {
              for (const host of message.left) listed.delete(host);
              for (const entry of message.entries) listed.set(entry.host, entry);
            }
            if (message.type === "hosts" || message.type === "changes") self.onHosts([...listed.values()]);
            if (message.type === "refused") mine.lost();
          }),
        ),
        lost: () =>
          self.party.enter(() => {
            if (connection !== mine) return;
            connection = undefined;
            again();
          }),
      };
      connection = mine;
      this.#connections.set(id, mine);
      this.#happen({ type: "open", connection: id });
      mine.toRelay({ type: "hello", version: DIRECTORY_VERSION, host: self.id });
    };
    connect();
    return announce;
  }

  #tick(): void {
    this.#world.after(RELAY_LIMITS.tickMs, () => {
      this.#happen({ type: "tick" });
      this.#tick();
    });
  }

  #happen(event: Event): void {
    for (const effect of step(this.#directory, event, this.#world.nowMs))
      switch (effect.type) {
        case "send":
          for (const to of effect.to) this.#connections.get(to)?.toClient(effect.message);
          break;
        case "challenge":
          this.#connections.get(effect.to)?.toClient({ type: "challenge", challenge: NONE });
          break;
        case "welcome":
          this.#connections.get(effect.to)?.toClient({ type: "welcome", ticket: "ticket" });
          break;
        case "refuse":
        case "cut": {
          const id = effect.type === "refuse" ? effect.to : effect.connection;
          const connection = this.#connections.get(id);
          this.#connections.delete(id);
          if (connection) this.#world.after(this.#world.between(0, 20), connection.lost);
          break;
        }
        case "gone":
          break;
      }
  }
}
