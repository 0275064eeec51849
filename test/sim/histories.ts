/**
 * Histories by seed. Whatever the weather, the parts of a job give what they give in fair weather: the same values, the
 * same lines, each once, and the same files.
 */
import { utf8Decode } from "../../fabric/base/codec.ts";
import { Violation } from "./copies.ts";
import { History, type Outcome, type Plan } from "./history.ts";
import { type Part, ROBUST } from "./programs.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import { SMALL, standIns } from "./stand-in.ts";
import { crash } from "./troubles.ts";
import { drawLimits, drawWeather, fairWeather, usualLimits, type Weather, workerCrashes } from "./weather.ts";
import { World } from "./world.ts";

const LINES = Array.from({ length: 9 }, (_, n) => String(n + 1));
/** One history in so many is of a process that brings down its hosts. */
const POISON_EVERY = 50;
/** And one of processes that are written down all the time, by workers that crash. */
const WRITTEN_DOWN_EVERY = 50;

const planOf = (
  parts: readonly Part[],
  weather: Weather,
  steps: number,
  history: () => History | undefined,
): Plan => ({
  program: { source: JSON.stringify(parts), fileName: "parts" },
  printsOnce: true,
  weather,
  steps,
  lines: LINES,
  machines: (host: SimulatedHost) => {
    const boom = () => {
      const world = history();
      if (world && !host.name.startsWith("home")) crash(world, host);
    };
    return standIns({ ...SMALL, boom });
  },
});

interface Drawn {
  readonly parts: readonly Part[];
  readonly weather: Weather;
  /** Limits that are turned down besides those that are drawn. */
  readonly limits?: readonly string[];
}

function draw(world: World, seed: number): Drawn {
  const weather = drawWeather(world);
  if (seed % POISON_EVERY === 0)
    return {
      parts: [{ program: "poison", size: 0 }],
      weather: { ...weather, troubles: [], preemptEvery: 0 },
    };
  if (seed % WRITTEN_DOWN_EVERY === 1)
    return {
      parts: Array.from({ length: 4 }, () => ({ program: "clocks", size: 4 })),
      weather: { ...weather, troubles: workerCrashes(world), preemptEvery: 0, kept: undefined },
      limits: ["images take long"],
    };
  // Moving at every step takes many steps.
  const count = weather.preemptEvery > 0 ? 1 : world.whole(1, 4);
  const parts: Part[] = [];
  while (parts.length < count) {
    const program = world.pick(ROBUST) ?? "tree";
    // Input goes to whoever asks first.
    if (program === "lines" && parts.some((part) => part.program === "lines")) continue;
    parts.push({ program, size: world.whole(0, weather.preemptEvery > 0 ? 2 : 4) });
  }
  return { parts, weather };
}

/** Who writes to each other, with room for one letter each, may wait for each other for ever. */
const limitsNever = (parts: readonly Part[]) =>
  parts.some(({ program }) => program === "crossing" || program === "dialogue") ? ["small mailboxes"] : [];

/** Throws a Violation, with a command that shows how it came to it. */
export async function runHistory(seed: number, recording = false): Promise<void> {
  const world = new World(seed, { recording });
  const { parts, weather, limits } = draw(world, seed);
  const expected: Outcome[] = [];
  for (const [n, part] of parts.entries()) expected.push(await undisturbed(part, n));
  const steps = expected.reduce((sum, { steps }) => sum + steps, 0);
  using knobs =
    parts[0]?.program === "poison"
      ? usualLimits()
      : drawLimits(world, { always: limits ?? [], never: limitsNever(parts) });
  world.note(() => JSON.stringify({ seed, parts, weather, limits: knobs.names }));
  await told(world, `ROOST_SEED=${seed}`, async () => {
    const history: History = new History(
      world,
      seed,
      planOf(parts, weather, steps, () => history),
    );
    compare(await history.run(), expected);
  });
}

/** Lets something happen; when it goes wrong, says with which variable set it does so again. */
export async function told(world: World, again: string, live: () => Promise<void>): Promise<void> {
  try {
    await live();
  } catch (error) {
    const reason = error instanceof Violation ? error.message : error instanceof Error ? error.stack : error;
    throw new Violation(
      `${again.toLowerCase().replace(/\w+_/, "").replace("=", " ")}: ${reason}\n  to see it happen: ${again} npx vitest run --project sim`,
    );
  } finally {
    if (world.transcript.length > 0) console.log(world.transcript.join("\n"));
  }
}

const references = new Map<string, Outcome>();

/** What a part gives alone, with nothing in its way. Kept: there are not many. */
async function undisturbed(part: Part, n: number): Promise<Outcome> {
  // Its name in lines and files comes from its place.
  const parts = [...Array.from({ length: n }, () => ({ program: "none", size: 0 })), part];
  const name = JSON.stringify(parts);
  const kept = references.get(name);
  if (kept) return kept;
  const weather = part.program === "poison" ? { ...fairWeather, hosts: 1 } : fairWeather;
  try {
    const world = new World(1, { recording: false });
    const history: History = new History(
      world,
      1,
      planOf(parts, weather, 0, () => history),
    );
    const outcome = await history.run();
    references.set(name, outcome);
    return outcome;
  } catch (error) {
    throw new Violation(`${name}, undisturbed: ${error instanceof Error ? error.message : error}`);
  }
}

/** Told of the outside, and so not the same in every run; but the same wherever it is told. */
const TOLD = /(\S+)#(\S+)/g;
/** There are as many of these lines as the time allows. */
const OFTEN = "~";

function compare(outcome: Outcome, expected: readonly Outcome[]): void {
  const values = expected.map(({ value }) => value.split(" ").at(-1));
  if (outcome.value !== values.join(" "))
    throw new Violation(`the job gave "${outcome.value}" instead of "${values.join(" ")}"`);
  const toldOf = new Map<string, string>();
  const plain = (line: string) =>
    line.replace(TOLD, (_, name: string, value: string) => {
      const before = toldOf.get(name);
      if (before !== undefined && before !== value)
        throw new Violation(`${name} was told as ${before} and as ${value}`);
      toldOf.set(name, value);
      return name;
    });
  const lines = (text: string) => text.split("\n").filter((line) => line && !line.includes(OFTEN));
  const expectedLines = (text: string) => lines(text).map((line) => line.replace(TOLD, "$1"));
  same(
    "printed",
    lines(outcome.stdout).map(plain),
    expected.flatMap(({ stdout }) => expectedLines(stdout)),
  );
  const files = new Map(expected.flatMap(({ files }) => [...files]));
  same("files", [...outcome.files.keys()], [...files.keys()]);
  for (const [path, content] of outcome.files)
    same(
      path,
      lines(utf8Decode(content)).map(plain),
      expectedLines(utf8Decode(files.get(path) ?? new Uint8Array())),
    );
}

function same(what: string, got: readonly string[], expected: readonly string[]): void {
  const [a, b] = [got.toSorted(), expected.toSorted()];
  if (a.length === b.length && b.every((line, n) => line === a[n])) return;
  const at = b.findIndex((line, n) => line !== a[n]);
  throw new Violation(
    `${what}: ${a.length} lines, where ${b.length} are expected; the first difference is "${a[at < 0 ? b.length : at]}" instead of "${b[at]}"`,
  );
}
