/** `import { join } from "roost"`, in a page. */
import { type JoinOptions, joinWith, localWith, type Roost } from "../library.ts";
import { TAB } from "./environment.ts";

export * from "../index.ts";

/** Joins a relay; that of this page unless another is named. Throws RoostError ENOHOST when none answers. */
export function join(relay: string | URL = location.origin, options: JoinOptions = {}): Promise<Roost> {
  return joinWith(TAB, relay, options);
}

/** A fabric of `hosts` hosts inside this page, without any network. */
export function local(hosts = 1, options: JoinOptions = {}): Roost {
  return localWith(TAB, hosts, options);
}
