/** `keep-base FILE`, at build time: boots the engine that is built, and keeps what it comes to, for quicker starts. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { GUEST_LIBRARY } from "virtual:roost-guest";
import { bootBase, encodeBase, loadEngine } from "../engine/index.ts";

/** Whole or not at all. */
export async function keepBase(engineFile: string, file: string): Promise<void> {
  const prelude = { source: GUEST_LIBRARY };
  const base = await bootBase(await loadEngine(await readFile(engineFile)), prelude);
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, await encodeBase(base, prelude));
  await rename(draft, file);
}
