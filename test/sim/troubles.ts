/** What the kinds of trouble do (weather.ts). */
import { must } from "../../fabric/base/errors.ts";
import { hostId } from "../../fabric/base/ids.ts";
import type { History } from "./history.ts";
import type { SimulatedLink } from "./network.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { Trouble } from "./weather.ts";

const FOR_EVER = Number.POSITIVE_INFINITY;

export function cause(history: History, what: Trouble): void {
  const { world } = history;
  if (what === "home restarts") {
    world.note(`*** ${what}`);
    return history.restartHome();
  }
  const host = world.pick(history.hosts.filter(({ alive }) => alive));
  if (!host) return;
  world.note(() => `*** ${what}: ${host.name}`);
  const link = world.pick([...host.links]);
  switch (what) {
    case "crash":
      return crash(history, host);
    case "cut":
      return link?.cut("cut");
    case "partition":
      return partition(link, world.between(50, 8_000));
    case "one way":
      return link?.block(world.random() < 0.5 ? 0 : 1, world.between(50, 8_000));
    case "stall":
      return partition(link, world.between(20, 3_000));
    case "sleep":
      if (world.random() < 0.2) return sleepAtHome(history);
      return host.sleep(world.between(20, 15_000), world.random() < 0.5);
    case "slow":
      host.party.slowness = world.between(2, 30);
      return;
    case "reclaim":
      // Of the launcher's own its home's processes stay, and stand still.
      if (world.random() < 0.3 && history.own.alive) return reclaim(history, history.own);
      reclaim(history, host);
      return history.announce(host);
    case "terms":
      return host.daemon.allow({
        share: world.pick([1, 0.5, 0.1]) ?? 1,
        held: world.random() < 0.4,
        workers: world.whole(1, 3),
        memoryBytes: (1 << 20) * world.between(0.5, 8),
      });
    case "worker crash":
      return (world.random() < 0.5 && history.own.alive ? history.own : host).crashWorker();
    case "stuck":
      return host.stick(world.random() < 0.5 ? world.between(100, 9_000) : undefined);
    case "recall": {
      const pid = history.anyPid();
      const to = world.pick(history.hosts.filter(({ alive }) => alive));
      if (pid !== undefined && history.homeParty.alive)
        history.job.migrate(pid, world.random() < 0.5 || !to ? undefined : hostId(to.name));
      return;
    }
    case "relay restart":
      return history.relay.restart(world.between(10, 4_000));
    case "hidden":
      host.party.enter(() => host.daemon.save());
      return void (
        world.random() < 0.5 && world.after(world.between(0, 50), () => host.alive && crash(history, host))
      );
    case "leave":
      host.party.enter(() => {
        host.daemon.close();
        world.after(5, () => host.die());
      });
      return void world.after(world.between(100, 2_000), () => history.join());
  }
}

/** It is gone from one step to the next. Its home hears at once, as where a process dies on a machine that lives, or of silence. */
export function crash(history: History, host: SimulatedHost): void {
  const { world } = history;
  const atOnce = world.random() < 0.5;
  for (const link of host.links) {
    if (atOnce) link.cut("the connection closed");
    else link.block(1, FOR_EVER);
  }
  host.die();
  world.after(world.between(10, 1_000), () => history.join());
}

function reclaim(history: History, { daemon, party }: SimulatedHost): void {
  const { world } = history;
  daemon.reclaim("its owner is back").then((receipt) => {
    must(receipt.emptyMs >= receipt.cpuBackMs || undefined, "receipt with its times in order");
    world.after(
      world.between(50, 2_000),
      () => history.healed || party.enter(() => daemon.allow({ taking: true, reason: "" })),
    );
  });
}

function partition(link: SimulatedLink | undefined, forMs: number): void {
  link?.block(0, forMs);
  link?.block(1, forMs);
}

/** The launcher's page: the home and its own host. */
function sleepAtHome(history: History): void {
  const { world } = history;
  const forMs = world.between(20, 15_000);
  history.homeParty.sleep(forMs);
  for (const { links } of history.hosts) for (const link of links) link.mute(0, forMs, world.random() < 0.5);
}
