/** Runs the same programs in the same world, and says what their memory is at many polls. For any platform with WebAssembly. */
import { type BaseImage, bootBase, loadEngine, Machine, memoryOf } from "../../../../fabric/engine/index.ts";
import { PROGRAMS } from "./states.programs.ts";

/** Has timers, whose `__sys` waits until a moment; a program without any is asked for nothing more. */
const PRELUDE = {
  source: `
    const { __sys } = globalThis;
    const timers = [];
    globalThis.setTimeout = (run, ms) => {
      timers.push({ run, at: Date.now() + ms });
      timers.sort((a, b) => a.at - b.at);
    };
    globalThis.__hooks = {
      started: (threw, value) => {
        if (threw) throw value;
      },
      tick: () => {
        const next = timers.shift();
        if (!next) for (;;);
        __sys(new Float64Array([next.at]).buffer);
        next.run();
      },
    };`,
};

const POLLS = 30;
/** Up to here without any stop before, once for each. */
const CALM_POLLS = [1, 3, 12, POLLS];
const START_MS = 1_700_000_000_000;
const OPTIONS = { memoryBytesMax: 12 << 20 };

/** At some polls: never stopped before; stopped at each; and, booted once more, moved to another instance at each poll and call. */
export interface States {
  readonly calm: readonly string[];
  readonly stopped: readonly string[];
  readonly moved: readonly string[];
}

export async function states(engine: Uint8Array): Promise<Record<string, States>> {
  const boot = async () => bootBase(await loadEngine(engine), PRELUDE);
  const [base, another] = [await boot(), await boot()];
  const found: Record<string, States> = {};
  for (const [name, source] of Object.entries(PROGRAMS)) {
    const calm: string[] = [];
    for (const poll of CALM_POLLS) calm.push(...(await run(base, source, "calm", [poll])));
    const all = Array.from({ length: POLLS }, (_, n) => n + 1);
    found[name] = {
      calm,
      stopped: await run(base, source, "stopped", all),
      moved: await run(another, source, "moved", all),
    };
  }
  return found;
}

/** What of the states at every poll `calm` has. */
export const ofCalm = (all: readonly string[]) => CALM_POLLS.map((poll) => all[poll - 1]);

/** The states at `polls`. Its world's clock goes by polls and by what it waits for. */
async function run(base: BaseImage, source: string, how: keyof States, polls: number[]): Promise<string[]> {
  const found: string[] = [];
  let waitedMs = 0;
  let machine = Machine.fresh(base, OPTIONS);
  machine.seedRandom(0x5eed_0000_1234_5678n);
  const world = {
    now: () => START_MS + waitedMs + 3 * machine.polls,
    zone: "Asia/Tokyo",
    poll: () => polls.includes(machine.polls),
  };
  let stop = machine.start({ source, fileName: "program.js" }, world);
  for (;;) {
    if (stop.kind === "fault") throw new Error(stop.message);
    if (stop.kind === "preempted") found.push(await stateOf(machine));
    if (found.length === polls.length) break;
    if (how === "moved") {
      const image = machine.image();
      machine[Symbol.dispose](); // its instance is the next one's, or another's
      machine = Machine.restore(base, image, OPTIONS);
    }
    if (stop.kind === "call") {
      const [until = 0] = new Float64Array(stop.request.slice().buffer);
      waitedMs += Math.max(0, until - world.now());
      stop = machine.resume(world, new Uint8Array(1));
    } else stop = machine.resume(world);
  }
  machine[Symbol.dispose]();
  return found;
}

async function stateOf(machine: Machine): Promise<string> {
  const image = machine.image();
  const memory = memoryOf(image);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", memory as Uint8Array<ArrayBuffer>));
  const digits = Array.from(hash, (b) => b.toString(16).padStart(2, "0")).join("");
  return `${JSON.stringify(image.registers)} ${memory.length} ${digits}`;
}
