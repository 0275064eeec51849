/** The `roost` command: words in, exit code out. What each word does is in a file of its own, loaded when it is said. */
import { Command, Help, type HelpConfiguration, InvalidArgumentError, Option } from "commander";
import { version } from "../../package.json";
import { RoostError } from "../base/errors.ts";
import { err } from "./colors.ts";

const count = (least: number) => (text: string) => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < least) throw new InvalidArgumentError(`a whole number from ${least} up.`);
  return n;
};

/** Each has a thread of its own. */
const LOCAL_HOSTS_MAX = 64;

function localHosts(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= LOCAL_HOSTS_MAX) return n;
  throw new InvalidArgumentError(
    `it takes a number of hosts, 1 to ${LOCAL_HOSTS_MAX}; before a program's name write --local=2.`,
  );
}

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

/** `22:00-7:00`; over midnight too. */
function hours(text: string) {
  const [, h1, m1 = "0", h2, m2 = "0"] =
    /^(\d{1,2})(?::([0-5]\d))?-(\d{1,2})(?::([0-5]\d))?$/.exec(text) ?? [];
  const fromMinute = Number(h1) * 60 + Number(m1);
  const toMinute = Number(h2) * 60 + Number(m2);
  if (!(fromMinute < 1440 && toMinute <= 1440 && fromMinute !== toMinute))
    throw new InvalidArgumentError("two times of day, like 22:00-7:00.");
  return { fromMinute, toMinute };
}

const relayOption = (what = "the relay where hosts are found") =>
  new Option("--relay <url>", what)
    .env("ROOST_RELAY")
    .default(new URL("http://localhost:9000"), "http://localhost:9000")
    .argParser((text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (!url || !/^https?:$/.test(url.protocol))
        throw new InvalidArgumentError("the address of its page, like http://localhost:9000.");
      return url;
    });

/** For commands that take a pid: whose. */
const jobOption = () =>
  new Option("--job <job>", "which job: an id, or HOST.SECRET for one at a relay").env("ROOST_JOB");
const atRelay = () => relayOption("where a job given as HOST.SECRET is found");
const NAMED_JOB = "a job's id, or HOST.SECRET for one at a relay";
const JOB = `${NAMED_JOB}; by default the one that runs here`;

/** Below this, what an option means goes below it. */
const NARROW = 60;

const NARROW_HELP: HelpConfiguration = {
  minWidthToWrap: 20,
  subcommandTerm: (command) =>
    [
      command.name(),
      ...command.registeredArguments.map((a) => (a.required ? `<${a.name()}>` : `[${a.name()}]`)),
    ].join(" "),
  formatItem(term, termWidth, description, helper) {
    const width = helper.helpWidth ?? 80;
    if (width >= NARROW) return new Help().formatItem.call(helper, term, termWidth, description, helper);
    const below = helper.boxWrap(description, width - 6).replace(/^/gm, "      ");
    return description ? `  ${term}\n${below}` : `  ${term}`;
  },
};

export function commands(): Command {
  const roost = new Command("roost")
    .description("Run programs that fork across browser tabs and edge machines.")
    .version(version, "-V, --version")
    .showHelpAfterError("(roost --help lists the commands)")
    .configureHelp(NARROW_HELP)
    .addHelpCommand(
      new Command("help").argument("[command]").description("the same as --help").helpGroup("And:"),
    )
    .addHelpText("after", "\nExample:\n  roost run examples/queens.js 8 --local=3");
  takingPart(roost.commandsGroup("Take part:"));
  looking(roost.commandsGroup("Look at jobs:"));
  steering(roost.commandsGroup("Steer jobs:"));
  keeping(roost.commandsGroup("And:"));
  return roost;
}

function takingPart(roost: Command): void {
  roost
    .command("run")
    .description("launch a job from here; its output is this command's, its status the exit code")
    .argument("[file]", "the program: JavaScript or TypeScript, imports are bundled")
    .argument("[args...]", "its arguments; after -- they may begin with a dash")
    .addOption(relayOption())
    .addOption(
      new Option("--local [hosts]", "on this many hosts inside this process, without network")
        .preset(2)
        .argParser(localHosts),
    )
    .option("-d, --detach", "leave it to a process of its own and print the job's id (see attach)")
    .addOption(
      new Option(
        "--preempt-every <polls>",
        "with --local: suspend, encode and move at every Kth poll and every system call",
      ).argParser(count(1)),
    )
    .option("--dir <directory>", "the job's directory: all it sees of the disk", ".")
    .option("--restore <checkpoint>", "go on with a job from a file that `roost checkpoint` wrote")
    .addOption(
      new Option(
        "--durable <how>",
        "checkpoint what runs, so that a lost host costs seconds at most (on)",
      ).choices(["on", "off"]),
    )
    .option("--memory <MiB>", "linear memory of each process", count(4))
    .option("--json", "print output and events as JSON lines, at the end the whole job")
    .addOption(new Option("--as-home").hideHelp())
    .addOption(new Option("--kept <job>").hideHelp())
    .showHelpAfterError("(what is meant for the program comes after --; roost run --help lists the rest)")
    .addHelpText("after", "\nExample:\n  roost run examples/queens.js 8 --local=3")
    .action(async (file: string | undefined, args: string[], options) => {
      const { run } = await import("./run.ts");
      process.exitCode = await run(file, args, options);
    });

  roost
    .command("donate")
    .description("this machine takes work until Ctrl-C, which sends it away first")
    .addOption(relayOption())
    .option(
      "--workers <number>",
      "processes it runs at once (half of the processors, all while nobody is here)",
      count(1),
    )
    .option("--memory <MiB>", "of all guests together (1024)", count(16))
    .addOption(new Option("--hours <from-to>", "only then, like 22:00-7:00").argParser(hours))
    .addOption(new Option("--battery <when>", "on battery (charged)").choices(["never", "charged", "always"]))
    .option("--traffic <MiB>", "in and out together, in a day", count(1))
    .option(
      "--only <who...>",
      "serve only jobs of these participants, by id (or by name, which anybody can take)",
    )
    .option("--block <who...>", "serve no jobs of these participants")
    .option("--always", "whatever else this machine does: for servers")
    .addOption(
      new Option("--root <directory>", "where the machine's /proc, /sys and /dev are, seen from a container")
        .env("ROOST_ROOT")
        .default("/"),
    )
    .option("--json", "print what happens as JSON lines")
    .addHelpText("after", "\nExample:\n  roost donate --relay http://localhost:9000 --workers 2")
    .action(async (options) => {
      const { donate } = await import("./donate.ts");
      await donate(options);
    });

  roost
    .command("relay")
    .summary("the relay and the page: one process, one port")
    .description(
      "the relay and the page: one process, one port. Its state is at /health, and for this machine alone at /metrics. SIGTERM lets those who are connecting finish.",
    )
    .addOption(portOption())
    .option("--origin <origins...>", "pages served elsewhere that may connect too, like https://example.org")
    .option("--behind-proxy", "a proxy stands before it: believe its x-forwarded-for and -host")
    .option(
      "--ice <urls...>",
      "STUN and TURN servers for hosts that do not reach each other, like turn:turn.example.org:3478 (Node needs one over UDP); for TURN, ROOST_TURN_SECRET is coturn's static-auth-secret",
    )
    .option("--json", "say where it listens as JSON")
    .addHelpText("after", "\nExample:\n  roost relay --port 9000")
    .action(async (options) => {
      const { relay } = await import("./keeping.ts");
      await relay(options);
    });
}

function looking(roost: Command): void {
  roost
    .command("ps")
    .description("jobs of this machine and their processes")
    .argument("[job]", JOB.replace("the one that runs here", "all that run here"))
    .addOption(atRelay())
    .option("-a, --all", "ended ones too")
    .option("--json", "the jobs as one JSON document")
    .addHelpText("after", "\nExample:\n  roost ps\n  roost ps k3x9f2ab --all")
    .action(async (job: string | undefined, options) => {
      const { ps } = await import("./look.ts");
      await ps({ ...options, job });
    });

  roost
    .command("top")
    .description("a job's hosts and processes, as they change; q ends it")
    .argument("[job]", JOB)
    .addOption(atRelay())
    .option("--every <seconds>", "how often", count(1), 1)
    .option("--json", "JSON lines")
    .addHelpText("after", "\nExample:\n  roost top")
    .action(async (job: string | undefined, options) => {
      const { top } = await import("./top.ts");
      await top({ ...options, job });
    });

  roost
    .command("hosts")
    .description("the hosts at a relay, or those that a job uses")
    .argument("[job]", "a job's id, or HOST.SECRET; by default all hosts at the relay")
    .addOption(relayOption())
    .option("--json", "as one JSON document")
    .addHelpText("after", "\nExample:\n  roost hosts --relay http://localhost:9000\n  roost hosts k3x9f2ab")
    .action(async (job: string | undefined, options) => {
      const { hosts } = await import("./look.ts");
      await hosts({ ...options, job });
    });

  roost
    .command("inspect")
    .description("everything about a process, or a job: where it was, why it moved, what it cost")
    .argument("[pid-or-job]", "a process's number, or a job's id; by default the job that runs here")
    .addOption(jobOption())
    .addOption(atRelay())
    .option("--json", "as one JSON document")
    .addHelpText("after", "\nExample:\n  roost inspect 3")
    .action(async (what: string | undefined, options) => {
      const { inspect, target } = await import("./look.ts");
      await inspect({ ...options, ...target(what, options) });
    });

  roost
    .command("why")
    .description("why a process, or a job, does not run: in words")
    .argument("[pid-or-job]", "a process's number, or a job's id; by default the job that runs here")
    .addOption(jobOption())
    .addOption(atRelay())
    .option("--json", "as one JSON document")
    .addHelpText("after", "\nExample:\n  roost why 3")
    .action(async (what: string | undefined, options) => {
      const { target, why } = await import("./look.ts");
      await why({ ...options, ...target(what, options) });
    });

  roost
    .command("logs")
    .description("what a job has written")
    .argument("[job]", JOB)
    .addOption(atRelay())
    .option("-f, --follow", "go on until the job ends")
    .option("--pid <pid>", "of one process only", count(1))
    .option("--json", "JSON lines, with process and time")
    .addHelpText("after", "\nExample:\n  roost logs -f")
    .action(async (job: string | undefined, options) => {
      const { logs } = await import("./steer.ts");
      await logs({ ...options, job });
    });
}

function steering(roost: Command): void {
  roost
    .command("attach")
    .description(
      "come back to a detached job: its output, its input, its exit code; Ctrl-C leaves it running",
    )
    .argument("[job]", JOB)
    .addOption(atRelay())
    .option("--json", "output as JSON lines, at the end the whole job")
    .addHelpText("after", "\nExample:\n  roost run examples/queens.js 12 --local --detach\n  roost attach")
    .action(async (job: string | undefined, options) => {
      const { attach } = await import("./steer.ts");
      process.exitCode = await attach({ ...options, job });
    });

  roost
    .command("kill")
    .description("send a signal to a process, or to a job's first, which ends the job")
    .argument("<pid-or-job>", "a process's number, or a job's id")
    .addOption(jobOption())
    .addOption(atRelay())
    .addOption(new Option("-s, --signal <name>", "which").default("SIGTERM"))
    .option("--json", "say what was done as JSON")
    .addHelpText("after", "\nExample:\n  roost kill 3\n  roost kill k3x9f2ab --signal KILL")
    .action(async (what: string, options) => {
      const [{ target }, { kill }] = await Promise.all([import("./look.ts"), import("./steer.ts")]);
      await kill({ ...options, ...target(what, options) });
    });

  roost
    .command("checkpoint")
    .description("write a whole job, as it is now, to a file: `roost run --restore` goes on from it")
    .argument("<job>", NAMED_JOB)
    .argument("<file>", "where to")
    .addOption(atRelay())
    .option("--json", "say what was written as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  roost checkpoint k3x9f2ab today.roost\n  roost run --restore today.roost",
    )
    .action(async (job: string, file: string, options) => {
      const { checkpoint } = await import("./steer.ts");
      await checkpoint({ ...options, job, file });
    });

  roost
    .command("migrate")
    .description("move a process to another host, and wait until it is there")
    .argument("<pid>", "the process", count(1))
    .argument("[host]", "a host's id or name; by default where it seems best")
    .addOption(jobOption())
    .addOption(atRelay())
    .option("--json", "say where it is as JSON")
    .addHelpText("after", '\nExample:\n  roost migrate 3 "host 2"')
    .action(async (pid: number, host: string | undefined, options) => {
      const { migrate } = await import("./steer.ts");
      await migrate({ ...options, pid, host });
    });
}

function keeping(roost: Command): void {
  roost
    .command("bench")
    .description("measure, and say on what machine and how")
    .argument("[suites...]", "which; all of them by default")
    .option("--json <file>", "write the figures as one flat object; - is stdout")
    .addHelpText("after", "\nExample:\n  roost bench flight --json figures.json")
    .action(async (suites: string[], options) => {
      const { bench } = await import("./keeping.ts");
      await bench(suites, options.json);
    });

  roost
    .command("start", { hidden: true })
    .description("relay, page, and the example job once")
    .addOption(portOption())
    .option("--no-demo", "only serve")
    .addHelpText("after", "\nExample:\n  roost start --no-demo")
    .action(async (options) => {
      const { start } = await import("./keeping.ts");
      await start(options.port, options.demo);
    });
}

export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(141); // `roost … | head` has seen enough; so do programs that know no better
    throw error;
  });
  const roost = commands();
  if (argv[0] === "complete") {
    const { addCompletion } = await import("./completion.ts");
    addCompletion(roost);
  } else
    roost
      .command("complete")
      .argument("<shell>")
      .description("print what your shell needs to complete this command: zsh, bash, fish or powershell");
  try {
    await roost.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof RoostError)) throw error;
    const { plain } = await import("./words.ts"); // what a relay or a host gave as its reason
    process.stderr.write(`${err.red("roost:")} ${error.message.split("\n").map(plain).join("\n")}\n`);
    process.exitCode = 1;
  }
}
