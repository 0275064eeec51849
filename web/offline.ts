/** Lets the page open without a network, and be installed. Nothing depends on it: where it is not to be had, it is not there. */

export async function keepForOffline(): Promise<void> {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  try {
    await navigator.serviceWorker.register("/sw.js");
    const { active } = await navigator.serviceWorker.ready;
    const installed = matchMedia("(display-mode: standalone)").matches;
    active?.postMessage(installed ? "all" : "shell");
    addEventListener("appinstalled", () => active?.postMessage("all"));
  } catch {
    // Denied, or not over HTTPS.
  }
}
