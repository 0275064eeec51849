/**
 * A stopped machine's state as a value and as bytes. The bytes hold only pages that differ from the base image's, or from an
 * earlier image's.
 * SNAPSHOT.md describes the format. Bytes are hostile until `decodeImage` has let them pass: what passes can still be a
 * memory that makes no sense, which can harm nothing but the machine made of it.
 */
import {
  bytes,
  type Carried,
  type Codec,
  decode,
  encode,
  Invalid,
  list,
  oneOf,
  struct,
  u8,
  u32,
  varint,
} from "../base/codec.ts";
import { LIMITS } from "../base/limits.ts";
import { type BaseImage, PAGE_BYTES } from "./base-image.ts";
import { fromHex, hex } from "./engine.ts";
import { WASM_PAGE_BYTES } from "./instance.ts";
import { FRAMES_BYTES } from "./memory-map.ts";
import { applyChanges, changedPages, PAGE_WORDS, type Page } from "./pages.ts";

/** Everything of a stopped machine that is not in its memory. */
export interface Registers {
  readonly stackPointer: number;
  /** Interrupt polls since birth. */
  readonly polls: number;
  /** What the host has called the guest for: see SNAPSHOT.md. */
  readonly phase: "main" | "started" | "jobs" | "tick";
  readonly stoppedAt: "call" | "poll";
  /** How much of the room for frames is taken by pending ones. */
  readonly framesBytes: number;
  /** Addresses the phase must free at its end. */
  readonly held: readonly number[];
}

export interface Image {
  readonly base: BaseImage;
  readonly registers: Registers;
  /** A copy of all of it: encoding sends only what changed, and restoring is one copy back. */
  readonly memory: Uint8Array;
}

// ------------------------------------------------------------------------------------------------------------------ bytes

const VERSION = 1;
const PAGES_MAX = 2 ** 31 / PAGE_BYTES;

/** A fixed number of bytes. */
const exactly = (length: number): Codec<Uint8Array> => ({
  write: (to, value) => to.raw(value),
  read: (from) => from.raw(length),
});

/** In front of the compressed body; readable without knowing the engine. */
const header = struct({
  magic: u32,
  version: u8,
  engine: exactly(32),
  base: exactly(32),
  /** The integrity of the image whose pages this one's are changes of; zeros: the base's. */
  since: exactly(32),
  /** SHA-256 of all the rest: the header's fields above, and the body before compression. Names the image. */
  integrity: exactly(32),
  bodyBytes: varint,
  deflated: bytes(LIMITS.messageBytes),
});

const MAGIC = 0x54534f52; // "ROST"

const body = struct({
  stackPointer: u32,
  polls: varint,
  phase: oneOf(["main", "started", "jobs", "tick"]),
  stoppedAt: oneOf(["call", "poll"]),
  framesBytes: varint,
  held: list(u32, 2),
  memoryPages: varint,
  /** Page numbers as runs: pages skipped since the last one, pages in the run. */
  runs: list(struct({ skip: varint, count: varint }), PAGES_MAX),
  contents: bytes(LIMITS.messageBytes),
});

/** An image that both sides have, and its name. */
export interface NamedImage {
  readonly id: string;
  readonly image: Image;
}

/** The name of encoded bytes: 64 hexadecimal digits. Undefined where they are no image. */
export function imageId(encoded: Uint8Array): string | undefined {
  const head = decode(header, encoded);
  return head instanceof Invalid || head.magic !== MAGIC ? undefined : hex(head.integrity);
}

const NONE = new Uint8Array(32);

/** With `since`: only what has changed since that image, readable by those who have it. The image is read before this returns. */
export async function encodeImage(image: Image, since?: NamedImage): Promise<Uint8Array> {
  const { registers, base } = image;
  const pages = changedPages((since?.image ?? base).memory, image.memory);
  const words = new Int32Array(pages.length * PAGE_WORDS);
  pages.forEach((page, i) => {
    words.set(page.difference, i * PAGE_WORDS);
  });
  const contents = new Uint8Array(words.buffer);
  const plain = encode(body, {
    ...registers,
    held: [...registers.held],
    memoryPages: image.memory.length / WASM_PAGE_BYTES,
    runs: runsOf(pages),
    contents,
  });
  const engine = fromHex(base.engine.id);
  const id = fromHex(base.id);
  const parent = since ? fromHex(since.id) : NONE;
  const [integrity, deflated] = await Promise.all([integrityOf(engine, id, parent, plain), deflate(plain)]);
  return encode(header, {
    magic: MAGIC,
    version: VERSION,
    engine,
    base: id,
    since: parent,
    integrity,
    bodyBytes: plain.length,
    deflated,
  });
}

/** `since` is the image it continues; not needed where it continues none. */
export async function decodeImage(
  base: BaseImage,
  encoded: Uint8Array,
  since?: NamedImage,
): Promise<Image | Invalid> {
  const head = decode(header, encoded);
  if (head instanceof Invalid) return head;
  if (head.magic !== MAGIC) return new Invalid("these bytes are no image of a process");
  if (head.version !== VERSION)
    return new Invalid(`the image has format ${head.version} where this version reads ${VERSION}`);
  if (hex(head.engine) !== base.engine.id)
    return new Invalid(
      `the image is of engine ${short(hex(head.engine))} where this host has ${short(base.engine.id)}; both sides need the same version`,
    );
  if (hex(head.base) !== base.id)
    return new Invalid(
      `the image is based on ${short(hex(head.base))} where this host booted ${short(base.id)}; both sides need the same version`,
    );
  const parent = hex(head.since);
  const continues = parent !== hex(NONE);
  if (continues && parent !== since?.id)
    return new Invalid(`the image continues ${short(parent)}, which is not here`);
  if (head.bodyBytes > LIMITS.messageBytes)
    return new Invalid(`a body of ${head.bodyBytes} bytes is too long`);
  const plain = await inflate(head.deflated, head.bodyBytes);
  if (plain instanceof Invalid) return plain;
  const integrity = await integrityOf(head.engine, head.base, head.since, plain);
  if (integrity.some((b, i) => b !== head.integrity[i])) return new Invalid("the image is damaged");
  const fields = decode(body, plain);
  if (fields instanceof Invalid) return fields;
  return checked(base, fields, continues && since ? since.image.memory : base.memory);
}

/** Every field that the host itself goes by. */
function checked(base: BaseImage, fields: Carried<typeof body>, before: Uint8Array): Image | Invalid {
  const { stackPointer, framesBytes, held, memoryPages, runs, contents, phase, stoppedAt, polls } = fields;
  const memoryBytes = memoryPages * WASM_PAGE_BYTES;
  if (memoryBytes < before.length || memoryBytes > 2 ** 31)
    return new Invalid(`${memoryPages} is no possible number of memory pages`);
  if (stackPointer >= memoryBytes) return new Invalid("the stack pointer is outside the memory");
  if (framesBytes === 0 || framesBytes > FRAMES_BYTES || framesBytes % 4)
    return new Invalid(`${framesBytes} is no possible size of frames`);
  if (held.some((at) => at >= memoryBytes)) return new Invalid("an address is outside the memory");

  const words = new Int32Array(contents.slice().buffer, 0, contents.length >> 2);
  const pages: Page[] = [];
  let number = 0;
  for (const { skip, count } of runs) {
    number += skip;
    if ((number + count) * PAGE_BYTES > memoryBytes) return new Invalid("a page is outside the memory");
    if ((pages.length + count) * PAGE_BYTES > contents.length) return new Invalid("fewer pages than listed");
    for (let i = 0; i < count; i++, number++) {
      const at = pages.length * PAGE_WORDS;
      pages.push({ number, difference: words.subarray(at, at + PAGE_WORDS) });
    }
  }
  if (pages.length * PAGE_BYTES !== contents.length) return new Invalid("more pages than listed");
  const memory = new Uint8Array(memoryBytes);
  memory.set(before);
  applyChanges(memory, pages);
  return {
    base,
    registers: { stackPointer, polls, phase, stoppedAt, framesBytes, held },
    memory,
  };
}

function runsOf(pages: readonly Page[]): { skip: number; count: number }[] {
  const runs: { skip: number; count: number }[] = [];
  let next = 0;
  for (const { number } of pages) {
    const last = runs.at(-1);
    if (last && number === next) last.count++;
    else runs.push({ skip: number - next, count: 1 });
    next = number + 1;
  }
  return runs;
}

const short = (id: string) => id.slice(0, 12);

async function integrityOf(...parts: Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", join(parts) as Uint8Array<ArrayBuffer>));
}

async function deflate(plain: Uint8Array): Promise<Uint8Array> {
  const stream = new CompressionStream("deflate-raw");
  const written = feed(stream, plain);
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(stream)) chunks.push(chunk);
  await written;
  return join(chunks);
}

/** Gives up as soon as there are more bytes than announced. */
async function inflate(deflated: Uint8Array, length: number): Promise<Uint8Array | Invalid> {
  const stream = new DecompressionStream("deflate-raw");
  const written = feed(stream, deflated).catch(() => {}); // the reading side fails as well
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of chunksOf(stream)) {
      total += chunk.length;
      if (total > length) return new Invalid("the image unpacks to more bytes than it says");
      chunks.push(chunk);
    }
    await written;
  } catch {
    return new Invalid("the image cannot be unpacked");
  }
  return total === length ? join(chunks) : new Invalid("the image unpacks to fewer bytes than it says");
}

async function feed(stream: CompressionStream | DecompressionStream, data: Uint8Array): Promise<void> {
  const writer = stream.writable.getWriter();
  await writer.write(data as Uint8Array<ArrayBuffer>);
  await writer.close();
}

async function* chunksOf(stream: CompressionStream | DecompressionStream): AsyncGenerator<Uint8Array> {
  const reader = stream.readable.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((n, x) => n + x.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
