/** `npm test`: sets up what is missing, then runs every test. Arguments go to vitest. */
import { spawnSync } from "node:child_process";
import { ensureReady, ROOT } from "../fabric/edge/setup.mjs";

await ensureReady();
const { ensureChromium } = await import("./chromium.mjs");
const env = { ...process.env, ROOST_CHROMIUM: ensureChromium() };
const vitest = ["node_modules/vitest/vitest.mjs", "run", ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, vitest, { cwd: ROOT, stdio: "inherit", env });
process.exit(status ?? 1);
