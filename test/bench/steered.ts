/** Jobs of a page that a benchmark looks at and steers, over the address that the page shows for terminals. */
import type { Page } from "playwright";
import { type ProcessReport, type RemoteJob, type Roost, RoostError } from "../../fabric/index.ts";
import { launch } from "./two-browsers.ts";

export async function childOf(job: Steered): Promise<ProcessReport> {
  const { processes } = await job.by((remote) => remote.look());
  const child = processes.find(({ ppid, endedMs }) => ppid === 1 && endedMs === undefined);
  if (!child) throw new Error("the benchmark's program has no child");
  return child;
}

/** A job of the page, steered by its address, and again if the page was too busy to say that it is there. */
export class Steered {
  readonly #launcher: Page;
  readonly #roost: Roost;
  readonly #address: string;
  #remote: RemoteJob | undefined;

  constructor(launcher: Page, roost: Roost, address: string) {
    this.#launcher = launcher;
    this.#roost = roost;
    this.#address = address;
  }

  async by<T>(act: (remote: RemoteJob) => Promise<T>): Promise<T> {
    for (;;)
      try {
        this.#remote ??= await this.#roost.steer(this.#address);
        return await act(this.#remote);
      } catch (error) {
        if (!(error instanceof RoostError) || error.code !== "EIO") throw error;
        this.#remote = undefined;
      }
  }

  said(): Promise<string> {
    return this.by(async (remote) => {
      let text = "";
      for await (const { data } of remote.output({ follow: false })) text += new TextDecoder().decode(data);
      return text;
    });
  }

  async end(): Promise<void> {
    await this.by((remote) => remote.kill(1, "SIGKILL"));
    await this.#launcher.getByTestId("status").and(this.#launcher.locator("[data-running=false]")).waitFor();
    this.#remote?.[Symbol.dispose]();
  }
}

/** Runs a program in the page, until it says that it is as large as it gets. */
export async function launched(launcher: Page, roost: Roost, source: string): Promise<Steered> {
  await launch(launcher, source);
  await launcher.getByTestId("status").and(launcher.locator("[data-running=true]")).waitFor();
  await launcher.getByTestId("steer").click();
  const command = (await launcher.getByTestId("steer-command").textContent()) ?? "";
  await launcher.keyboard.press("Escape");
  const job = new Steered(launcher, roost, command.split(" ")[3] ?? "");
  while (!(await job.said()).includes("full")) await new Promise((resolve) => setTimeout(resolve, 200));
  return job;
}
