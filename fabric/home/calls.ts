/**
 * What the home does for each system call that is forwarded to it (all but fork, which carries an image: home.ts).
 * A call is either answered here and now, or becomes the process's `pending`, to be answered by a later event.
 */
import { RoostError } from "../base/errors.ts";
import { type CallNumber, type HostId, pid } from "../base/ids.ts";
import { CALL_AGAIN, type Call, encodeAnswer, encodeError } from "../wire/calls.ts";
import { answer } from "./answers.ts";
import type { Out } from "./effects.ts";
import { join, leave, meet, members } from "./groups.ts";
import { end, settleWait, signal } from "./lives.ts";
import { notify, probe, receive, send } from "./mail.ts";
import { loads, whyNotThere } from "./placement.ts";
import { find, put } from "./space.ts";
import type { HomeState, Process } from "./state.ts";
import { recall } from "./stays.ts";

const EVERYBODY_ELSE = -1;

function targetsOf(state: HomeState, caller: Process, id: number): Process[] {
  const wanted = id === EVERYBODY_ELSE ? [...state.processes.values()] : [state.processes.get(pid(id))];
  return wanted.filter(
    (p) => p !== undefined && !p.end && !(id === EVERYBODY_ELSE && p === caller),
  ) as Process[];
}

export function serve(
  state: HomeState,
  p: Process,
  number: CallNumber,
  call: Call,
  request: Uint8Array,
  out: Out,
  nowMs: number,
): void {
  const reply = (bytes: Uint8Array) => answer(state, p, number, bytes, out, nowMs);
  const fail = (error: RoostError) => reply(encodeError(error));
  switch (call.name) {
    case "exit":
      return end(
        state,
        p,
        { status: call.args.status, signal: undefined, value: call.args.value.slice() },
        out,
        nowMs,
      );
    case "wait": {
      if (settleWait(state, p, number, call.args.pid, out, nowMs)) return;
      p.pending = { for: "wait", call: number, child: call.args.pid, dueMs: call.args.dueMs };
      return;
    }
    case "kill": {
      const targets = targetsOf(state, p, call.args.pid);
      if (targets.length === 0)
        return fail(new RoostError("ESRCH", `no process ${call.args.pid} is alive in this job`));
      reply(encodeAnswer("kill", undefined)); // first: it may be the caller's own end
      for (const target of targets) signal(state, target, call.args.signal, out, nowMs);
      return;
    }
    case "handle": {
      const { signal: name, handled } = call.args;
      if (name === "SIGKILL" || name === "SIGSTOP")
        return fail(new RoostError("EINVAL", `${name} cannot be handled: it always does what it does`));
      if (handled) p.handled.add(name);
      else p.handled.delete(name);
      return reply(encodeAnswer("handle", undefined));
    }
    case "identify":
      return reply(
        encodeAnswer("identify", {
          pid: p.pid,
          ppid: p.ppid,
          argv: ["roost", state.spec.program.fileName, ...state.spec.args],
          env: Object.entries(state.spec.env).map(([name, value]) => ({ name, value })),
        }),
      );
    case "hosts": {
      const load = loads(state);
      const hosts = [...state.hosts.values()].map((h) => ({
        id: h.id,
        name: h.name,
        free: (load.get(h.id) ?? 0) < h.slots && whyNotThere(state, p, h.id) === undefined,
      }));
      return reply(encodeAnswer("hosts", { hosts, here: p.where.kind === "at" ? p.where.host : "" }));
    }
    case "migrate": {
      const to = call.args.host as HostId;
      if (p.where.kind === "at" && p.where.host === to) return reply(encodeAnswer("migrate", undefined));
      const reason = to && whyNotThere(state, p, to);
      if (reason) return fail(new RoostError("ENOHOST", `${reason}; hosts() lists those that are free`));
      p.pending = { for: "move", call: number };
      return recall(state, p, to || undefined, out, nowMs);
    }
    case "sleep":
      if (!Number.isFinite(call.args.dueMs))
        return fail(new RoostError("EINVAL", "sleep needs a finite time"));
      p.pending = { for: "sleep", call: number, dueMs: call.args.dueMs };
      return;
    case "print":
      if (call.args.fd !== 1 && call.args.fd !== 2)
        return fail(new RoostError("EBADF", `${call.args.fd} is not the terminal: 1 is stdout, 2 is stderr`));
      out({ type: "print", pid: p.pid, fd: call.args.fd, data: call.args.data });
      return reply(encodeAnswer("print", undefined));
    case "readLine":
      p.pending = { for: "line", call: number };
      return out({ type: "readLine", pid: p.pid, call: number });
    case "open":
    case "read":
    case "write":
    case "close":
    case "stat":
    case "readDirectory":
    case "makeDirectory":
    case "unlink":
    case "rename":
    case "readFile":
    case "writeFile":
      p.pending = { for: "file", call: number, request };
      return out({ type: "file", pid: p.pid, call: number, operation: call });
    case "send":
    case "post":
      return send(state, p, number, call.args, call.name === "send", out, nowMs);
    case "receive":
      return receive(state, p, number, call.args, out, nowMs);
    case "probe":
      return reply(probe(p, call.args));
    case "notify":
      return notify(state, p, number, call.args, out, nowMs);
    case "join":
      return reply(join(state, p, call.args.group));
    case "leave":
      leave(state, p, call.args.group, out, nowMs);
      return reply(encodeAnswer("leave", undefined));
    case "members":
      return reply(members(state, p, call.args.group));
    case "meet":
      return meet(state, p, number, call.args, out, nowMs);
    case "out":
      return put(state, p, number, call.args, out, nowMs);
    case "find":
      return find(state, p, number, call.args, out, nowMs);
    case "fork":
      return fail(new RoostError("EINVAL", "a fork must come with the image of the process that forks"));
    case "hostname":
    case "random":
      return reply(CALL_AGAIN); // its host answers; this one came for the signals
  }
}
