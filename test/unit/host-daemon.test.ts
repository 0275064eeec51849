/** A host on a real link, with a worker played by the test. */
import { expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { baseId, hostId } from "../../fabric/base/ids.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { HostDaemon } from "../../fabric/host/host-daemon.ts";
import { systemClock } from "../../fabric/io/clock.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";
import type { Command, ExecutorPort } from "../../fabric/kernel/executor-messages.ts";
import { decodeMessage, encodeMessage, type Message, PROTOCOL_VERSION } from "../../fabric/wire/messages.ts";
import { placeOf } from "./messages.kit.ts";

const BASE = baseId("base");

const hello = (name: string): Message => ({
  type: "hello",
  protocol: PROTOCOL_VERSION,
  base: BASE,
  host: hostId(name),
  name,
  platform: "",
});

function daemonWith(port: ExecutorPort, log: (sentence: string) => void = () => {}): HostDaemon {
  return new HostDaemon({
    self: { id: hostId("host"), name: "host", platform: "", base: BASE },
    executors: [port],
    startExecutor: async () => port,
    clock: systemClock,
    log,
    onChange: () => {},
  });
}

test("an image that cannot be used is logged and told to its home, and the host goes on", async () => {
  const logged: string[] = [];
  const commands: Command[] = [];
  const port: ExecutorPort = {
    command: (command) => {
      commands.push(command);
      if (command.type === "place")
        port.onReport({ type: "failed", key: command.key, code: "EINVAL", reason: "unusable image" });
    },
    onReport: () => {},
    onEnd: () => {},
    close: () => {},
  };
  const daemon = daemonWith(port, (sentence) => logged.push(sentence));
  daemon.allow({ taking: true, reason: "" });
  const [home, host] = linkPair();
  const heard: Message[] = [];
  const twice = new Promise<void>((done) => {
    home.onMessage = (bytes) => {
      const message = decodeMessage(bytes);
      if (message instanceof Invalid) throw new Error(message.reason);
      heard.push(message);
      if (heard.filter((m) => m.type === "failed").length === 2) done();
    };
  });
  daemon.serve(host, false);
  const say = (message: Message) => home.send(encodeMessage(message));
  say(hello("home"));
  for (const n of [1, 2]) say(placeOf(n));
  await twice;
  daemon.close();
  expect(heard.filter((m) => m.type === "failed")).toMatchObject([
    { pid: 1, code: "EINVAL" },
    { pid: 2, code: "EINVAL" },
  ]);
  expect(logged).toEqual([
    "process 1/job/1/1: EINVAL: unusable image",
    "process 1/job/2/1: EINVAL: unusable image",
  ]);
  expect(commands.filter((c) => c.type === "drop").length).toBe(2);
});

test("one participant has so many links to a host and no more; others have theirs, and so has it when one of them ends", async () => {
  const daemon = daemonWith({ command: () => {}, onReport: () => {}, onEnd: () => {}, close: () => {} });
  /** Resolves when it is served, or refused: then with the sentence. */
  const link = async (name: string, own = false) => {
    const [home, host] = linkPair();
    const outcome = new Promise<string>((done) => {
      home.onMessage = (bytes) => {
        const message = decodeMessage(bytes);
        if (!(message instanceof Invalid) && message.type === "status") done("served");
      };
      home.onEnd = ({ reason }) => done(reason);
    });
    daemon.serve(host, own);
    home.send(encodeMessage(hello(name)));
    return { home, outcome: await outcome };
  };
  const many = await Promise.all(Array.from({ length: LIMITS.linksPerPeer }, () => link("one")));
  expect(new Set(many.map(({ outcome }) => outcome))).toEqual(new Set(["served"]));
  expect((await link("one")).outcome).toBe(
    `this host has ${LIMITS.linksPerPeer} links to that participant, and takes no more`,
  );
  expect([(await link("another")).outcome, (await link("one", true)).outcome]).toEqual(["served", "served"]);
  many[0]?.home.close("it has ended");
  await expect.poll(async () => (await link("one")).outcome).toBe("served");
  daemon.close();
});
