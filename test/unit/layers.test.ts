/** Who may import whom: ARCHITECTURE.md's table, held to the code. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const ALL_ABOVE_IO = ["base", "wire", "engine", "kernel", "migrate", "home", "policy"].map(
  (name) => `fabric/${name}`,
);

const MAY_IMPORT: Record<string, string[]> = {
  "fabric/base": [],
  "fabric/wire": ["fabric/base"],
  "fabric/engine": ["fabric/base"],
  "fabric/guest": [
    "fabric/base/codec.ts",
    "fabric/base/errors.ts",
    "fabric/base/limits.ts",
    "fabric/wire/calls.ts",
  ],
  "fabric/migrate": ["fabric/base", "fabric/wire"],
  "fabric/kernel": ["fabric/base", "fabric/wire", "fabric/migrate"],
  "fabric/home": ["fabric/base", "fabric/wire"],
  "fabric/policy": ["fabric/base"],
  "fabric/io": ["fabric/base", "fabric/wire", "fabric/policy"],
  "fabric/host": [...ALL_ABOVE_IO, "fabric/io/memory-link.ts", "fabric/io/counted-link.ts"],
  "fabric/edge": ["fabric", "relay", "test/bench", "package.json"],
  "fabric/tab": ["fabric"],
  "fabric/library.ts": ["fabric"],
  "fabric/index.ts": ["fabric"],
  relay: ["fabric/base", "fabric/wire"],
  "web/environment.ts": ["fabric"],
  "web/main.tsx": ["fabric"],
  web: ["fabric/index.ts", "fabric/guest/roost.d.ts", "examples"],
};

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return /\.tsx?$/.test(path) ? [path] : [];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

const within = (path: string, place: string) => path === place || path.startsWith(`${place}/`);

test("no file imports from a room it may not know", () => {
  const wrong: string[] = [];
  for (const file of ["fabric", "relay", "web"].flatMap((place) => filesBelow(join(ROOT, place)))) {
    const from = relative(ROOT, file);
    const room = Object.keys(MAY_IMPORT)
      .filter((place) => within(from, place))
      .toSorted((a, b) => b.length - a.length)[0];
    if (room === undefined) continue;
    for (const [, target = ""] of readFileSync(file, "utf8").matchAll(
      /(?:from|import)\s*\(?\s*"(\.[^"]+)"/g,
    )) {
      const to = relative(ROOT, resolve(dirname(file), target.split("?")[0] ?? target));
      const own = room.includes(".") ? dirname(room) : room;
      const allowed = [own, "dist", ...(MAY_IMPORT[room] ?? [])].some((place) => within(to, place));
      if (!allowed) wrong.push(`${from} imports ${to}`);
    }
  }
  expect(wrong).toEqual([]);
});
