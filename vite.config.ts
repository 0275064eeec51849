/**
 * One configuration for everything that is built: the page (dist/web), the command and its workers (dist/node),
 * and the tests. The engine (dist/engine) is made by dist/node/build-engine.js between the two: see fabric/edge/setup.mjs.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { mutated } from "./test/sim/mutations.ts";
import { compressed } from "./web/compress-plugin.ts";
import { fileList } from "./web/file-list-plugin.ts";
import { programs } from "./web/program-plugin.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** `virtual:roost-guest`: the guest library as one ES module's text, for booting base images. */
function guestLibrary(): Plugin {
  const id = "virtual:roost-guest";
  return {
    name: "roost:guest",
    resolveId: (source) => (source === id ? `\0${id}` : null),
    async load(source) {
      if (source !== `\0${id}`) return null;
      const bundle = await rolldown({
        input: at("fabric/guest/index.ts"),
        platform: "neutral",
        logLevel: "warn",
      });
      const { output } = await bundle.generate({ format: "es", minify: true });
      for (const file of await bundle.watchFiles) this.addWatchFile(file);
      await bundle.close();
      return `export const GUEST_LIBRARY = ${JSON.stringify(output[0].code)};`;
    },
  };
}

/** Only where tests are run: it needs vitest, which takes half a second to load. */
const sequencer = process.env.VITEST ? (await import("./test/sequencer.ts")).default : undefined;

const nodeEntries = {
  roost: at("fabric/edge/main.ts"),
  library: at("fabric/edge/index.ts"),
  "executor.worker": at("fabric/edge/executor.worker.ts"),
  "build-engine": at("fabric/engine/build/main.ts"),
  "keep-base": at("fabric/edge/keep-base.ts"),
  bench: at("test/bench/main.ts"),
};

export default defineConfig({
  root: at("web"),
  publicDir: at("web/public"),
  plugins: [
    guestLibrary(),
    programs(),
    fileList(),
    mutated(process.env.ROOST_MUTATION),
    compressed(at("dist/compressed")),
  ],
  appType: "spa",
  // `npx vite` serves the page for development; `npx roost relay` beside it is its relay.
  server: {
    proxy: {
      "/directory": { target: "http://localhost:9000", ws: true },
      "/peerjs": { target: "http://localhost:9000", ws: true },
    },
  },
  worker: { format: "es", plugins: () => [guestLibrary()] },
  environments: {
    client: {
      build: {
        outDir: at("dist/web"),
        emptyOutDir: true,
        target: "es2023",
        rolldownOptions: { checks: { bundlerTimings: false } }, // compressing takes most of the time, as it should
        // The largest is the example's input, Roost's own sources: loaded only when that example is run.
        chunkSizeWarningLimit: 2_000,
      },
    },
    ssr: {
      // Small packages of the command are in it, with theirs, so that it starts sooner.
      resolve: {
        external: true,
        noExternal: [
          ...["commander", "picocolors", "pretty-bytes", "pretty-ms", "parse-ms"],
          ...["env-paths", "is-safe-filename", "fflate", /^@noble\//],
        ],
      },
      build: {
        outDir: at("dist/node"),
        emptyOutDir: true,
        copyPublicDir: false,
        target: "node20",
        ssr: true,
        rolldownOptions: {
          input: nodeEntries,
          // Side by side: every file finds its neighbours and the engine by its own address.
          output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
        },
      },
    },
  },
  test: {
    root: at("."),
    // Vitest gives up after a second, which a command takes to start where much else runs.
    expect: { poll: { timeout: 30_000 } },
    reporters: ["default", at("test/closing-line.ts")],
    ...(sequencer ? { sequence: { sequencer } } : {}),
    // Also of two processors both: much of what a file does is to wait. Vitest would leave one free.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      { extends: true, test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 60_000 } },
      {
        extends: true,
        test: { name: "torture", include: ["test/torture/**/*.test.ts"], testTimeout: 120_000 },
      },
      {
        extends: true,
        test: {
          name: "programs",
          include: ["test/programs/**/*.test.ts"],
          testTimeout: 70_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "sim",
          include: ["test/sim/**/*.test.ts"],
          testTimeout: 120_000,
          // It computes, and on every processor there is; after the others, whose times would suffer.
          maxWorkers: availableParallelism(),
          isolate: false, // what a worker has compiled for one file is as good for the next
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
