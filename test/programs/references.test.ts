import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pathOf } from "./jobs.ts";
import { REFERENCES } from "./references.ts";

test.for(Object.entries(REFERENCES))("what %s must give is what Node computes", ([name, reference]) => {
  const { stdout, files = {} } = reference();
  expect(readFileSync(pathOf(name.replace(/\.[jt]s$/, ".out")), "utf8")).toBe(stdout);
  for (const [path, bytes] of Object.entries(files))
    expect(readFileSync(pathOf(path)).equals(bytes), path).toBe(true);
});
