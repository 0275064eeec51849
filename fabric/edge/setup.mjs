/**
 * Makes a checkout ready to run: packages, the command's build, the engine, the page. Says what it does, and is
 * done in a few milliseconds when nothing is missing. Plain JavaScript without packages: it is what installs them.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const at = (...parts) => join(ROOT, ...parts);
const say = (sentence) => process.stderr.write(`${sentence}\n`);

/** Sources that end up in dist. */
const SOURCES = [
  "fabric",
  "relay",
  "web",
  "examples",
  "test/bench",
  "test/sim",
  "vite.config.ts",
  "package-lock.json",
];

export async function ensureReady() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 12)) {
    say(
      `Roost needs Node 20.12 or later; this is ${process.versions.node}. Install a current one from nodejs.org.`,
    );
    process.exit(1);
  }
  if (!existsSync(at("vite.config.ts"))) return; // an installed package comes built
  installPackages();
  await build();
}

function installPackages() {
  const lock = createHash("sha256")
    .update(readFileSync(at("package-lock.json")))
    .digest("hex");
  const marker = at("node_modules", ".roost-lock");
  if (existsSync(marker) && readFileSync(marker, "utf8") === lock) return;
  if (existsSync(at("node_modules", ".package-lock.json")) && packagesMatch()) {
    writeFileSync(marker, lock);
    return;
  }
  say("Installing packages …");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  // Not `npm ci`: that insists on the optional packages of all other platforms, which not every mirror has. The
  // versions are the lock file's all the same. What the page is built of is a development dependency.
  const { status } = spawnSync(
    npm,
    ["install", "--include=dev", "--no-save", "--no-fund", "--no-audit", "--loglevel=error"],
    { cwd: ROOT, stdio: ["ignore", 2, 2], shell: process.platform === "win32" },
  );
  if (status !== 0) {
    say("npm install failed; its messages are above. Is the npm registry reachable?");
    process.exit(1);
  }
  writeFileSync(marker, lock);
}

/** Whether somebody ran `npm install` already: then everything the lock file names is there in its version. */
function packagesMatch() {
  const { packages } = JSON.parse(readFileSync(at("package-lock.json"), "utf8"));
  return Object.entries(packages).every(([path, wanted]) => {
    if (path === "" || wanted.optional || wanted.peer) return true;
    try {
      return JSON.parse(readFileSync(at(path, "package.json"), "utf8")).version === wanted.version;
    } catch {
      return false;
    }
  });
}

async function build() {
  const stamp = stampOf(SOURCES.flatMap((name) => filesBelow(at(name))));
  const stampFile = at("dist", "stamp");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  const { createBuilder } = await import("vite");
  const builder = await createBuilder({ configFile: at("vite.config.ts"), logLevel: "warn" });
  say("Building the command …");
  await builder.build(builder.environments.ssr);
  const { ensureEngine } = await import(pathToFileURL(at("dist", "node", "build-engine.js")).href);
  const engine = at("dist", "engine", "engine.wasm");
  await ensureEngine(engine);
  const { keepBase } = await import(pathToFileURL(at("dist", "node", "keep-base.js")).href);
  await keepBase(engine, at("dist", "engine", "base.image"));
  say("Building the page …");
  await builder.build(builder.environments.client);
  await buildLibrary(builder.config.plugins.find(({ name }) => name === "roost:guest"));
  mkdirSync(at("dist"), { recursive: true });
  writeFileSync(stampFile, stamp);
}

/** The package's module for pages (dist/tab), with everything in it, as bundlers of other projects like to find it. */
async function buildLibrary(guestLibrary) {
  const { rolldown } = await import("rolldown");
  const bundle = await rolldown({
    input: { index: at("fabric/tab/index.ts"), "executor.worker": at("fabric/tab/executor.worker.ts") },
    platform: "browser",
    plugins: [guestLibrary],
    logLevel: "silent",
  });
  const dir = at("dist", "tab");
  rmSync(dir, { recursive: true, force: true });
  await bundle.write({ dir, format: "es", entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" });
  await bundle.close();
}

function filesBelow(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return [`${path} ${stat.size} ${stat.mtimeMs}`];
  return readdirSync(path).flatMap((name) => (name === "node_modules" ? [] : filesBelow(join(path, name))));
}

const stampOf = (lines) => createHash("sha256").update(lines.join("\n")).digest("hex");

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await ensureReady();
