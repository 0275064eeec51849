/**
 * A base image written down where it was booted once (at build time), so that starting is reading. It is only ever a
 * shortcut: what was made by another engine or prelude, or is damaged, is as if it were not there, and the base is booted.
 */
import { baseId } from "../base/ids.ts";
import { type BaseImage, type BootedBase, identify, type Prelude } from "./base-image.ts";
import { type Engine, sha256 } from "./engine.ts";

/** Raised when what follows is written in another way, or booted in another. */
const VERSION = 1;

interface Note {
  readonly version: number;
  readonly id: string;
  readonly prelude: string;
  readonly addresses: BootedBase["addresses"];
}

/** `u32` length of a note in JSON, the note, the memory. */
export async function encodeBase(base: BaseImage, prelude: Prelude): Promise<Uint8Array> {
  const { id, addresses, memory } = base;
  const note: Note = { version: VERSION, id, prelude: await idOf(prelude), addresses };
  const text = new TextEncoder().encode(JSON.stringify(note));
  const bytes = new Uint8Array(4 + text.length + memory.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(memory, 4 + text.length);
  return bytes;
}

/** The engine, with the base image in `kept` at hand for `bootBase`, if it is whole and of this engine and prelude. */
export async function withKeptBase(engine: Engine, kept: Uint8Array, prelude: Prelude): Promise<Engine> {
  const noteBytes = kept.length < 4 ? 0 : new DataView(kept.buffer, kept.byteOffset).getUint32(0, true);
  const note = noteIn(kept.subarray(4, 4 + noteBytes));
  if (note?.version !== VERSION) return engine;
  const { addresses } = note;
  const memory = new Uint8Array(kept.subarray(4 + noteBytes)); // a copy, which begins where words do
  const [id, preludeId] = await Promise.all([identify(engine, memory, addresses), idOf(prelude)]);
  if (id !== note.id || preludeId !== note.prelude) return engine;
  return { ...engine, booted: { id: baseId(id), prelude: prelude.source, memory, addresses } };
}

const idOf = ({ source }: Prelude) => sha256(new TextEncoder().encode(source));

function noteIn(bytes: Uint8Array): Note | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) ?? undefined;
  } catch {
    return undefined;
  }
}
