/**
 * For the build: `import source from "./job.ts?program"` gives a job program with everything it imports as one ES
 * module's text; "roost" is left for the guest.
 */
import { resolve } from "node:path";
import { rolldown } from "rolldown";
import type { Plugin } from "vite";

const SUFFIX = "?program";

export function programs(): Plugin {
  return {
    name: "roost:program",
    enforce: "pre",
    resolveId: (source, importer) =>
      source.endsWith(SUFFIX) && importer ? resolve(importer, "..", source) : null,
    async load(id) {
      if (!id.endsWith(SUFFIX)) return null;
      const bundle = await rolldown({
        input: id.slice(0, -SUFFIX.length),
        external: ["roost"],
        platform: "neutral",
        resolve: { mainFields: ["module", "main"] },
        logLevel: "warn",
      });
      const { output } = await bundle.generate({ format: "es", codeSplitting: false });
      for (const file of await bundle.watchFiles) this.addWatchFile(file);
      await bundle.close();
      return `export default ${JSON.stringify(output[0].code)};`;
    },
  };
}
