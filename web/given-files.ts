/** Files a person gives: picked, or dropped with whole directories. Paths are relative, with "/". */

export type GivenFiles = Map<string, Uint8Array>;

/** From an `<input type=file>`, whose list is taken at once: it is emptied with the input. With `webkitdirectory`, the chosen directory's own name is left out of the paths. */
export async function filesPicked(list: FileList): Promise<GivenFiles> {
  const files: GivenFiles = new Map();
  for (const file of Array.from(list)) {
    const path = file.webkitRelativePath.split("/").slice(1).join("/") || file.name;
    files.set(path, await contentOf(file));
  }
  return files;
}

/** From a drop. The entries must be taken while the event is handled: afterwards the browser has emptied it. */
export function filesDropped(data: DataTransfer): Promise<GivenFiles> {
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return collect(entries);
}

async function collect(entries: readonly FileSystemEntry[]): Promise<GivenFiles> {
  const files: GivenFiles = new Map();
  const visit = async (entry: FileSystemEntry, path: string): Promise<void> => {
    if (isFile(entry)) files.set(path, await contentOf(await fileOf(entry)));
    else if (isDirectory(entry))
      for (const child of await childrenOf(entry))
        await visit(child, path ? `${path}/${child.name}` : child.name);
  };
  // A directory dropped alone is the job's directory; among others it keeps its name.
  const [only] = entries;
  if (only && entries.length === 1 && isDirectory(only)) await visit(only, "");
  else for (const entry of entries) await visit(entry, entry.name);
  return files;
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isDirectory = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

const contentOf = async (file: File) => new Uint8Array(await file.arrayBuffer());

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

async function childrenOf(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // It gives a hundred at a time, and none when there are no more.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return children;
    children.push(...some);
  }
}
