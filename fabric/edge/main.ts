/** The `roost` command: words in, exit code out. What each word does is in a file of its own. */
import { Command, InvalidArgumentError, Option } from "commander";
import pc from "picocolors";
import { RoostError } from "../base/errors.ts";

const count = (least: number) => (text: string) => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < least) throw new InvalidArgumentError(`a whole number from ${least} up.`);
  return n;
};

const portOption = () =>
  new Option("--port <number>", "where to listen")
    .env("PORT")
    .default(9000)
    .argParser((text) => {
      const n = Number(text);
      if (!Number.isInteger(n) || n < 0 || n > 65_535)
        throw new InvalidArgumentError("a port from 0 to 65535.");
      return n;
    });

const relayOption = () =>
  new Option("--relay <url>", "the relay where hosts are found")
    .env("ROOST_RELAY")
    .default(new URL("http://localhost:9000"), "http://localhost:9000")
    .argParser((text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (!url || !/^https?:$/.test(url.protocol))
        throw new InvalidArgumentError("the address of its page, like http://localhost:9000.");
      return url;
    });

function commands(): Command {
  const roost = new Command("roost")
    .description("Run programs that fork across browser tabs and edge machines.")
    .showHelpAfterError("(roost --help lists the commands)");

  roost
    .command("run")
    .description("launch a job from here; its output is this command's, its status the exit code")
    .argument("<file>", "the program: JavaScript or TypeScript, imports are bundled")
    .argument("[args...]", "its arguments")
    .addOption(relayOption())
    .addOption(
      new Option("--local [hosts]", "on this many hosts inside this process, without network")
        .preset(2)
        .argParser(count(1)),
    )
    .option(
      "--preempt-every <polls>",
      "suspend, encode and move at every Kth poll and every system call",
      count(1),
    )
    .option("--dir <directory>", "the job's directory: all it sees of the disk", ".")
    .option("--memory <MiB>", "linear memory of each process", count(4))
    .option("--json", "say at the end, on stderr, how it went, as JSON")
    .addHelpText("after", "\nExample:\n  roost run examples/queens.js 8 --local=3")
    .action(async (file: string, args: string[], options) => {
      const { run } = await import("./commands.ts");
      process.exitCode = await run(file, args, options);
    });

  roost
    .command("donate")
    .description("this machine takes work until Ctrl-C, which sends it away first")
    .addOption(relayOption())
    .option("--workers <number>", "processes it runs at once", count(1), 1)
    .addHelpText("after", "\nExample:\n  roost donate --relay http://localhost:9000 --workers 2")
    .action(async (options) => {
      const { donate } = await import("./donate.ts");
      await donate(options.relay, options.workers);
    });

  roost
    .command("relay")
    .description("the relay and the page: one process, one port")
    .addOption(portOption())
    .addHelpText("after", "\nExample:\n  roost relay --port 9000")
    .action(async (options) => {
      const { relay } = await import("./commands.ts");
      await relay(options.port);
    });

  roost
    .command("bench")
    .description("measure, and say on what machine and how")
    .argument("[suites...]", "which; all of them by default")
    .option("--json <file>", "write the figures as one flat object")
    .addHelpText("after", "\nExample:\n  roost bench flight --json figures.json")
    .action(async (suites: string[], options) => {
      const { bench } = await import("./commands.ts");
      await bench(suites, options.json);
    });

  roost
    .command("start", { hidden: true })
    .description("relay, page, and the example job once")
    .addOption(portOption())
    .option("--no-demo", "only serve")
    .action(async (options) => {
      const { start } = await import("./commands.ts");
      await start(options.port, options.demo);
    });

  return roost;
}

export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0); // `roost … | head` has seen enough
  });
  try {
    await commands().parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof RoostError)) throw error;
    process.stderr.write(`${pc.red("roost:")} ${error.message}\n`);
    process.exitCode = 1;
  }
}
