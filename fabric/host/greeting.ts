/** The first word on every link: who is there, and whether the two can trade images at all. */
import { Invalid } from "../base/codec.ts";
import type { BaseId, HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock, Link } from "../base/ports.ts";
import { fitting } from "../wire/directory.ts";
import { decodeMessage, encodeMessage, type Message, PROTOCOL_VERSION } from "../wire/messages.ts";

export interface Self {
  readonly id: HostId;
  readonly name: string;
  /** Browser or runtime, and system, in words. */
  readonly platform: string;
  readonly base: BaseId;
}
export type Peer = Omit<Self, "base">;

export interface Greeted {
  readonly onMessage: (message: Message) => void;
  readonly onEnd: (reason: string) => void;
}

/** A name as terminals and tables can show it: one line, no control or direction characters, and not long. */
export function readable(name: string): string {
  return fitting(name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " "), LIMITS.nameBytes);
}

/**
 * Says hello and waits for the other's; then everything decoded goes to what `welcome` returns. A peer that speaks
 * another version, sends bytes that are no message, or does not greet in time, is cut off with a sentence to the peer.
 * `log` hears every refusal, and the end of a link that was never greeted: once, whatever it was.
 */
export function greet(
  link: Link,
  self: Self,
  welcome: (peer: Peer) => Greeted,
  clock: Clock,
  log: (sentence: string) => void,
): void {
  let greeted: Greeted | undefined;
  let refused = false;
  const { id, base } = self;
  const name = readable(self.name);
  const platform = readable(self.platform);
  const cancel = clock.after(LIMITS.greetingMs, () =>
    refuse(`it did not say hello within ${LIMITS.greetingMs / 1000} s`),
  );
  link.onEnd = ({ reason }) => {
    cancel();
    if (greeted) greeted.onEnd(reason);
    else if (!refused) log(`a link ended before the greeting: ${reason}`);
  };
  link.onMessage = (bytes) => {
    const message = decodeMessage(bytes);
    if (message instanceof Invalid) return refuse(`it sent something that is no message (${message.reason})`);
    if (greeted) return greeted.onMessage(message);
    if (message.type !== "hello") return refuse(`it began with "${message.type}" instead of a greeting`);
    if (message.protocol !== PROTOCOL_VERSION)
      return refuse(
        `it speaks protocol ${message.protocol}, this host ${PROTOCOL_VERSION}: reload the older one`,
      );
    if (message.base !== base)
      return refuse(
        `it runs engine ${message.base.slice(0, 12)}, this host ${base.slice(0, 12)}: reload both from the same relay`,
      );
    cancel();
    greeted = welcome({
      id: message.host,
      name: readable(message.name),
      platform: readable(message.platform),
    });
  };
  const refuse = (sentence: string) => {
    refused = true;
    log(`refused ${greeted ? "a message" : "a peer"}: ${sentence}`);
    link.close(sentence);
  };
  link.send(encodeMessage({ type: "hello", protocol: PROTOCOL_VERSION, base, host: id, name, platform }));
}
