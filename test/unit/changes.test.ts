/** What has changed between two memories, written down and laid over the first: whatever changed, however much, and whatever the bytes are. */
import { expect, test } from "vitest";
import { Invalid } from "../../fabric/base/codec.ts";
import { changesBetween, withChanges } from "../../fabric/engine/changes.ts";
import { PAGE_BYTES, PAGE_WORDS, type Page } from "../../fabric/engine/pages.ts";

let seed = 1;
const random = (below: number) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
};

const pagesOf = (words: Uint32Array): Page[] =>
  Array.from({ length: words.length / PAGE_WORDS }, (_, n) =>
    new Uint8Array(words.buffer, n * PAGE_BYTES, PAGE_BYTES).slice(),
  );

const same = (a: readonly Page[], b: readonly Page[]) =>
  a.length === b.length && a.every((page, n) => Buffer.compare(page, b[n] as Page) === 0);

/** Two memories of so many pages, of whose words so many differ: by a little, or in every byte. */
function memories(pages: number, changed: number): [Page[], Page[]] {
  const before = Uint32Array.from({ length: pages * PAGE_WORDS }, () => random(2 ** 32));
  const now = before.slice();
  for (let n = 0; n < changed; n++) {
    const at = random(now.length);
    now[at] = random(2) ? (now[at] as number) + 1 : random(2 ** 32);
  }
  return [pagesOf(before), pagesOf(now)];
}

test.each([
  [1, 1],
  [3, 2],
  [3, 1000],
  [8, 4000],
  [8, 4600],
  [8, 5200],
  [40, 30_000],
  [70, 1],
])("of %i pages and %i words", (pages, changed) => {
  const [before, now] = memories(pages, changed);
  expect(same(withChanges(before, changesBetween(before, now), pages) as Page[], now)).toBe(true);
});

test("of nothing, of all, and of a memory that has grown", () => {
  const [before, now] = memories(3, 100);
  expect(same(withChanges(now, changesBetween(now, now), 3) as Page[], now)).toBe(true);
  const all = now.map((page) => page.map((byte) => byte ^ 255));
  expect(same(withChanges(now, changesBetween(now, all), 3) as Page[], all)).toBe(true);
  const grown = [...before, new Uint8Array(PAGE_BYTES).fill(7)];
  expect(same(withChanges(before, changesBetween(before, grown), 4) as Page[], grown)).toBe(true);
  expect(withChanges(before, changesBetween(before, grown), 3)).toBeInstanceOf(Invalid);
});

test("counters that went on by a little take some two bytes each, not eight", () => {
  const before = new Uint32Array(PAGE_WORDS);
  const now = before.map((_, n) => (n % 8 ? 0 : 1 + (n % 3)));
  const { stretches, words } = changesBetween(pagesOf(before), pagesOf(now));
  expect(stretches.length + words.length).toBeLessThan(4 * 128);
});

test("bytes that nobody of ours would send are refused, or are other changes; nothing is thrown", () => {
  for (const [pages, changed] of [
    [2, 60],
    [8, 6000],
  ] as const) {
    const [before, now] = memories(pages, changed);
    const changes = changesBetween(before, now);
    for (const part of ["stretches", "words"] as const) {
      const bytes = changes[part];
      expect(withChanges(before, { ...changes, [part]: bytes.slice(0, -1) }, pages)).toBeInstanceOf(Invalid);
      expect(
        withChanges(before, { ...changes, [part]: new Uint8Array([...bytes, 1]) }, pages),
      ).toBeInstanceOf(Invalid);
      for (let n = 0; n < 300; n++) {
        const bad = bytes.slice();
        const at = random(bad.length);
        bad[at] = (bad[at] as number) ^ (1 << random(8));
        const made = withChanges(before, { ...changes, [part]: bad }, pages);
        if (!(made instanceof Invalid)) expect(made.length).toBe(pages);
      }
    }
    const endless = new Uint8Array([...changes.stretches, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    expect(withChanges(before, { ...changes, stretches: endless }, pages)).toMatchObject({
      reason: expect.stringMatching(/more words have changed than there are/),
    });
  }
});
