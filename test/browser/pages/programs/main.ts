/** A participant in a tab without the page that people see, steered by the test through `window.participant`. */
import { Fabric, type JobEvent, MemoryDisk, pid } from "../../../../fabric/index.ts";
import { tabEnvironment } from "../../../../web/environment.ts";
import { chance } from "../../../sim/world.ts";

interface Order {
  readonly source: string;
  readonly fileName: string;
  readonly args: readonly string[];
  /** Bytes as base64, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Decides which process is moved where, every `moveEveryMs`. */
  readonly seed: number;
  readonly moveEveryMs: number;
}

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  readonly files: Readonly<Record<string, string>>;
  /** Times that a process that ran elsewhere before arrived on a host. */
  readonly moves: number;
  readonly transcript: readonly string[];
}

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const base64Of = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

export class Participant {
  readonly #fabric: Fabric;

  constructor() {
    const name = new URLSearchParams(location.search).get("name") ?? "a tab";
    this.#fabric = new Fabric(tabEnvironment(name, new URL(location.origin)), { workers: 1 });
    addEventListener("pagehide", () => this.#fabric.close());
  }

  /** Resolves when this tab takes work and the relay knows it. */
  async donate(): Promise<void> {
    await this.#fabric.donate();
    await this.#until(() => this.#fabric.view.directory.some(({ host }) => host === this.#fabric.id));
  }

  /** Resolves when that many hosts take work. */
  hosts(count: number): Promise<void> {
    return this.#until(() => this.#fabric.view.directory.filter(({ taking }) => taking).length >= count);
  }

  async run({ source, fileName, args, files, seed, moveEveryMs }: Order): Promise<Outcome> {
    const disk = new MemoryDisk(
      Object.entries(files).map(([path, bytes]) => [path, bytesOf(bytes)] as const),
    );
    const written: Record<number, string> = { 1: "", 2: "" };
    const decoders: Record<number, TextDecoder> = { 1: new TextDecoder(), 2: new TextDecoder() };
    const transcript: string[] = [];
    const startedMs = performance.now();
    const note = (what: unknown) =>
      transcript.push(`${(performance.now() - startedMs).toFixed(0).padStart(6)}  ${JSON.stringify(what)}`);
    let moves = 0;
    const job = await this.#fabric.run({
      name: fileName,
      source,
      fileName,
      args,
      disk,
      terminal: {
        print: (fd, data) => {
          const text = decoders[fd]?.decode(data, { stream: true }) ?? "";
          written[fd] += text;
          note({ fd, text });
        },
        readLine: async () => undefined,
      },
      onEvent: (event: JobEvent) => {
        if (event.type === "placed" && event.epoch > 1) moves++;
        note(event);
      },
    });
    const random = chance(seed);
    const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)];
    const moving = setInterval(() => {
      const alive = [...job.state.processes.values()].filter((p) => !p.end);
      const process = one(alive);
      if (process) job.migrate(pid(process.pid), one([...job.state.hosts.keys()]));
    }, moveEveryMs);
    const { status } = await job.ended;
    clearInterval(moving);
    return {
      stdout: written[1] ?? "",
      stderr: written[2] ?? "",
      status,
      files: Object.fromEntries(Array.from(disk.files(), ([path, bytes]) => [path, base64Of(bytes)])),
      moves,
      transcript,
    };
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        stop();
        resolve();
      };
      const stop = this.#fabric.onChange(look);
      look();
    });
  }
}

declare global {
  interface Window {
    participant: Participant;
  }
}
window.participant = new Participant();
