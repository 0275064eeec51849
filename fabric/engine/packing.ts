/**
 * Hashing and compression of images. What is small is done at once: the platform's own means are faster on many bytes,
 * but work in steps of the event loop, each of which costs more than a whole small image.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { deflateSync, inflateSync } from "fflate";
import { Invalid } from "../base/codec.ts";

/** Up to here, 1–3 ms of work. */
const AT_ONCE_BYTES = 48 * 1024;

/** Up to here, what is in a hurry leaves sooner as it is: packing takes 0.3 ms, and saves a kilobyte. */
const AS_IT_IS_BYTES = 4 * 1024;

/** Node's zlib, as far as it is used here. */
interface Zlib {
  deflateRawSync(data: Uint8Array, options: { finishFlush: number }): Uint8Array;
  inflateRawSync(data: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
  readonly constants: { readonly Z_SYNC_FLUSH: number; readonly Z_FINISH: number };
}

/**
 * Where there is one, it works at once. Node's streams take a turn of the event loop for each 16 KiB, and between any two
 * a guest has its own: the first copy of 64 MiB of a busy process took 18 s, and so takes 6.
 */
const zlib = (
  globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }
).process?.getBuiltinModule?.("node:zlib") as Zlib | undefined;

/** What that unpacks at once: a part of an image, some 10 ms of work. */
const PART_BYTES = 4 << 20;

/** Called between two steps of work, of a few milliseconds each: lets others run. */
export type Breathe = () => Promise<void>;

export interface Packing {
  readonly breathe?: Breathe | undefined;
  /** Somebody stands still until it is packed and has arrived. */
  readonly hurries?: boolean | undefined;
}

/** What compression is given at a time: a browser packs that in one go. */
const STEP_BYTES = 128 * 1024;
/** And what decompression is: it becomes several times as much. */
const UNPACKING_STEP_BYTES = 16 * 1024;

/** SHA-256 of the parts as one. */
export const hashOf = (...parts: Uint8Array[]): Promise<Uint8Array> => digest(join(parts));

/** SHA-256. A page over plain HTTP has no `crypto.subtle`, and computes it itself. */
export async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  const { subtle } = crypto as { readonly subtle?: SubtleCrypto };
  if (!subtle || bytes.length <= AT_ONCE_BYTES) return sha256(bytes);
  return new Uint8Array(await subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}

/** As "deflate-raw" (RFC 1951). */
export async function deflate(plain: Uint8Array, { breathe, hurries }: Packing): Promise<Uint8Array> {
  if (hurries && plain.length <= AS_IT_IS_BYTES) return deflateSync(plain, { level: 0 });
  if (plain.length <= AT_ONCE_BYTES) return deflateSync(plain);
  if (zlib) return deflateBySteps(zlib, plain, breathe);
  const stream = new CompressionStream("deflate-raw");
  const written = feed(stream, plain, STEP_BYTES, breathe);
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(stream)) chunks.push(chunk);
  await written;
  return join(chunks);
}

/** Steps that know nothing of each other: each but the last ends at a byte, and what follows continues it. */
async function deflateBySteps(
  { deflateRawSync, constants: { Z_SYNC_FLUSH, Z_FINISH } }: Zlib,
  plain: Uint8Array,
  breathe?: Breathe,
): Promise<Uint8Array> {
  const steps: Uint8Array[] = [];
  for (let at = 0; at < plain.length; at += STEP_BYTES) {
    const finishFlush = at + STEP_BYTES < plain.length ? Z_SYNC_FLUSH : Z_FINISH;
    steps.push(deflateRawSync(plain.subarray(at, at + STEP_BYTES), { finishFlush }));
    await breathe?.();
  }
  return join(steps);
}

/** Exactly `length` bytes; gives up as soon as there are more. */
export async function inflate(
  deflated: Uint8Array,
  length: number,
  breathe?: Breathe,
): Promise<Uint8Array | Invalid> {
  const atOnce = length <= AT_ONCE_BYTES ? inflateLittle : zlib && length <= PART_BYTES && inflatePart(zlib);
  const plain = atOnce
    ? tried(() => atOnce(deflated, length))
    : await inflateBySteps(deflated, length, breathe);
  if (!plain) return new Invalid("the image cannot be unpacked");
  if (plain.length > length) return new Invalid("the image unpacks to more bytes than it says");
  return plain.length === length ? plain : new Invalid("the image unpacks to fewer bytes than it says");
}

const inflateLittle = (deflated: Uint8Array, length: number) =>
  inflateSync(deflated, { out: new Uint8Array(length + 1) }); // what does not fit is dropped

/** Throws where it is more. A copy: a Buffer's methods are others than an array's. */
const inflatePart =
  ({ inflateRawSync }: Zlib) =>
  (deflated: Uint8Array, length: number) =>
    new Uint8Array(inflateRawSync(deflated, { maxOutputLength: length }));

function tried<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

async function inflateBySteps(
  deflated: Uint8Array,
  length: number,
  breathe?: Breathe,
): Promise<Uint8Array | undefined> {
  const stream = new DecompressionStream("deflate-raw");
  const written = feed(stream, deflated, UNPACKING_STEP_BYTES, breathe).catch(() => {}); // the reading side fails as well
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for await (const chunk of chunksOf(stream)) {
      total += chunk.length;
      chunks.push(chunk);
      if (total > length) return join(chunks);
    }
    await written;
  } catch {
    return undefined;
  }
  return join(chunks);
}

async function feed(
  stream: CompressionStream | DecompressionStream,
  data: Uint8Array,
  stepBytes: number,
  breathe?: Breathe,
): Promise<void> {
  const writer = stream.writable.getWriter();
  for (let at = 0; at < data.length; at += stepBytes) {
    await writer.write(data.subarray(at, at + stepBytes) as Uint8Array<ArrayBuffer>);
    await breathe?.();
  }
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

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((n, x) => n + x.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}
