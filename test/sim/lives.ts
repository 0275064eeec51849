/** Lives one history, and then so many from the first on; a program for those who break a rule before (mutations.test.ts). */
import { runHistory } from "./histories.ts";

const [, , near, count] = process.argv;
await runHistory(Number(near));
for (let seed = 1; seed <= Number(count); seed++) await runHistory(seed);
