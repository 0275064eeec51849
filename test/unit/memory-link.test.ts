/** Links within one process: when what is sent arrives. */
import { expect, test } from "vitest";
import { utf8Decode, utf8Encode } from "../../fabric/base/codec.ts";
import { linkPair } from "../../fabric/io/memory-link.ts";

/** Whose every word is answered, for ever. */
function chatting(): string[] {
  const said: string[] = [];
  const [near, far] = linkPair();
  near.onMessage = (word) => {
    said.push(utf8Decode(word));
    near.send(utf8Encode(`${said.length}`));
  };
  far.onMessage = (word) => far.send(word);
  near.send(utf8Encode("0"));
  near.send(utf8Encode("also"));
  return said;
}

const nextTask = () => new Promise((resolve) => setImmediate(resolve));

test("a message arrives after its sender is done, and before anything else the thread has to do", async () => {
  const [near, far] = linkPair();
  const heard: string[] = [];
  far.onMessage = (word) => heard.push(utf8Decode(word));
  near.send(utf8Encode("one"));
  near.send(utf8Encode("two"));
  expect(heard).toEqual([]);
  await undefined;
  await undefined;
  expect(heard).toEqual(["one", "two"]);
});

test("two that answer each other for ever leave the thread to others, and nothing overtakes", async () => {
  const said = chatting();
  await nextTask();
  const soFar = said.length;
  for (let n = 0; n < 20; n++) await nextTask();
  expect(said.length).toBeGreaterThan(soFar);
  expect(said.slice(0, 4)).toEqual(["0", "also", "1", "2"]);
});

test("after its end nothing arrives", async () => {
  const [near, far] = linkPair();
  const heard: string[] = [];
  far.onMessage = (word) => heard.push(utf8Decode(word));
  far.onEnd = ({ reason }) => heard.push(reason);
  near.send(utf8Encode("last"));
  near.close("enough");
  near.send(utf8Encode("more"));
  await nextTask();
  near.send(utf8Encode("later"));
  await nextTask();
  expect(heard.slice(0, 2)).toEqual(["last", "enough"]);
  expect(heard).not.toContain("later");
});
