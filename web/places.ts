/**
 * Where everything is, for the page to draw: the hosts known to this tab as places, and the processes of one job in
 * them. A pure function of the fabric's view.
 */
import type { FabricView, HostId, JobView, ProcessView } from "../fabric/index.ts";

/** A process of somebody else's job, in this tab. */
export type Guest = FabricView["donor"]["guests"][number];

export interface Place {
  readonly id: HostId;
  readonly name: string;
  readonly platform: string;
  /** This very tab. */
  readonly here: boolean;
  /** How many processes it runs at once; undefined when that is not known yet. */
  readonly slots: number | undefined;
  /** Whether a process could go there now. */
  readonly taking: boolean;
  /** Why it takes nothing, or what it is about to do; empty when it simply works. */
  readonly note: string;
  /** The job's processes there, oldest first. */
  readonly processes: readonly ProcessView[];
  /** Processes of the job whose last stay was there, and that have ended. */
  readonly endedCount: number;
  /** Processes there of other people's jobs, that which is looked at aside; known for this tab alone. */
  readonly guests: readonly Guest[];
}

export interface Places {
  /** This tab, and hosts that take work or hold some. */
  readonly places: readonly Place[];
  /** The others. */
  readonly resting: readonly Place[];
  /** Processes that no host has now. */
  readonly waiting: readonly ProcessView[];
}

export function placesOf(view: FabricView, job: JobView | undefined): Places {
  const at = new Map<HostId, ProcessView[]>();
  const ended = new Map<HostId, number>();
  const waiting: ProcessView[] = [];
  for (const process of job?.processes ?? []) {
    const last = process.stays.at(-1)?.host;
    if (process.state === "ended") {
      if (last) ended.set(last, (ended.get(last) ?? 0) + 1);
    } else if (process.host === undefined) waiting.push(process);
    else {
      const there = at.get(process.host);
      if (there) there.push(process);
      else at.set(process.host, [process]);
    }
  }

  const { self, donor, directory } = view;
  const running = job !== undefined && job.endedMs === undefined;
  const linked = new Map(running ? job.hosts.map((host) => [host.id, host]) : []);
  const listed = new Map(directory.map((presence) => [presence.host, presence]));
  const ids = new Set<HostId>([self.id, ...linked.keys(), ...listed.keys(), ...at.keys(), ...ended.keys()]);

  const places = Array.from(ids, (id): Place => {
    const here = id === self.id;
    const host = linked.get(id);
    const presence = listed.get(id);
    const known = host ?? presence;
    return {
      id,
      name: here ? self.name : (known?.name ?? nameIn(job, id)),
      platform: known?.platform ?? "",
      here,
      taking: host ? host.slots > 0 : presence?.taking === true,
      slots: host?.slots ?? (here ? donor.workers : undefined),
      note: here ? "" : noteOf(host, presence, running),
      processes: at.get(id) ?? [],
      endedCount: ended.get(id) ?? 0,
      guests: here ? donor.guests.filter((guest) => !guest.own && !(running && guest.job === job.id)) : [],
    };
  });
  const active = (place: Place) =>
    place.here || place.taking || place.processes.length > 0 || place.endedCount > 0;
  return { places: places.filter(active), resting: places.filter((place) => !active(place)), waiting };
}

function noteOf(
  host: JobView["hosts"][number] | undefined,
  presence: FabricView["directory"][number] | undefined,
  running: boolean,
): string {
  if (host) return host.slots > 0 ? "" : `takes nothing now: ${host.reason}`;
  if (!presence) return "not reachable any more";
  if (!presence.taking) return "takes no work now";
  return running ? "linking…" : "takes work";
}

function nameIn(job: JobView | undefined, id: HostId): string {
  for (const { stays } of job?.processes ?? []) {
    const there = stays.findLast(({ host }) => host === id);
    if (there) return there.hostName;
  }
  return id.slice(0, 6);
}

/** A letter and a colour for each host, in the order in which this page first saw them. */
export class HostMarks {
  readonly #order = new Map<string, number>();

  orderOf(host: string): number {
    const n = this.#order.get(host) ?? this.#order.size;
    this.#order.set(host, n);
    return n;
  }

  markOf(host: string): { readonly letter: string; readonly hue: number } {
    const n = this.orderOf(host);
    const round = Math.floor(n / 26);
    // The golden angle keeps any number of neighbours apart.
    return {
      letter: String.fromCharCode(65 + (n % 26)) + (round || ""),
      hue: Math.round((165 + n * 137.508) % 360),
    };
  }
}
