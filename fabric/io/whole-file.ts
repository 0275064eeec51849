/** A file that is there whole or not at all. */
import { rename, rm, writeFile } from "node:fs/promises";

/** `draft`: beside it, this writing's alone. Only this user may read it. */
export async function writeWhole(
  file: string,
  content: string | Uint8Array,
  { draft, flush = false }: { readonly draft: string; readonly flush?: boolean },
): Promise<void> {
  try {
    await writeFile(draft, content, { mode: 0o600, flush });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }); // what fitted onto a full disk would keep it full
    throw error;
  }
}
