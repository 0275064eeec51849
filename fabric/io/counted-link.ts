/** A link whose bytes are counted: whole messages, as given to it and as they came, without framing. */
import type { Link } from "../base/ports.ts";

export interface Traffic {
  inBytes: number;
  outBytes: number;
}

export function countedLink(link: Link, traffic: Traffic): Link {
  return {
    send: (message, givesWay) => {
      traffic.outBytes += message.length;
      link.send(message, givesWay);
    },
    set onMessage(take: Link["onMessage"]) {
      link.onMessage = (message) => {
        traffic.inBytes += message.length;
        take(message);
      };
    },
    get onMessage() {
      return link.onMessage;
    },
    set onEnd(end: Link["onEnd"]) {
      link.onEnd = end;
    },
    get onEnd() {
      return link.onEnd;
    },
    binding: link.binding,
    get queuedBytes() {
      return link.queuedBytes;
    },
    close: (reason) => link.close(reason),
  };
}
