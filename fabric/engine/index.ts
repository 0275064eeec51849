/** The engine: QuickJS as a machine that can stop anywhere, be written down, and go on elsewhere. See SNAPSHOT.md. */
export { type BaseImage, bootBase, type Prelude } from "./base-image.ts";
export { CompactImage } from "./compact.ts";
export { type Engine, loadEngine } from "./engine.ts";
export {
  decodeImage,
  encodeImage,
  type Image,
  imageId,
  memoryOf,
  type NamedImage,
  partsOf,
  unpackedBytes,
} from "./image.ts";
export { encodeBase, withKeptBase } from "./kept-base.ts";
export { Machine } from "./machine.ts";
export type { Breathe } from "./packing.ts";
export { inCommon, PAGE_BYTES } from "./pages.ts";
export type { MachineOptions, Program, Stop, World } from "./stop.ts";
