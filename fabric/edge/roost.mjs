#!/usr/bin/env node
/** The `roost` command: in a checkout, first builds what is missing; then hands over to the built one. */
import { ensureReady } from "./setup.mjs";

await ensureReady();
const { main } = await import(new URL("../../dist/node/roost.js", import.meta.url).href);
await main(process.argv.slice(2));
