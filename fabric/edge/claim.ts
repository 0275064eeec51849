/**
 * A detached job has one home at a time. Its homes are numbered, each by a file that says which process it is, and the latest is
 * the one that counts: when it has died, only one can make the file of the next number (`link`, which fails where there
 * is one). The latest stays until the job is forgotten, so that no number is given twice.
 */
import { readFileSync } from "node:fs";
import { link, rm, writeFile } from "node:fs/promises";
import { RoostError } from "../base/errors.ts";
import { beginningOf, isAlive } from "../io/os-process.ts";
import { homeFile, homesOf, prepareState } from "./state.ts";

/** This process is the job's home from now on, until it ends. Throws RoostError EEXIST where another one is. */
export async function claim(id: string): Promise<void> {
  await prepareState();
  const before = homesOf(id).at(-1) ?? 0;
  const holder = holderOf(id);
  if (holder === process.pid) return;
  if (holder !== undefined) throw taken();
  const mine = homeFile(id, before + 1);
  const draft = `${mine}.${process.pid}`;
  await writeFile(draft, `${process.pid} ${beginningOf(process.pid)}`, { mode: 0o600 });
  try {
    await link(draft, mine);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EEXIST" ? taken() : error;
  } finally {
    await rm(draft);
  }
  const others = homesOf(id).filter((n) => n !== before + 1);
  const later = others.some((n) => n > before); // begun while this one took its time
  await Promise.all((later ? [before + 1] : others).map((n) => rm(homeFile(id, n), { force: true })));
  if (later) throw taken();
}

/** The process that is the job's home, if that is alive. */
export function holderOf(id: string): number | undefined {
  const latest = homesOf(id).at(-1);
  if (latest === undefined) return undefined;
  const [osPid = 0, beginning] = wordsOf(homeFile(id, latest));
  return isAlive(Number(osPid)) && beginningOf(Number(osPid)) === beginning ? Number(osPid) : undefined;
}

function wordsOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split(" ");
  } catch {
    return []; // forgotten in this moment
  }
}

const taken = () => new RoostError("EEXIST", "the job has a home already");
