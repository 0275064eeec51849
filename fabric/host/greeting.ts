/** The first word on every link: who is there, and whether the two can trade images at all. */
import { Invalid } from "../base/codec.ts";
import type { BaseId, HostId } from "../base/ids.ts";
import { LIMITS } from "../base/limits.ts";
import type { Clock, Link } from "../base/ports.ts";
import { fitting } from "../wire/directory.ts";
import { type Identity, prove, proveMember, proves, provesMember } from "../wire/identity.ts";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  type MessageOf,
  PROTOCOL_VERSION,
} from "../wire/messages.ts";
import type { Proof } from "../wire/proof.ts";

export interface Self {
  readonly id: HostId;
  readonly name: string;
  /** Browser or runtime, and system, in words. */
  readonly platform: string;
  readonly base: BaseId;
  /** Whose `id` it is; needed on links that leave the process. */
  readonly identity?: Identity;
  /** The key of a group (identity.ts): then only its members are dealt with. */
  readonly group?: Uint8Array | undefined;
}
export type Peer = Pick<Self, "id" | "name" | "platform">;

export interface Greeted {
  readonly onMessage: (message: Message) => void;
  readonly onEnd: (reason: string) => void;
}

/** A name as terminals and tables can show it: one line, no control or direction characters, and not long. */
export function readable(name: string): string {
  return fitting(name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " "), LIMITS.nameBytes);
}

export interface GreetOptions {
  readonly clock: Clock;
  readonly log: (sentence: string) => void;
  /** Who was called: nobody else is welcome. */
  readonly expects?: HostId | undefined;
}

/**
 * Says hello, as the first thing on this link, and waits for the other's; then everything decoded goes to what `welcome` returns. A peer that speaks
 * another version, is not who it says or not of the group, sends bytes that are no message, or does not greet in time, is
 * cut off with a sentence to the peer. `log` hears every refusal, and the end of a link that was never greeted: once, whatever it was.
 */
export function greet(
  link: Link,
  self: Self,
  welcome: (peer: Peer) => Greeted,
  { clock, log, expects }: GreetOptions,
): void {
  let greeted: Greeted | undefined;
  let refused = false;
  let ended = false;
  /** What the other end said before this one has said hello; undefined: it has. */
  let early: Uint8Array[] | undefined = [];
  const { id, base, identity, group } = self;
  const { binding } = link;
  const name = readable(self.name);
  const platform = readable(self.platform);
  const cancel = clock.after(LIMITS.greetingMs, () =>
    refuse(`it did not say hello within ${LIMITS.greetingMs / 1000} s`),
  );
  link.onEnd = ({ reason }) => {
    ended = true;
    cancel();
    if (greeted) greeted.onEnd(reason);
    else if (!refused) log(`a link ended before the greeting: ${reason}`);
  };
  link.onMessage = (bytes) => (early ? early.push(bytes) : hear(bytes));
  const hear = (bytes: Uint8Array) => {
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
    const doubt = doubtOf(message, link, self, expects);
    if (doubt) return refuse(doubt);
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
  const sayHello = (proof?: Proof) => {
    if (ended) return;
    link.send(
      encodeMessage({
        type: "hello",
        protocol: PROTOCOL_VERSION,
        base,
        host: id,
        name,
        platform,
        proof,
        member: group && binding && proveMember(group, binding),
      }),
    );
    const heard = early ?? [];
    early = undefined;
    for (const bytes of heard) if (!ended) hear(bytes);
  };
  if (identity && binding)
    prove(identity, binding).then(sayHello, (error) => refuse(`this host cannot sign (${String(error)})`));
  else sayHello();
}

/** Why the other end is not to be believed, in words; undefined where there is nobody in between who could be it. */
function doubtOf(
  { host, proof, member }: MessageOf<"hello">,
  { binding }: Link,
  { group }: Self,
  expects: HostId | undefined,
): string | undefined {
  if (expects !== undefined && host !== expects) return `${expects} was called, and ${host} answered`;
  if (!binding) return undefined;
  if (!proof || !proves(host, proof, binding))
    return "it does not prove on this connection that it is who it says; somebody may be in between";
  if (group && !(member && provesMember(group, member, binding)))
    return "it does not know the secret of this host's group";
  return undefined;
}
