/** For the build: `files.json` says what the page opens with, and everything there is; its service worker asks. */
import type { Plugin } from "vite";

export function fileList(): Plugin {
  return {
    name: "roost:files",
    enforce: "post",
    applyToEnvironment: ({ name }) => name === "client",
    generateBundle: {
      // What the build leaves out again (chunks that were style sheets alone) is not there any more.
      order: "post",
      handler(_, bundle) {
        const all = Object.values(bundle);
        const chunks = new Map(
          all.flatMap((file) => (file.type === "chunk" ? [[file.fileName, file] as const] : [])),
        );
        const shell = new Set(["/", "/manifest.webmanifest", "/icon.svg"]);
        const visit = (name: string) => {
          const chunk = chunks.get(name);
          if (!chunk || shell.has(`/${name}`)) return;
          shell.add(`/${name}`);
          for (const css of chunk.viteMetadata?.importedCss ?? []) shell.add(`/${css}`);
          for (const other of chunk.imports) visit(other);
        };
        for (const chunk of chunks.values()) if (chunk.isEntry) visit(chunk.fileName);
        const files = all.map((file) => `/${file.fileName}`).filter((path) => path.startsWith("/assets/"));
        const source = JSON.stringify({ shell: [...shell], all: [...new Set([...shell, ...files])] });
        this.emitFile({ type: "asset", fileName: "files.json", source });
      },
    },
  };
}
