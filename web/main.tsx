/** Starts the page: what it remembers, who this tab is, which relay, and then the view. */
import { render } from "preact";
import { BrowserSensors } from "../fabric/io/browser-sensors.ts";
import { systemClock } from "../fabric/io/clock.ts";
import { systemRandom } from "../fabric/io/random.ts";
import { browserStore } from "../fabric/io/store.ts";
import { TabBudget } from "../fabric/io/tab-budget.ts";
import { jobInAddress } from "./address.ts";
import { App } from "./components/app.tsx";
import { DoesNotOpen } from "./components/does-not-open.tsx";
import { tabEnvironment } from "./environment.ts";
import { keptIdentity } from "./kept-identity.ts";
import { Model } from "./model.ts";
import { birdName } from "./names.ts";
import { keepForOffline } from "./offline.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import "./styles/page.css";

const NAME_KEY = "roost-name";

/** Of a tab that is somebody new each time. */
function rememberedName(): string {
  // A tab that was duplicated copies its session: then two have one name, which people can tell apart by their places.
  const name = session(() => sessionStorage.getItem(NAME_KEY)) ?? newName();
  session(() => sessionStorage.setItem(NAME_KEY, name));
  return name;
}

const newName = () => birdName(systemRandom.bytes(2));

function saveName(name: string): void {
  if (identity) identity.saveName(name);
  else session(() => sessionStorage.setItem(NAME_KEY, name));
}

/** Where storage is denied the tab has another name the next time, and that is all. */
function session<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}

const page = document.getElementById("page");
const relay = new URL(location.origin);
const store = browserStore("roost");
const identity = await keptIdentity(store, newName);
const processors = navigator.hardwareConcurrency || 2;
const model = await Model.open({
  environment: (name) => tabEnvironment(name, relay, identity),
  name: identity?.name ?? rememberedName(),
  saveName,
  identityIsKept: identity !== undefined,
  store,
  defaults: DEFAULT_SETTINGS,
  processors,
  sensors: new BrowserSensors(),
  budget: new TabBudget(),
  clock: systemClock,
  relayName: relay.host,
  job: jobInAddress(location),
}).catch((error) => {
  if (page) render(<DoesNotOpen error={error} />, page); // a group whose secret could be guessed
  throw error;
});

addEventListener("pagehide", () => model.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload(); // what was closed does not come back by itself
});
addEventListener("beforeunload", (event) => {
  if (model.losesJobs) event.preventDefault(); // others are kept, and go on when the page is opened again
});

addEventListener("hashchange", () => location.reload()); // another group is another participant; or a job is to be shown
if (page) render(<App model={model} />, page);
void keepForOffline();
