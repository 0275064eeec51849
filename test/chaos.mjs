/** `npm run chaos -- [--minutes N] [--seed S]`: the chaos test (test/browser/chaos.test.ts) for longer, and with its log. */
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1e6) },
  },
});
process.env.ROOST_CHAOS_MINUTES = values.minutes;
process.env.ROOST_CHAOS_SEED = values.seed;
process.argv.splice(2, Number.POSITIVE_INFINITY, "--project", "browser", "test/browser/chaos.test.ts");
await import("./run.mjs");
