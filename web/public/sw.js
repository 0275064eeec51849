/**
 * Keeps what the page is made of, so that it opens without a network. The page itself is asked of the relay first, so
 * that nobody is left with an old one; files in /assets carry a hash of their content in their names and never change.
 * The build's files.json says which there are.
 */
const CACHE = "roost";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** The page asks: "shell" is what it opens with, "all" everything (an installed app is to work offline from the start). */
self.addEventListener("message", (event) => {
  if (event.data === "shell" || event.data === "all") event.waitUntil(keep(event.data));
});

async function keep(what) {
  const cache = await caches.open(CACHE);
  const { shell, all } = await (await fetch("/files.json", { cache: "no-cache" })).json();
  const current = new Set(all);
  for (const request of await cache.keys()) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/assets/") && !current.has(pathname)) await cache.delete(request);
  }
  for (const path of what === "all" ? all : shell)
    if (path === "/" || !(await cache.match(path))) await cache.add(path);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(pageFrom(request));
  else if (pathname.startsWith("/assets/") || /^\/(icon|manifest)/.test(pathname))
    event.respondWith(assetFrom(request));
});

async function pageFrom(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match("/");
    if (kept) return kept;
    throw error;
  }
}

async function assetFrom(request) {
  const kept = await caches.match(request, { ignoreVary: true });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) {
    const cache = await caches.open(CACHE);
    await cache.put(request, response.clone());
  }
  return response;
}
