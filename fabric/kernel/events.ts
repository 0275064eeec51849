/** What happens to a kernel, and what is to be done then. */
import type { HostId } from "../base/ids.ts";
import type { Message } from "../wire/messages.ts";
import type { Command, HomeLink, Report } from "./executor-messages.ts";
import type { Receipt } from "./state.ts";
import type { Terms } from "./terms.ts";

export type KernelEvent =
  | {
      readonly type: "linked";
      readonly link: HomeLink;
      readonly own: boolean;
      readonly host: HostId;
      readonly name: string;
    }
  | { readonly type: "unlinked"; readonly link: HomeLink }
  | { readonly type: "message"; readonly link: HomeLink; readonly message: Message }
  /** `agoMs`: how long the report took to be heard; what is measured is measured without that. */
  | { readonly type: "report"; readonly executor: number; readonly report: Report; readonly agoMs?: number }
  | { readonly type: "executorStarted"; readonly executor: number }
  | { readonly type: "executorEnded"; readonly executor: number; readonly reason: string }
  /** The owner allows something else; what is left out stays as it was. */
  | { readonly type: "terms"; readonly terms: Partial<Terms> }
  /** The owner wants the machine back, now. */
  | { readonly type: "reclaim"; readonly reason: string }
  /** This host may be gone before long, without another word. */
  | { readonly type: "save" }
  /** Every TICK_MS, as nearly as the platform allows. */
  | { readonly type: "tick" };

export const TICK_MS = 1_000;

export type KernelEffect =
  | { readonly type: "send"; readonly link: HomeLink; readonly message: Message }
  | { readonly type: "command"; readonly executor: number; readonly command: Command }
  /** End this executor, if it still runs, and start another. */
  | { readonly type: "replace"; readonly executor: number; readonly reason: string }
  | { readonly type: "receipt"; readonly receipt: Receipt }
  /** Something in `guests` or `terms` is different: observers look again. */
  | { readonly type: "changed" };

export type Out = (effect: KernelEffect) => void;
