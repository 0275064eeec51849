/**
 * A process that holds its worker in something that polls nothing: real workers, with the time until they are given up turned
 * down. It is started again, reported in the end, and whoever shared the worker loses nothing and does nothing twice.
 */
import { expect, test } from "vitest";
import { limited } from "../unit/home.kit.ts";
import { LocalFabric } from "./hosts.ts";

/** Two children count, with calls and polls in between; a third holds the worker in the midst of that. */
const program = (endless: string) => ({
  fileName: "runaway.js",
  source: `
    import { exit, fork, recv, send, sleep, waitpid } from "roost";
    const child = (run) => fork() || exit(0, run());
    const count = (name) => {
      let sum = 0;
      for (let step = 0; step < 5; step++) {
        for (let i = 0; i < 200_000; i++) sum = (sum * 31 + i) % 65521;
        console.log(name, step, sum);
        sleep(200);
      }
      return sum;
    };
    const counting = [child(() => count("a")), child(() => count("b"))];
    const held = child(() => {
      send(1, "begins");
      sleep(300);
      console.log("holds");
      send(1, "holds");
      return ${endless};
    });
    console.log("counted", ...counting.map((pid) => waitpid(pid).value));
    console.log("held", waitpid(held).signal, recv({ from: held, tag: "holds", timeout: 0 })?.tag);`,
});
const SUMS = [47406, 28158, 62228, 9452, 20191];

test.each([
  { endless: `new Array(4e9) + ""`, hosts: 1 },
  { endless: `[].indexOf.call({ length: 2 ** 53 - 1 }, 1)`, hosts: 2 },
])("$endless, with $hosts workers", async ({ endless, hosts }) => {
  using _ = limited({ stuckMs: 1_000 });
  const fabric = await LocalFabric.start(hosts);
  try {
    const { stdout, stderr, status, transcript } = await fabric.run(program(endless));
    const story = `what happened:\n${transcript.join("\n")}`;
    const lines = stdout.trimEnd().split("\n");
    for (const name of ["a", "b"])
      expect(
        lines.filter((line) => line.startsWith(name)),
        story,
      ).toEqual(SUMS.map((sum, step) => `${name} ${step} ${sum}`));
    // What it printed and sent last tells others where it is.
    expect(lines.filter((line) => line === "holds").length, story).toBe(1);
    expect(lines.slice(11), story).toEqual(["counted 20191 20191", "held SIGKILL holds"]);
    expect(stderr).toMatch(
      /^roost: process 4 was lost with its host 3 times \(last: the worker that ran it ended: a guest held it in something that cannot be interrupted\) and is given up\n$/,
    );
    expect(status).toBe(0);
  } finally {
    fabric.close();
  }
});
