/** A participant in a tab, without the page that people see, for the chaos test and benchmarks: `window.participant`. */

import { type HostId, pid } from "../../../../fabric/base/ids.ts";
import { LIMITS } from "../../../../fabric/base/limits.ts";
import { Fabric, type JobEvent, MemoryDisk } from "../../../../fabric/index.ts";
import { tabEnvironment } from "../../../../web/environment.ts";

interface Order {
  readonly source: string;
  readonly fileName: string;
  readonly args?: readonly string[];
  /** Bytes as base64, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Output or an event of a job, and when this page knew of it, in milliseconds since the page began. */
type Noted = { readonly atMs: number } & (
  | { readonly what: "output"; readonly fd: number; readonly text: string }
  | { readonly what: "event"; readonly event: JobEvent }
);

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
  readonly files: Readonly<Record<string, string>>;
  readonly noted: readonly Noted[];
}

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const base64Of = (bytes: Uint8Array) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

/** Every connection of this page, so that one can be cut. */
const connections = new Set<RTCPeerConnection>();
const { RTCPeerConnection: Native } = globalThis;
globalThis.RTCPeerConnection = class extends Native {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    connections.add(this);
  }
  override close() {
    connections.delete(this);
    super.close();
  }
};

class Participant {
  readonly #fabric: Fabric;
  readonly #jobs = new Map<string, Awaited<ReturnType<Fabric["run"]>>>();
  readonly #noted = new Map<string, Noted[]>();

  constructor() {
    const name = new URLSearchParams(location.search).get("name") ?? "a tab";
    this.#fabric = new Fabric(tabEnvironment(name, new URL(location.origin)), { workers: 1 });
    addEventListener("pagehide", () => this.#fabric.close());
  }

  get id(): HostId {
    return this.#fabric.id;
  }

  /** Resolves when this tab takes work and the relay knows it. */
  async donate(): Promise<void> {
    await this.#fabric.donate();
    await this.#until(() => this.#fabric.view.directory.some(({ host }) => host === this.#fabric.id));
  }

  reclaim = () => this.#fabric.reclaim();

  /** Resolves when that many hosts take work. */
  hosts(count: number): Promise<void> {
    return this.#until(() => this.#fabric.view.directory.filter(({ taking }) => taking).length >= count);
  }

  /** Cuts one link, if there is any, without a goodbye. */
  cut(random: number): boolean {
    const one = [...connections][Math.floor(random * connections.size)];
    one?.close();
    return one !== undefined;
  }

  /** Turns limits of this page's home. What JSON cannot carry: Infinity is null. */
  limit(changes: Readonly<Record<string, number | null>>): void {
    for (const [name, value] of Object.entries(changes))
      Object.assign(LIMITS, { [name]: value ?? Number.POSITIVE_INFINITY });
  }

  /** Of a job that runs: hosts that are linked, and processes that have not ended. */
  look(name: string): { hosts: string[]; alive: { pid: number; host: string }[] } {
    const state = this.#jobs.get(name)?.state;
    const alive = [...(state?.processes.values() ?? [])].flatMap((p) =>
      p.where.kind === "at" ? [{ pid: p.pid, host: p.where.host }] : [],
    );
    return { hosts: [...(state?.hosts.keys() ?? [])], alive };
  }

  migrate(name: string, process: number, to: string): void {
    this.#jobs.get(name)?.migrate(pid(process), to as HostId);
  }

  kill(name: string): void {
    this.#jobs.get(name)?.kill(pid(1), "SIGKILL");
  }

  /** What has happened so far in a job. */
  noted(name: string): readonly Noted[] {
    return this.#noted.get(name) ?? [];
  }

  /** `name` is what the other methods call it. */
  async run(name: string, { source, fileName, args = [], files = {} }: Order): Promise<Outcome> {
    const disk = new MemoryDisk(
      Object.entries(files).map(([path, bytes]) => [path, bytesOf(bytes)] as const),
    );
    const written: Record<number, string> = { 1: "", 2: "" };
    const decoders: Record<number, TextDecoder> = { 1: new TextDecoder(), 2: new TextDecoder() };
    const noted: Noted[] = [];
    this.#noted.set(name, noted);
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
          noted.push({ atMs: performance.now(), what: "output", fd, text });
        },
        readLine: async () => undefined,
      },
      onEvent: (event) => noted.push({ atMs: performance.now(), what: "event", event }),
    });
    this.#jobs.set(name, job);
    const { status } = await job.ended;
    return {
      stdout: written[1] ?? "",
      stderr: written[2] ?? "",
      status,
      files: Object.fromEntries(Array.from(disk.files(), ([path, bytes]) => [path, base64Of(bytes)])),
      noted,
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

/** What tests call by this name. */
export type SteeredParticipant = Participant;

declare global {
  interface Window {
    steered: Participant;
  }
}
window.steered = new Participant();
