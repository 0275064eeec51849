/**
 * Links as the port promises them, reliable and ordered but for what gives way, and beneath them what networks do: delays, stalls, directions
 * in which nothing gets through until a link is given up for silence, cuts that lose what is under way.
 */
import { LIMITS } from "../../fabric/base/limits.ts";
import type { Link, LinkEnd } from "../../fabric/base/ports.ts";
import type { Party } from "./party.ts";
import type { World } from "./world.ts";

/** Who ends a link for silence does so within a heartbeat after LIMITS.silenceMs. */
const silenceMs = (world: World) => LIMITS.silenceMs + world.between(0, LIMITS.heartbeatMs);

/** What a link tells the observer: every message, when it leaves and when it is about to be heard. */
export interface Tap {
  sent(message: Uint8Array): void;
  heard(message: Uint8Array): void;
}
/** Milliseconds that a message of so many bytes takes that is sent now. */
export type Way = (bytes: number) => number;

/** What gives way is overtaken by several others. */
const GIVING_WAY_TAKES = 5;

const NO_TAP: Tap = { sent: () => {}, heard: () => {} };

export class SimulatedLink {
  /** The home's, and the host's. */
  readonly ends: readonly [SimulatedEnd, SimulatedEnd];
  readonly #world: World;

  /** `ways`: of what the home sends, and the host. */
  constructor(world: World, parties: readonly [Party, Party], ways: readonly [Way, Way]) {
    this.#world = world;
    const a = new SimulatedEnd(world, parties[0], ways[0]);
    const b = new SimulatedEnd(world, parties[1], ways[1]);
    a.other = b;
    b.other = a;
    this.ends = [a, b];
  }

  /** The host cannot hear its home now, and has not noticed. */
  get isCutOff(): boolean {
    const [home, host] = this.ends;
    if (host.ended) return false;
    return (
      !home.open || host.broken || home.blocked || host.blocked || home.party.asleep || host.party.asleep
    );
  }
  /** Nothing from `from` (0, 1) gets through for so long. Where that is longer than silence may be, the other end gives up. */
  block(from: 0 | 1, forMs: number): void {
    this.ends[from].block(this.#world.nowMs + forMs, silenceMs(this.#world));
  }

  /** `forMs` is how long a party says nothing. A browser that confirms packets lets a page be mute for longer. */
  mute(from: 0 | 1, forMs: number, confirms: boolean): void {
    if (forMs > (confirms ? LIMITS.muteMs : LIMITS.silenceMs)) this.block(from, forMs);
  }

  /** Loses what is under way; each end learns it in its own time. */
  cut(reason: string): void {
    for (const end of this.ends) {
      end.broken = true;
      this.#world.after(this.#world.between(0, silenceMs(this.#world)), () => end.end({ reason }));
    }
  }

  heal(): void {
    for (const end of this.ends) end.unblock();
  }
}

export class SimulatedEnd implements Link {
  onMessage: (message: Uint8Array) => void = () => {};
  onEnd: (end: LinkEnd) => void = () => {};
  readonly queuedBytes = 0;
  tap: Tap = NO_TAP;
  other: SimulatedEnd | undefined;
  broken = false;
  readonly party: Party;
  readonly #world: World;
  readonly #way: Way;
  /** Under way to the other end, in the order of their arrival. */
  readonly #sent: { readonly arrivesMs: number; readonly message: Uint8Array | LinkEnd }[] = [];
  /** Of what gives way, and of what does not. */
  readonly #lastArrivalsMs = { yielding: 0, prompt: 0 };
  #blockedUntilMs = Number.NEGATIVE_INFINITY;
  #ended = false;

  constructor(world: World, party: Party, way: Way) {
    this.#world = world;
    this.party = party;
    this.#way = way;
  }

  get ended(): boolean {
    return this.#ended;
  }
  get open(): boolean {
    return !this.#ended && !this.broken;
  }
  /** What it sends does not arrive now. */
  get blocked(): boolean {
    return this.#blockedUntilMs > this.#world.nowMs;
  }

  send(message: Uint8Array, givesWay = false): void {
    if (!this.open) return;
    this.tap.sent(message);
    this.#give(message.slice(), givesWay);
  }

  /** What was sent before, and the goodbye, still arrive. */
  close(reason: string): void {
    if (this.#ended) return;
    this.#give({ reason });
    this.#finish({ reason }); // at once: what has come and waits is not heard any more
  }

  block(untilMs: number, silenceMs: number): void {
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
    const { nowMs } = this.#world;
    this.#world.at(untilMs, () => this.#arrive());
    this.#world.at(nowMs + silenceMs, () => {
      if (this.#blockedUntilMs >= nowMs + silenceMs) this.other?.giveUp();
    });
  }

  unblock(): void {
    this.#blockedUntilMs = Number.NEGATIVE_INFINITY;
    this.#world.after(0, () => this.#arrive());
  }

  /** It has heard nothing for too long. The other end hears of that if it can, or is left in silence too. */
  giveUp(): void {
    if (!this.open || !this.party.alive) return;
    const { other } = this;
    this.party.enter(() => this.end({ reason: "no sign of life" }));
    const laterMs = this.blocked ? silenceMs(this.#world) : this.#way(0);
    this.#world.after(laterMs, () => other?.end({ reason: "the connection closed" }));
  }

  end(how: LinkEnd): void {
    this.party.enter(() => this.#finish(how));
  }

  #finish(how: LinkEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd(how);
  }

  #give(message: Uint8Array | LinkEnd, givesWay = false): void {
    const { nowMs } = this.#world;
    const bytes = message instanceof Uint8Array ? message.length : 0;
    const lasts = this.#lastArrivalsMs;
    const last = givesWay ? Math.max(lasts.yielding, lasts.prompt) : lasts.prompt;
    const takesMs = this.#way(bytes) * (givesWay ? GIVING_WAY_TAKES : 1);
    const arrivesMs = Math.max(last, nowMs + takesMs);
    lasts[givesWay ? "yielding" : "prompt"] = arrivesMs;
    const overtakes = this.#sent.findIndex((other) => other.arrivesMs > arrivesMs);
    this.#sent.splice(overtakes < 0 ? this.#sent.length : overtakes, 0, { arrivesMs, message });
    this.#world.at(arrivesMs, () => this.#arrive());
  }

  /** One message a step. */
  #arrive(): void {
    const [next] = this.#sent;
    const { other } = this;
    if (!next || !other || this.blocked || next.arrivesMs > this.#world.nowMs) return;
    this.#sent.shift();
    if ((this.#sent[0]?.arrivesMs ?? Number.POSITIVE_INFINITY) <= this.#world.nowMs)
      this.#world.after(0, () => this.#arrive());
    const { message } = next;
    if (this.broken || other.broken) return;
    other.party.enter(() => {
      if (!other.open) return;
      if (!(message instanceof Uint8Array)) return other.end(message);
      other.tap.heard(message);
      other.onMessage(message);
    });
  }
}
