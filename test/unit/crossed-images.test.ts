/** What one thread leaves out of a message, the other has: whatever both say at the same time. */
import { expect, test } from "vitest";
import { imageId } from "../../fabric/base/ids.ts";
import { CrossedImages, type Crossing, RememberedImages } from "../../fabric/host/crossed-images.ts";
import type { Command, HomeLink, Report } from "../../fabric/kernel/executor-messages.ts";
import { NOTHING_LEARNED } from "../../fabric/wire/messages.ts";

const MIB = 2 ** 20;

/** Its name says what is in it. */
function imageNamed(n: number, size: number) {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, n);
  return { id: imageId(`image ${n}`), bytes };
}
const isWhole = ({ id, bytes }: { id: string; bytes: Uint8Array }) =>
  bytes.length >= 4 && id === `image ${new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)}`;

const HOME = 1 as HomeLink;
const OTHER = 2 as HomeLink;

const prepare = (home: HomeLink, ...chain: ReturnType<typeof imageNamed>[]): Command => ({
  type: "prepare",
  home,
  chain,
  memoryBytesMax: 1,
});
const saved = (...images: ReturnType<typeof imageNamed>[]): Report => ({
  type: "snapshot",
  key: `${HOME}/job/1/1`,
  why: "save",
  snapshot: undefined,
  images,
  learned: NOTHING_LEARNED,
  tookMs: 0,
});
const chainIn = ({ commands }: { commands: readonly Command[] }) =>
  commands.flatMap((command) => (command.type === "prepare" ? command.chain : []));

test("an image crosses once, whoever had it first, and is another thing to another home", () => {
  const [daemon, worker] = [new CrossedImages(), new RememberedImages()];
  const [a, b] = [imageNamed(1, 100), imageNamed(2, 100)];
  const sent = (command: Command) => {
    const crossing = daemon.cross([command]);
    expect(chainIn({ commands: worker.whole(crossing) }).every(isWhole)).toBe(true);
    return chainIn(crossing).map(({ bytes }) => bytes.length);
  };
  expect(sent(prepare(HOME, a))).toEqual([100]);
  expect(sent(prepare(HOME, a))).toEqual([0]);
  expect(sent(prepare(OTHER, a))).toEqual([100]);
  worker.said(saved(b));
  daemon.heard(saved(b));
  expect(sent(prepare(HOME, a, b))).toEqual([0, 0]);
  expect(sent({ type: "tidy" })).toEqual([]);
  expect(sent(prepare(HOME, a, b))).toEqual([100, 100]);
});

test("nothing is missing, however messages meet and however much is forgotten", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  const [daemon, worker] = [new CrossedImages(), new RememberedImages()];
  const toWorker: Crossing[] = [];
  const toDaemon: Report[] = [];

  const image = () => {
    const n = random(40);
    const one = imageNamed(n, 8);
    return n % 2 ? one : imageNamed(n, 4 * MIB); // of which not all can be kept
  };
  let [crossed, whole] = [0, 0];
  for (let step = 0; step < 1_500; step++) {
    const what = random(4);
    if (what === 0) {
      const commands: Command[] = [prepare(HOME, image(), image())];
      if (random(20) === 0) commands.splice(random(2), 0, { type: "tidy" });
      toWorker.push(daemon.cross(commands));
    } else if (what === 1) {
      const report = saved(image());
      worker.said(report);
      toDaemon.push(report);
    } else if (what === 2) {
      const crossing = toWorker.shift();
      if (!crossing) continue;
      crossed += chainIn(crossing).filter(({ bytes }) => bytes.length > 0).length;
      for (const one of chainIn({ commands: worker.whole(crossing) })) {
        whole++;
        expect(isWhole(one), one.id).toBe(true);
      }
    } else {
      const report = toDaemon.shift();
      if (report) daemon.heard(report);
    }
  }
  expect(whole).toBeGreaterThan(500);
  expect(crossed).toBeLessThan(whole);
});
