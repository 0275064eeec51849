/** The fabric's panel and the table of processes, with as many hosts and processes as are asked for, and no fabric. */
import { signal } from "@preact/signals";
import { render } from "preact";
import type { FabricView, HostId, JobView, ProcessView } from "../../../../fabric/index.ts";
import { FabricPanel } from "../../../../web/components/fabric-panel.tsx";
import { ProcessTable } from "../../../../web/components/process-table.tsx";
import type { Model } from "../../../../web/model.ts";
import { HostMarks } from "../../../../web/places.ts";
import type { Run } from "../../../../web/run.ts";
import { Sky } from "../../../../web/sky/sky.ts";
import "../../../../web/styles/page.css";

interface Crowd {
  /** Puts so many processes on so many hosts, each having been on so many before. */
  fill(hosts: number, processes: number, staysBefore?: number): void;
  /** Moves every process to another host, or only these. Milliseconds until the document is as it should be. */
  move(pids?: readonly number[]): number;
  hostOf(pid: number): string | undefined;
  /** Rows of the table that changed and timelines that were drawn, by pid, in each frame from that move on. */
  redrawn(pids?: readonly number[]): Promise<{ rows: number[]; timelines: number[] }[]>;
  /** Moves all of them every `everyMs` for `ms`: what each frame's drawing took, and when frames came. */
  did(): readonly string[];
  watch(ms: number, everyMs: number): Promise<{ drawMs: number[]; updateMs: number[]; frameMs: number[] }>;
}
declare global {
  interface Window {
    crowd: Crowd;
  }
}

const hostName = (n: number) => `host ${n}` as HostId;

/** As many as a home keeps of each process. */
const STAYS_KEPT = 100;

/** What the pointer came to. */
const did: string[] = [];

let hosts = 1;
let processes: ProcessView[] = [];
let round = 0;

const jobOf = (): JobView => ({
  id: "job" as JobView["id"],
  name: "crowd",
  args: [],
  startedMs: 0,
  endedMs: undefined,
  memoryBytesMax: 0,
  status: undefined,
  signal: undefined,
  processes,
  hosts: Array.from({ length: hosts }, (_, n) => ({
    id: hostName(n),
    name: hostName(n),
    platform: "Chromium",
    local: n === 0,
    slots: 1,
    memoryBytes: 2 ** 30,
    reason: "",
  })),
});

const viewOf = (): FabricView =>
  ({
    self: { id: hostName(0), name: "host 0" },
    relay: { state: "online" },
    donor: {
      state: "off",
      reason: "",
      workers: 1,
      held: false,
      guests: [],
      given: { hosted: 0, cpuMs: 0 },
    },
    directory: [],
    jobs: [jobOf()],
    traffic: { inBytes: 0, outBytes: 0 },
  }) as unknown as FabricView;

const view = signal(viewOf());
const job = signal(jobOf());
const nowMs = signal(0);
const run = { live: true, trace: { marks: new Map(), samples: [] } } as unknown as Run;
const model = {
  view,
  job,
  nowMs,
  run: signal(run),
  marks: new HostMarks(),
  canRename: () => false,
  onMessage: () => () => {},
  move: (_: unknown, pid: number, to: string) => did.push(`move ${pid} to ${to}`),
} as unknown as Model;

function place(pid: number): ProcessView {
  const host = hostName((pid * 7 + round * 13) % hosts);
  const stays = processes[pid - 1]?.stays ?? [];
  const stay = {
    host,
    hostName: host,
    why: "forked" as const,
    imageBytes: 1,
    placedMs: round * 1000,
    freezeMs: undefined,
    runningMs: round * 1000 + 20,
    leftMs: undefined,
    cpuMs: 0,
  };
  return {
    pid,
    ppid: pid === 1 ? 0 : Math.floor(pid / 2),
    state: "running",
    detail: "runs",
    on: "any",
    host,
    hostName: host,
    epoch: round + 1,
    cpuMs: round * 100 + pid,
    memoryBytes: 2 ** 21,
    bornMs: 0,
    endedMs: undefined,
    status: undefined,
    signal: undefined,
    stays: [...stays.map((s) => (s.leftMs ? s : { ...s, leftMs: round * 1000 })), stay].slice(-STAYS_KEPT),
  };
}

/** Whoever is not among `pids` stays what it was, as in the view of a job. */
function show(count: number, pids?: readonly number[]): void {
  processes = Array.from({ length: count }, (_, n) => {
    const before = processes[n];
    return before && pids && !pids.includes(n + 1) ? before : place(n + 1);
  });
  if (!pids) nowMs.value = (round + 1) * 1000;
  view.value = viewOf();
  job.value = jobOf();
}

const App = () => (
  <main style={{ display: "block" }}>
    <FabricPanel model={model} open={(pid) => did.push(`open ${pid}`)} />
    <ProcessTable model={model} run={run} job={job.value} open={() => {}} />
  </main>
);
const Page = () => <App key="app" />;
const page = document.getElementById("page");
const paint = () => {
  if (page) render(<Page />, page);
};
paint();

const drawn: number[] = [];
const draw = Sky.prototype.draw;
Sky.prototype.draw = function (nowMs) {
  const began = performance.now();
  const more = draw.call(this, nowMs);
  drawn.push(performance.now() - began);
  return more;
};

window.crowd = {
  fill(wanted, count, staysBefore = 0) {
    hosts = wanted;
    for (let n = 0; n < staysBefore; n++) {
      round++;
      processes = Array.from({ length: count }, (_, n) => place(n + 1));
    }
    show(count);
    paint();
  },
  move(pids) {
    const began = performance.now();
    round++;
    show(processes.length, pids);
    paint();
    void document.body.offsetHeight; // with all that the browser does for it
    return performance.now() - began;
  },
  hostOf: (pid) => processes[pid - 1]?.host,
  async redrawn(pids) {
    const frames: { rows: number[]; timelines: number[] }[] = [];
    const pidOf = (node: Node | null) =>
      Number((node instanceof Element ? node : node?.parentElement)?.closest("tr")?.dataset.testid?.slice(8));
    const rows = new Set<number>();
    const timelines: number[] = [];
    const observer = new MutationObserver((records) => {
      for (const { target } of records) if (pidOf(target)) rows.add(pidOf(target));
    });
    const table = document.querySelector("tbody");
    if (table)
      observer.observe(table, { subtree: true, childList: true, attributes: true, characterData: true });
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
      if (this.canvas.classList.contains("timeline")) timelines.push(pidOf(this.canvas));
      clear.apply(this, box);
    };
    const untilQuiet = async () => {
      for (let quiet = 0; quiet < 3; ) {
        await new Promise((next) => requestAnimationFrame(() => setTimeout(next))); // after all that this frame does
        quiet = rows.size + timelines.length > 0 ? 0 : quiet + 1;
        frames.push({ rows: [...rows], timelines: timelines.splice(0) });
        rows.clear();
      }
    };
    await untilQuiet();
    frames.length = 0;
    window.crowd.move(pids);
    await untilQuiet();
    observer.disconnect();
    CanvasRenderingContext2D.prototype.clearRect = clear;
    return frames;
  },
  did: () => did,
  async watch(ms, everyMs) {
    drawn.length = 0;
    const updateMs: number[] = [];
    const frameMs: number[] = [];
    const began = performance.now();
    let last = began;
    let moved = 0;
    await new Promise<void>((done) => {
      const frame = (now: number) => {
        frameMs.push(now - last);
        last = now;
        if (now - began > moved * everyMs) {
          moved++;
          updateMs.push(window.crowd.move());
        }
        if (now - began < ms) requestAnimationFrame(frame);
        else done();
      };
      requestAnimationFrame(frame);
    });
    return { drawMs: [...drawn], updateMs, frameMs };
  },
};
