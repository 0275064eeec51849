/** What the page remembers in this browser, and what it makes of what it finds there. */
import type { Store } from "../fabric/index.ts";

export interface Settings {
  /** The program chosen last; its arguments, by program. */
  readonly program: string;
  readonly args: Readonly<Record<string, string>>;
  /** The person's own program; undefined until there is one. */
  readonly ownSource: string | undefined;
  readonly ownFileName: string;
}

const KEY = "settings";
const FILES_KEY = "files";

export const DEFAULT_SETTINGS: Settings = {
  program: "queens",
  args: {},
  ownSource: undefined,
  ownFileName: "program.js",
};

/** Another version of the page may have written it, so every field is looked at. */
export async function loadSettings(store: Store, defaults: Settings): Promise<Settings> {
  const found = await store.get<Partial<Record<keyof Settings, unknown>>>(KEY);
  const text = (value: unknown, otherwise: string) => (typeof value === "string" ? value : otherwise);
  return {
    program: text(found?.program, defaults.program),
    args: Object.fromEntries(
      Object.entries(found?.args ?? {}).filter(([, value]) => typeof value === "string"),
    ) as Record<string, string>,
    ownSource: typeof found?.ownSource === "string" ? found.ownSource : defaults.ownSource,
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
