/** What the page remembers in this browser, and what it makes of what it finds there. */
import type { Store } from "../fabric/index.ts";

export interface Settings {
  /** How many processes a tab of this browser runs at once. */
  readonly workers: number;
  /** The program chosen last; its arguments, by program. */
  readonly program: string;
  readonly args: Readonly<Record<string, string>>;
  /** The person's own program. */
  readonly ownSource: string;
  readonly ownFileName: string;
}

const KEY = "settings";
const FILES_KEY = "files";

/** `processors` as the browser reports them; half are left for everything else. */
export const defaultSettings = (processors: number): Settings => ({
  workers: Math.max(1, Math.floor(processors / 2)),
  program: "queens",
  args: {},
  ownSource: "",
  ownFileName: "program.js",
});

/** Another version of the page may have written it, so every field is looked at. */
export async function loadSettings(store: Store, defaults: Settings, workersMax: number): Promise<Settings> {
  const found = await store.get<Partial<Record<keyof Settings, unknown>>>(KEY);
  const text = (value: unknown, otherwise: string) => (typeof value === "string" ? value : otherwise);
  const workers = Math.round(Number(found?.workers ?? defaults.workers));
  return {
    workers: Math.min(workersMax, Math.max(1, Number.isFinite(workers) ? workers : defaults.workers)),
    program: text(found?.program, defaults.program),
    args: Object.fromEntries(
      Object.entries(found?.args ?? {}).filter(([, value]) => typeof value === "string"),
    ) as Record<string, string>,
    ownSource: text(found?.ownSource, defaults.ownSource),
    ownFileName: text(found?.ownFileName, defaults.ownFileName),
  };
}

export const saveSettings = (store: Store, settings: Settings): Promise<void> => store.set(KEY, settings);

export async function loadFiles(store: Store): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = await store.get<unknown>(FILES_KEY);
  if (!(found instanceof Map)) return new Map();
  const files = [...found].filter(
    ([path, content]) => typeof path === "string" && content instanceof Uint8Array,
  );
  return new Map(files);
}

export const saveFiles = (store: Store, files: ReadonlyMap<string, Uint8Array>): Promise<void> =>
  store.set(FILES_KEY, files);
