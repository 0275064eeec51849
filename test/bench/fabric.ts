/** The whole fabric in one Node process, as a program sees it: one host with one worker thread, and the job's home. */

import { must } from "../../fabric/base/errors.ts";
import { LIMITS } from "../../fabric/base/limits.ts";
import { nodeEnvironment } from "../../fabric/edge/environment.ts";
import { Fabric } from "../../fabric/host/fabric.ts";
import { NodeDisk } from "../../fabric/io/node-disk.ts";

/** Runs a program and gives what it says in its last line. `heard` is told what it says meanwhile. */
async function run(source: string, heard: (said: string) => void = () => {}): Promise<string> {
  const host = new Fabric(nodeEnvironment(), { workers: 1 });
  let said = "";
  try {
    const job = await host.run({
      name: "bench",
      source,
      fileName: "bench.js",
      processesMax: LIMITS.processesPerJobMost,
      disk: new NodeDisk(process.cwd()),
      terminal: {
        print: (_fd, data) => {
          const text = new TextDecoder().decode(data);
          heard(text);
          said += text;
        },
        readLine: async () => undefined,
      },
    });
    const { status } = await job.ended;
    if (status !== 0) throw new Error(`the program ended with ${status}: ${said}`);
  } finally {
    host.close();
  }
  return must(said.trim().split("\n").at(-1), "line of output");
}

const FORKS = 3000;

/** A parent with 1 MiB of live heap forks a child that ends at once, and waits for it. */
async function processRate(): Promise<number> {
  const said = await run(`
    import { exit, fork, wait } from "roost";
    const kept = new Uint8Array(2 ** 20).map((_, i) => i);
    const cycles = (n) => {
      const began = performance.now();
      for (let i = 0; i < n; i++) {
        if (fork() === 0) exit(kept[7]);
        wait();
      }
      return (1000 * n) / (performance.now() - began);
    };
    cycles(50);
    console.log(cycles(${FORKS}));`);
  return Number(said);
}

const SLEEPERS = 10_000;

/**
 * What processes that sleep take of this whole process's resident memory (the worker, the host's kernel, the job's home), and
 * how long it takes to start them. Children of one program, each with something of its own.
 */
async function sleepers(): Promise<Record<string, number>> {
  const rss: number[] = [];
  const said = await run(
    `
    import { exit, fork, sleep } from "roost";
    const more = (n) => {
      const began = performance.now();
      for (let i = 0; i < n; i++) {
        if (fork() === 0) {
          const own = { started: Date.now(), items: Array.from({ length: 20 }, (_, k) => k + i) };
          sleep(1e9);
          exit(own.items.length);
        }
      }
      const tookMs = performance.now() - began;
      sleep(300);
      console.log(tookMs);
    };
    more(100);
    more(${SLEEPERS});
    exit();`, // which ends them
    () => rss.push(process.memoryUsage.rss()),
  );
  const [before = 0, after = 0] = rss;
  return {
    "host.sleepers_start_s": Number(said) / 1000,
    "host.sleepers_rss_mib": after / 2 ** 20,
    "host.sleeping_process_kib": (after - before) / SLEEPERS / 1024,
  };
}

export async function localSuite(): Promise<Record<string, number>> {
  // First, when nothing else has left memory behind.
  return { ...(await sleepers()), "fork.fabric_per_s": await processRate() };
}
