/**
 * A Chromium for the tests: one that is installed, else Playwright's own, else (as root, on Debian) the package.
 * Answers with the path of its executable, and says what it does when that takes time.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const ELSEWHERE = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

export function findChromium() {
  const paths = (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((dir) => NAMES.map((name) => join(dir, name)));
  return [process.env.ROOST_CHROMIUM, ...paths, ...ELSEWHERE, chromium.executablePath()].find(executable);
}

function executable(path) {
  if (!path) return false;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function ensureChromium() {
  const found = findChromium();
  if (found) return found;
  console.error("Installing a Chromium for the tests (npx playwright install chromium) …");
  run("npx", ["playwright", "install", "chromium"]);
  if (!findChromium() && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.error("That did not work; installing Debian's package instead …");
    run("apt-get", ["update", "-qq"]);
    run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"]);
  }
  const installed = findChromium();
  if (installed) return installed;
  console.error(
    "There is no Chromium, and none could be installed. Install one, or set ROOST_CHROMIUM to its path.",
  );
  process.exit(1);
}

function run(command, args) {
  spawnSync(command, args, {
    stdio: ["ignore", 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
  });
}
