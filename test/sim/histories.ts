/**
 * Histories by seed. Whatever the weather, the parts of a job give what they give in fair weather: the same values, the
 * same lines, each once, and the same files.
 */
import { Violation } from "./copies.ts";
import { History, type Outcome } from "./history.ts";
import { type Part, ROBUST } from "./programs.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import { standIns } from "./stand-in.ts";
import { crash } from "./troubles.ts";
import { drawLimits, drawWeather, fairWeather, usualLimits, type Weather } from "./weather.ts";
import { World } from "./world.ts";

const LINES = Array.from({ length: 9 }, (_, n) => String(n + 1));
/** One history in so many is of a process that brings down its hosts. */
const POISON_EVERY = 50;

interface Drawn {
  readonly parts: readonly Part[];
  readonly weather: Weather;
}

function draw(world: World, seed: number): Drawn {
  const weather = drawWeather(world);
  if (seed % POISON_EVERY === 0)
    return {
      parts: [{ program: "poison", size: 0 }],
      weather: { ...weather, troubles: [], preemptEvery: 0 },
    };
  // Moving at every step costs a thousand times as many steps.
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

/** Throws a Violation, with a command that shows how it came to it. */
export async function runHistory(seed: number, recording = false): Promise<void> {
  const world = new World(seed, { recording });
  const { parts, weather } = draw(world, seed);
  const expected = await Promise.all(parts.map(undisturbed));
  const steps = expected.reduce((sum, { steps }) => sum + steps, 0);
  const isPoison = parts[0]?.program === "poison";
  using knobs = isPoison ? usualLimits() : drawLimits(world);
  world.note(() => JSON.stringify({ seed, parts, weather, limits: "names" in knobs && knobs.names }));
  let history: History | undefined;
  const machines = (host: SimulatedHost) =>
    standIns({ boom: () => history && host.name !== "home" && crash(history, host) });
  try {
    history = new History(world, seed, {
      source: JSON.stringify(parts),
      weather,
      steps,
      lines: LINES,
      machines,
    });
    compare(await history.run(), expected);
  } catch (error) {
    if (recording) console.log(world.transcript.join("\n"));
    const reason =
      error instanceof Error ? (error instanceof Violation ? error.message : error.stack) : error;
    throw new Violation(
      `seed ${seed}: ${reason}\n  to see it happen: ROOST_SEED=${seed} npx vitest run --project sim`,
    );
  }
  if (recording) console.log(world.transcript.join("\n"));
}

const references = new Map<string, Promise<Outcome>>();

/** What a part gives alone, with nothing in its way. Kept: there are not many. */
function undisturbed(part: Part, n: number): Promise<Outcome> {
  // Its name in lines and files comes from its place.
  const parts = [...Array.from({ length: n }, () => ({ program: "none", size: 0 })), part];
  const source = JSON.stringify(parts);
  const kept = references.get(source) ?? runUndisturbed(source);
  references.set(source, kept);
  return kept;
}

async function runUndisturbed(source: string): Promise<Outcome> {
  using _ = usualLimits();
  let history: History | undefined;
  const machines = (host: SimulatedHost) =>
    standIns({ boom: () => history && host.name !== "home" && crash(history, host) });
  const weather = source.includes("poison") ? { ...fairWeather, hosts: 1 } : fairWeather;
  history = new History(new World(1, { recording: false }), 1, {
    source,
    weather,
    steps: 0,
    lines: LINES,
    machines,
  });
  try {
    return await history.run();
  } catch (error) {
    throw new Violation(`${source}, undisturbed: ${error instanceof Error ? error.message : error}`);
  }
}

/** Told of the outside, and so not the same in every run; but the same wherever it is told. */
const TOLD = /(\S+)#(\S+)/g;

function compare(outcome: Outcome, expected: readonly Outcome[]): void {
  const values = expected.map(({ value }) => value.split(" ").at(-1));
  if (outcome.value !== values.join(" "))
    throw new Violation(`the job gave "${outcome.value}" instead of "${values.join(" ")}"`);
  const told = new Map<string, string>();
  const plain = (line: string) =>
    line.replace(TOLD, (_, name: string, value: string) => {
      const before = told.get(name);
      if (before !== undefined && before !== value)
        throw new Violation(`${name} was told as ${before} and as ${value}`);
      told.set(name, value);
      return name;
    });
  same(
    "printed",
    outcome.lines.filter((line) => !line.includes("~")).map(plain),
    expected.flatMap(({ lines }) =>
      lines.filter((line) => !line.includes("~")).map((line) => line.replace(TOLD, "$1")),
    ),
  );
  const files = new Map(expected.flatMap(({ files }) => [...files]));
  same("files", [...outcome.files.keys()], [...files.keys()]);
  for (const [path, lines] of outcome.files)
    same(path, lines.map(plain), files.get(path)?.map((line) => line.replace(TOLD, "$1")) ?? []);
}

function same(what: string, got: readonly string[], expected: readonly string[]): void {
  const [a, b] = [got.toSorted(), expected.toSorted()];
  const at = b.findIndex((line, n) => line !== a[n]);
  if (at >= 0 || a.length !== b.length)
    throw new Violation(
      `${what}: ${a.length} lines, where ${b.length} are expected; first difference: "${a[at < 0 ? b.length : at]}" instead of "${b[at]}"`,
    );
}
