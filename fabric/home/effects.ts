/** What goes into a home and what comes out of it, and what it tells of itself. */
import type { CallNumber, Epoch, HostId, Pid } from "../base/ids.ts";
import type { Call, SignalName } from "../wire/calls.ts";
import type { Message } from "../wire/messages.ts";
import type { End, PlacedWhy } from "./state.ts";

export type HomeEvent =
  | {
      readonly type: "hostLinked";
      readonly host: HostId;
      readonly name: string;
      readonly platform: string;
      readonly local: boolean;
    }
  | { readonly type: "hostLost"; readonly host: HostId; readonly reason: string }
  | { readonly type: "message"; readonly host: HostId; readonly message: Message }
  /** A file call or a line of input is done. */
  | {
      readonly type: "answered";
      readonly pid: Pid;
      readonly call: CallNumber;
      readonly answer: Uint8Array;
      /** Of file calls: canonical paths that are different now, and the one that the answer speaks of if hosts may keep it. */
      readonly changed?: readonly string[];
      readonly seen?: string | undefined;
    }
  | { readonly type: "kill"; readonly pid: Pid; readonly signal: SignalName }
  | { readonly type: "migrate"; readonly pid: Pid; readonly to: HostId | undefined }
  | { readonly type: "tick" };

/** What happened, for people to see and tests to check. Times are the home's. */
export type JobEvent =
  | {
      readonly type: "host";
      readonly host: HostId;
      readonly name: string;
      readonly joined: boolean;
      readonly reason: string;
    }
  | { readonly type: "forked"; readonly pid: Pid; readonly ppid: Pid; readonly tookMs: number }
  | {
      readonly type: "placed";
      readonly pid: Pid;
      readonly epoch: Epoch;
      readonly host: HostId;
      readonly why: PlacedWhy;
      readonly imageBytes: number;
    }
  | {
      readonly type: "running";
      readonly pid: Pid;
      readonly host: HostId;
      readonly sincePlacedMs: number;
      readonly freezeMs: number | undefined;
    }
  /** A checkpoint: what it has done so far is at the home. */
  | { readonly type: "saved"; readonly pid: Pid }
  /** A message came into the mailbox of `to`, or into its hands. */
  | { readonly type: "sent"; readonly pid: Pid; readonly to: Pid; readonly bytes: number }
  | { readonly type: "left"; readonly pid: Pid; readonly host: HostId; readonly why: string }
  | {
      readonly type: "ended";
      readonly pid: Pid;
      readonly status: number;
      readonly signal: SignalName | undefined;
    };

export type HomeEffect =
  | { readonly type: "send"; readonly host: HostId; readonly message: Message }
  | { readonly type: "print"; readonly pid: Pid; readonly fd: number; readonly data: Uint8Array }
  | { readonly type: "readLine"; readonly pid: Pid; readonly call: CallNumber }
  | {
      readonly type: "file";
      readonly pid: Pid;
      readonly call: CallNumber;
      readonly operation: Call;
    }
  /** The child starts with its parent's open files; an ended process has none. */
  | { readonly type: "filesForked"; readonly parent: Pid; readonly child: Pid }
  | { readonly type: "filesClosed"; readonly pid: Pid }
  /** Send `tick` at this time of the home's clock, if nothing comes before. */
  | { readonly type: "wake"; readonly atMs: number }
  | { readonly type: "event"; readonly event: JobEvent }
  | { readonly type: "end"; readonly end: End };

export type Out = (effect: HomeEffect) => void;
