/** `roost complete zsh|bash|fish|powershell`: what a shell needs to complete this command; ids of jobs included. */
import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import { SIGNALS } from "../wire/calls.ts";
import { readRecords } from "./state.ts";
import { plain, shortId } from "./words.ts";

export function addCompletion(roost: Command): void {
  const shells = tab(roost);
  roost.commands
    .find((command) => command.name() === "complete")
    ?.addHelpText("after", "\nExample:\n  source <(roost complete bash)");
  for (const [name, command] of shells.commands) {
    const jobs = (complete: (value: string, description: string) => void) => {
      for (const { id, name, args } of readRecords()) complete(shortId(id), plain([name, ...args].join(" ")));
    };
    const [argument] = roost.commands.find((c) => c.name() === name)?.registeredArguments ?? [];
    if (argument?.name().includes("job")) command.argument(argument.name(), jobs);
    if (command.options.has("job")) command.option("job", "which job", jobs);
    if (name === "kill")
      command.option(
        "signal",
        "which",
        (complete) => {
          for (const signal of SIGNALS) complete(signal, "");
        },
        "s",
      );
  }
}
