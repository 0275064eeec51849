/**
 * Runs the engine's measurement in a worker of a browser's page. The browser is any that takes a URL on its command line: it is
 * started headless with a profile of its own, and the page posts its result back.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RoostError } from "../../fabric/base/errors.ts";
import type { Tax } from "./tax.ts";

/** Found from here, and from the built benchmark (dist/node): both are two levels below the checkout. */
const WORKER_SOURCE = fileURLToPath(new URL("../../test/bench/tax.worker.ts", import.meta.url));
const LIMIT_MS = 300_000;
const PAGE = `<!doctype html><title>bench</title><script>
  new Worker("/worker.js", { type: "module" }).onerror = (e) => fetch("/error", { method: "POST", body: e.message || "the worker did not start" });
</script>`;

const ARGUMENTS = {
  chromium: (profile: string) => [
    "--headless",
    `--user-data-dir=${profile}`,
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
  firefox: (profile: string) => ["--headless", "--no-remote", "--profile", profile],
};

const BROWSERS = {
  chromium: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
  firefox: ["firefox-esr", "firefox"],
} as const;
export type BrowserKind = keyof typeof BROWSERS;

/** The first of a browser's executables that is installed. */
export function findBrowser(browser: BrowserKind): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const own = browser === "chromium" ? process.env.ROOST_CHROMIUM : undefined;
  const paths = BROWSERS[browser].flatMap((name) => folders.map((folder) => join(folder, name)));
  return [own, ...paths].find((path) => path && existsSync(path));
}

/** Throws when the browser `executable` gives no result. */
export async function measureInBrowser(
  browser: BrowserKind,
  executable: string,
  engine: Uint8Array,
  stock: Uint8Array,
): Promise<Tax> {
  let resolve: (tax: Tax) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const result = new Promise<Tax>((...settle) => {
    [resolve, reject] = settle;
  });
  const files = new Map<string | undefined, readonly [type: string, content: string | Uint8Array]>([
    ["/", ["text/html", PAGE]],
    ["/worker.js", ["text/javascript", await workerCode()]],
    ["/engine.wasm", ["application/wasm", engine]],
    ["/stock.wasm", ["application/wasm", stock]],
  ]);
  const server = createServer((request, response) => {
    if (request.method === "POST") {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        response.end();
        if (request.url === "/result") resolve(JSON.parse(body));
        else reject(new RoostError("EIO", `the benchmark failed in ${browser}: ${body}`));
      });
      return;
    }
    const [type, content] = files.get(request.url) ?? ["text/plain", ""];
    // Isolated from other origins, a page gets a clock of some microseconds instead of a millisecond.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", type);
    response.end(content);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const profile = await mkdtemp(join(tmpdir(), "roost-bench-"));
  const url = `http://localhost:${port}/`;
  const child = spawn(executable, [...ARGUMENTS[browser](profile), url], {
    stdio: "ignore",
    detached: true,
  });
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  child.once("error", reject);
  child.once("exit", () => reject(new RoostError("EIO", `${browser} ended before it gave a result`)));
  const timer = setTimeout(() => reject(new RoostError("ETIMEDOUT", `${browser} gave no result`)), LIMIT_MS);
  try {
    return await result;
  } finally {
    clearTimeout(timer);
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL"); // the group: its other processes too
    } catch {
      // it has ended
    }
    await ended;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function workerCode(): Promise<string> {
  const { rolldown } = await import("rolldown");
  const bundle = await rolldown({ input: WORKER_SOURCE, platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "es", codeSplitting: false });
  await bundle.close();
  return output[0].code;
}
