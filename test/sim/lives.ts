/** Lives so many histories, from the first on; a program for those who break a rule before (mutations.test.ts). */
import { runHistory } from "./histories.ts";

const [, , count] = process.argv;
for (let seed = 1; seed <= Number(count); seed++) await runHistory(seed);
