#!/usr/bin/env node
/** The `roost` command: in a checkout, first builds what is missing; then hands over to the built one. */
import module from "node:module";
import { ensureReady } from "./setup.mjs";

module.enableCompileCache?.(); // Node 22.8 and later: the next start is quicker
await ensureReady();
const { main } = await import(new URL("../../dist/node/roost.js", import.meta.url).href);
await main(process.argv.slice(2));
