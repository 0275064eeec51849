/**
 * A stopped machine's state as a value and as bytes. The bytes hold only pages that differ from the base image's, or from an
 * earlier image's.
 * SNAPSHOT.md describes the format. Bytes are hostile until `decodeImage` has let them pass: what passes can still be a
 * memory that makes no sense, which can harm nothing but the machine made of it.
 */

import { fromHex, hex } from "../base/bytes.ts";
import {
  bool,
  bytes,
  type Carried,
  decode,
  encode,
  exactly,
  Invalid,
  list,
  oneOf,
  struct,
  u8,
  u32,
  varint,
} from "../base/codec.ts";
import { LIMITS } from "../base/limits.ts";
import type { BaseImage } from "./base-image.ts";
import { changesBetween, withChanges } from "./changes.ts";
import { WASM_PAGE_BYTES } from "./instance.ts";
import { FRAMES_BYTES } from "./memory-map.ts";
import { type Breathe, deflate, hashOf, inflate, type Packing } from "./packing.ts";
import { flat, PAGE_BYTES, type Page, ZEROS } from "./pages.ts";

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
  /** How large the process takes its memory to be. */
  readonly memoryBytes: number;
  /** Its memory, up to the end of its heap; shared with the images it was taken after, where nothing has changed. */
  readonly pages: readonly Page[];
  /** Set of one that never was: on the way from one image to the next, only some of the pages that change have. */
  readonly partial?: true;
}

/**
 * What leads from an image's pages to the next image, so that each step is little work to encode and to decode: the last is the image,
 * and those before are parts of it.
 */
export function partsOf(image: Image, since: readonly Page[]): Image[] {
  const { pages } = image;
  const changed: number[] = [];
  for (let n = 0; n < pages.length; n++) if (pages[n] !== (since[n] ?? ZEROS)) changed.push(n);
  const size = Math.max(LIMITS.imagePartBytes / PAGE_BYTES, Math.ceil(changed.length / LIMITS.imageParts));
  const parts: Image[] = [];
  let sofar = since;
  for (let at = size; at < changed.length; at += size) {
    const next = [...sofar];
    for (const n of changed.slice(at - size, at)) {
      while (next.length < n) next.push(ZEROS);
      next[n] = pages[n] ?? ZEROS;
    }
    parts.push({ ...image, pages: next, partial: true });
    sofar = next;
  }
  return [...parts, image];
}

/** All of its memory, as one copy. */
export const memoryOf = ({ pages, memoryBytes }: Image): Uint8Array => flat(pages, memoryBytes);

// ------------------------------------------------------------------------------------------------------------------ bytes

const VERSION = 4;
const PAGES_MAX = 2 ** 31 / PAGE_BYTES;

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
  partial: bool,
  stackPointer: u32,
  polls: varint,
  phase: oneOf(["main", "started", "jobs", "tick"]),
  stoppedAt: oneOf(["call", "poll"]),
  framesBytes: varint,
  held: list(u32, 2),
  memoryPages: varint,
  runs: list(struct({ skip: varint, count: varint }), PAGES_MAX),
  stretches: bytes(LIMITS.messageBytes),
  words: bytes(LIMITS.messageBytes),
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

/** How many bytes an image is to unpack to, by its own word. 0 where it is none. */
export function unpackedBytes(encoded: Uint8Array): number {
  const head = decode(header, encoded);
  return head instanceof Invalid ? 0 : head.bodyBytes;
}

const NONE = new Uint8Array(32);

/** With `since`: only what has changed since that image, readable by those who have it. */
export async function encodeImage(
  image: Image,
  since?: NamedImage,
  packing: Packing = {},
): Promise<Uint8Array> {
  const { registers, base } = image;
  const plain = encode(body, {
    ...registers,
    partial: image.partial === true,
    ...changesBetween((since?.image ?? base).pages, image.pages),
    memoryPages: image.memoryBytes / WASM_PAGE_BYTES,
  });
  const engine = fromHex(base.engine.id);
  const id = fromHex(base.id);
  const parent = since ? fromHex(since.id) : NONE;
  const [integrity, deflated] = await Promise.all([
    hashOf(engine, id, parent, plain),
    deflate(plain, packing),
  ]);
  return encode(header, {
    magic: MAGIC,
    version: VERSION,
    engine,
    base: id,
    since: parent,
    integrity,
    bodyBytes: plain.length,
    deflated,
  }).slice(); // a buffer of its own, to be handed over between threads
}

/**
 * `since` is the image it continues; not needed where it continues none. One of a process with more than `memoryBytesMax`
 * is refused before there is anything of that size. `breathe`: lets others run meanwhile.
 */
export async function decodeImage(
  base: BaseImage,
  encoded: Uint8Array,
  since?: NamedImage,
  memoryBytesMax: number = LIMITS.guestMemoryBytesMost,
  breathe?: Breathe,
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
  const plain = await inflate(head.deflated, head.bodyBytes, breathe);
  if (plain instanceof Invalid) return plain;
  const integrity = await hashOf(head.engine, head.base, head.since, plain);
  if (integrity.some((b, i) => b !== head.integrity[i])) return new Invalid("the image is damaged");
  const fields = decode(body, plain);
  if (fields instanceof Invalid) return fields;
  return checked(base, fields, continues && since ? since.image : undefined, memoryBytesMax);
}

/** Every field that the host itself goes by. */
function checked(
  base: BaseImage,
  fields: Carried<typeof body>,
  since: Image | undefined,
  memoryBytesMax: number,
): Image | Invalid {
  const { stackPointer, framesBytes, held, memoryPages, phase, stoppedAt, polls } = fields;
  const memoryBytes = memoryPages * WASM_PAGE_BYTES;
  if (memoryBytes < (since?.memoryBytes ?? base.memory.length))
    return new Invalid(`${memoryPages} is no possible number of memory pages`);
  if (memoryBytes > memoryBytesMax)
    return new Invalid(`the image has ${memoryBytes} bytes of memory where ${memoryBytesMax} are allowed`);
  if (stackPointer >= memoryBytes) return new Invalid("the stack pointer is outside the memory");
  if (framesBytes === 0 || framesBytes > FRAMES_BYTES || framesBytes % 4)
    return new Invalid(`${framesBytes} is no possible size of frames`);
  if (held.some((at) => at >= memoryBytes)) return new Invalid("an address is outside the memory");
  const pages = withChanges((since ?? base).pages, fields, memoryBytes / PAGE_BYTES);
  if (pages instanceof Invalid) return pages;
  const registers: Registers = { stackPointer, polls, phase, stoppedAt, framesBytes, held };
  return { base, registers, memoryBytes, pages, ...(fields.partial && { partial: true as const }) };
}

const short = (id: string) => id.slice(0, 12);
