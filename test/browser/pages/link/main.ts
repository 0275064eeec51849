/** A participant without a fabric: only the rendezvous and its links, steered by the test through `window.links`. */
import type { HostId } from "../../../../fabric/base/ids.ts";
import type { Link, Rendezvous } from "../../../../fabric/base/ports.ts";
import { systemRandom } from "../../../../fabric/io/random.ts";
import { connectRelay } from "../../../../fabric/io/rendezvous.ts";
import { identityFrom } from "../../../../fabric/wire/identity.ts";
import { type Exchange, exchange, Mailbox } from "../../exchange.ts";

export class LinkTest {
  readonly #self = identityFrom(systemRandom.bytes(32));
  readonly host = this.#self.id;
  readonly #rendezvous: Rendezvous;
  readonly #links: Mailbox[] = [];
  readonly #ends: Promise<string>[] = [];
  #wake: (() => void)[] = [];

  constructor() {
    this.#rendezvous = connectRelay({ url: new URL(location.origin), self: this.#self });
    this.#rendezvous.onLink = (link) => this.#keep(link);
    this.#rendezvous.onChange = () => this.#changed();
    addEventListener("pagehide", () => this.#rendezvous.close());
  }

  /** Resolves when the relay is online, or away. */
  relay(state: "online" | "connecting"): Promise<void> {
    return this.#until(() => this.#rendezvous.relay.state === state);
  }

  async meet(name: string): Promise<void> {
    this.#rendezvous.announce({ host: this.host, name, platform: "Chromium", taking: true, group: "" });
    await this.#until(() => this.#rendezvous.hosts.some((entry) => entry.name === name));
  }

  /** The host of that name in the directory. */
  async find(name: string): Promise<HostId> {
    const entry = () => this.#rendezvous.hosts.find((entry) => entry.name === name);
    await this.#until(() => entry() !== undefined);
    return entry()?.host ?? this.host;
  }

  /** The number of the new link. */
  async connect(host: HostId): Promise<number> {
    return this.#keep(await this.#rendezvous.connect(host));
  }

  /**
   * Makes that many links, eight at a time, all of whose ends speak at once (`answer` on the other page), and answers
   * with what came first on each.
   */
  async callOften(host: HostId, times: number): Promise<string[]> {
    const first: string[] = [];
    const one = async () => {
      const link = await this.#rendezvous.connect(host);
      const arrived = new Promise<string>((resolve) => {
        link.onMessage = (message) => resolve(new TextDecoder().decode(message));
        link.onEnd = ({ reason }) => resolve(`ended: ${reason}`);
      });
      link.send(new TextEncoder().encode("first of the caller"));
      first.push(await arrived);
      link.close("enough");
    };
    const eight = Array.from({ length: 8 }, async () => {
      for (let left = times / 8; left > 0; left--) await one();
    });
    await Promise.all(eight);
    return first;
  }

  /** From here on says two things on every link that is made to this page, the second when it has heard the caller. */
  answer(): void {
    const say = (link: Link, words: string) => link.send(new TextEncoder().encode(words));
    this.#rendezvous.onLink = (link) => {
      say(link, "first of the called");
      link.onMessage = () => say(link, "second of the called");
    };
  }

  /** Keeps this page's thread for so long. */
  hold(ms: number): void {
    const end = performance.now() + ms;
    while (performance.now() < end);
  }

  /** How many links there have been, whoever made them. */
  get count(): number {
    return this.#links.length;
  }

  /** Waits for the link of that number, whoever made it. */
  async exchange(number: number, seed: number, messages?: number): Promise<Exchange> {
    return exchange(await this.#link(number), seed, messages);
  }

  /** Resolves with the reason when that link has ended. */
  async ended(number: number): Promise<string> {
    await this.#link(number);
    return this.#ends[number] ?? "no such link";
  }

  async #link(number: number): Promise<Mailbox> {
    await this.#until(() => this.#links.length > number);
    return this.#links[number] as Mailbox;
  }

  #keep(link: Link): number {
    const mailbox = new Mailbox(link);
    this.#ends.push(mailbox.ended);
    const number = this.#links.push(mailbox) - 1;
    this.#changed();
    return number;
  }

  #changed(): void {
    for (const look of this.#wake.splice(0)) look();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }
}

declare global {
  interface Window {
    links: LinkTest;
  }
}
window.links = new LinkTest();
